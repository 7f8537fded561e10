"""A connection pool that can be replaced while it is used.

A client certificate belongs to a connection: when a new one has come, connections made with the old one must not be used again.
``renew`` puts a new pool in place; the old one closes when the last answer on it has been read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2


@dataclasses.dataclass(eq=False, slots=True)
class _Pool:
    transport: httpx2.AsyncBaseTransport
    answers: int = 0
    retired: bool = False


class RenewableTransport(httpx2.AsyncBaseTransport):
    """Sends over what ``make`` makes.

    Args:
        make: a new, empty pool.
        server_name: what the server's certificate must say and what it is asked for (SNI); "" for the URL's host.
    """

    def __init__(self, make: Callable[[], httpx2.AsyncBaseTransport], server_name: str = "") -> None:
        self._make = make
        self._server_name = server_name
        self._pool = _Pool(make())
        self._old: set[_Pool] = set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._server_name:
            request.extensions = {**request.extensions, "sni_hostname": self._server_name}
        pool = self._pool
        pool.answers += 1
        try:
            response = await pool.transport.handle_async_request(request)
        except BaseException:
            await self._read(pool)
            raise
        stream = response.stream
        assert isinstance(stream, httpx2.AsyncByteStream)  # noqa: S101 - narrows the type: this is an async transport
        response.stream = _Counted(stream, lambda: self._read(pool))
        return response

    async def renew(self) -> None:
        """Use new connections from here on."""
        old, self._pool = self._pool, _Pool(self._make())
        old.retired = True
        self._old.add(old)
        await self._close_if_unused(old)

    async def aclose(self) -> None:
        for pool in (self._pool, *self._old):
            await pool.transport.aclose()
        self._old.clear()

    async def _read(self, pool: _Pool) -> None:
        pool.answers -= 1
        await self._close_if_unused(pool)

    async def _close_if_unused(self, pool: _Pool) -> None:
        if pool.retired and not pool.answers and pool in self._old:
            self._old.discard(pool)
            await pool.transport.aclose()


class _Counted(httpx2.AsyncByteStream):
    """An answer's bytes; tells once when they are done with."""

    def __init__(self, stream: httpx2.AsyncByteStream, closed: Callable[[], Awaitable[None]]) -> None:
        self._stream = stream
        self._closed: Callable[[], Awaitable[None]] | None = closed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            if (closed := self._closed) is not None:
                self._closed = None
                await closed()
