"""Fetches pages that are small and asked for again and again, engines' metrics first of all: bounded in number, in time and in size,
over connections that are kept.

A hundred engines read once a second are nine million pages a day, most of which say nothing new, so a page must cost next to nothing. A
connection to each engine stays open between two looks, and the request is made once. (A general HTTP client with fewer connections than
there are engines opens one for nearly every page, and looks through all of them each time.)
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import re
import ssl
import urllib.parse
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, NamedTuple, Self

from brickyard.lib import pagewire

Answer = pagewire.Answer
Names = Callable[[str], Awaitable[str | None]]
"""Address of a host; None for whom the machine's own resolver knows. May raise ``PageMissed``."""
PageLateError = pagewire.PageLateError
PageMissed = pagewire.PageMissed
_OK: Final = 200
KEPT: Final = 2048
"""Connections kept open; of more, the longest idle is closed."""
IDLE: Final = 15.0
"""Seconds after which a kept connection that nobody used is closed."""
_PRINTABLE: Final = re.compile(r"[!-~]+")
"""What may stand in a request's first lines: else an address could write headers."""
ADDRESSES: Final = 16384
"""URLs whose requests are remembered."""


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """How pages are reached. ``tls`` is for ``https``, which is refused without; ``names`` is asked before the machine's own resolver."""

    tls: ssl.SSLContext | None = None
    names: Names | None = None


_PLAIN: Final = Way()


class _Target(NamedTuple):
    """Where a page is, and the bytes that ask for it."""

    tls: bool
    host: str
    port: int
    request: bytes


@functools.lru_cache(maxsize=ADDRESSES)
def _target(url: str) -> _Target:
    try:
        parts = urllib.parse.urlsplit(url)
        tls = parts.scheme == "https"
        host, port = parts.hostname, parts.port or (443 if tls else 80)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        head = f"GET {path} HTTP/1.1\r\nhost: {parts.netloc}\r\naccept-encoding: identity\r\n\r\n".encode("ascii")
    except ValueError as error:
        raise PageMissed(f"{url} is no address of a page: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise PageMissed("a user and a password do not belong into the address of a page: leave them out")
    if parts.scheme not in ("http", "https") or not host or not _PRINTABLE.fullmatch(parts.netloc + path):
        raise PageMissed(f"{url} is no address of a page: it must be http://host:port/path")
    return _Target(tls, host, port, head)


class Pages:
    """``async with Pages(connections=32, timeout=2.0) as pages: await pages.get(url)``.

    At most ``connections`` pages are read at once, further ones wait their turn; ``timeout`` seconds count from the turn on. Between two
    pages at most ``kept`` connections stay open, one per engine, for ``idle`` seconds.
    """

    def __init__(
        self,
        *,
        connections: int,
        timeout: float,
        largest: int = pagewire.LARGEST,
        kept: int = KEPT,
        idle: float = IDLE,
        way: Way = _PLAIN,
    ) -> None:
        self._turn = asyncio.Semaphore(connections)
        self._timeout = timeout
        self._largest = largest
        self._kept = kept
        self._keep_for = idle
        self._way = way
        self._idle: dict[tuple[bool, str, int], pagewire.PageConnection] = {}  # the longest idle first
        self._reaper: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reaper is not None:
            self._reaper.cancel()
        for connection in self._idle.values():
            connection.close()
        self._idle.clear()

    async def get(self, url: str) -> bytes:
        """The body of ``url``. The other end is spoken to directly, whatever proxies the environment names.

        Raises:
            PageMissed: refused, broken, too slow (then ``PageLateError``), too large, or another status than 200.
        """
        status, body, _ = await self.ask(url)
        if status != _OK:
            raise PageMissed(f"{url} answered {status}")
        return body

    async def ask(self, url: str) -> Answer:
        """What ``url`` answers, whatever the status. Redirects are not followed.

        Raises:
            PageMissed: no answer, or none that can be read; ``PageLateError`` when it did not come in time.
        """
        target = _target(url)
        if target.tls and self._way.tls is None:
            raise PageMissed(f"{url} is no address of a page: it must be http://host:port/path")
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._read(target)
            except TimeoutError as error:
                raise PageLateError(f"{url} did not answer within {self._timeout:g} s") from error
            except OSError as error:
                raise PageMissed(f"{url} cannot be reached: {error.strerror or error}") from error
            except pagewire.StaleError as error:
                raise PageMissed(f"{url}: the connection was closed without an answer") from error
            except PageMissed as error:
                raise PageMissed(f"{url}: {error}") from error

    async def _read(self, target: _Target) -> Answer:
        kept = self._idle.pop((target.tls, target.host, target.port), None)
        if kept is not None:
            try:
                return await self._ask(kept, target)
            except pagewire.StaleError:
                pass  # its other end had closed it meanwhile
        known = await self._way.names(target.host) if self._way.names is not None else None
        _, fresh = await asyncio.get_running_loop().create_connection(
            lambda: pagewire.PageConnection(self._largest),
            known or target.host,
            target.port,
            ssl=self._way.tls if target.tls else None,
            server_hostname=target.host if target.tls else None,
        )
        return await self._ask(fresh, target)

    async def _ask(self, connection: pagewire.PageConnection, target: _Target) -> Answer:
        try:
            return await connection.ask(target.request)
        finally:
            if connection.reusable:
                self._keep(connection, target)
            else:
                connection.close()

    def _keep(self, connection: pagewire.PageConnection, target: _Target) -> None:
        loop, place = asyncio.get_running_loop(), (target.tls, target.host, target.port)
        connection.idle_since = loop.time()
        other = self._idle.pop(place, None)
        if other is not None:
            other.close()
        self._idle[place] = connection
        if len(self._idle) > self._kept:
            self._idle.pop(next(iter(self._idle))).close()
        if self._reaper is None:
            self._reaper = loop.call_later(self._keep_for, self._reap)

    def _reap(self) -> None:
        """Close what nobody used for so long; look again when the next one's time has come."""
        loop = asyncio.get_running_loop()
        while self._idle:
            place, longest = next(iter(self._idle.items()))
            left = longest.idle_since + self._keep_for - loop.time()
            if left > 0:
                self._reaper = loop.call_later(left, self._reap)
                return
            self._idle.pop(place).close()
        self._reaper = None
