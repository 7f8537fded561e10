"""One connection to an endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

from brickyard.gateway import errors
from brickyard.gateway.proxy import heads, response, sockets
from brickyard.gateway.usage import tail as tails

_JOIN_BELOW: Final = 64 * 1024


class Taker(Protocol):
    """Who waits for a response. ``completed`` or ``broken`` is called once, and nothing after it."""

    def responded(self, head: heads.ResponseHead) -> bytes:
        """The head to send to the client."""
        ...

    def completed(self, connection: UpstreamConnection) -> None:
        """The response was passed on to its last byte; ``connection.reader`` knows whether the connection can go on."""
        ...

    def broken(self, error: errors.UpstreamError) -> None:
        """The connection is gone, or was given up, before the response's end."""
        ...


class UpstreamConnection(asyncio.Protocol):
    """Serves one request after another; between two of them it lies idle in its pool.

    Attributes:
        requests: how many it was given; more than one means that it was kept alive.
        opening: seconds that it took to open.
        touched: bytes have come back for the current request.
        idle_since: when the pool got it back.
        alive: the transport is open.
        reader: where the current response stands.
    """

    __slots__ = (
        "_ended",
        "_paused",
        "_taker",
        "_transport",
        "_write",
        "alive",
        "idle_since",
        "lost",
        "opening",
        "reader",
        "requests",
        "touched",
    )

    def __init__(self, lost: Callable[[UpstreamConnection], None]) -> None:
        self.lost = lost
        self.reader = response.ResponseReader()
        self.requests = 0
        self.opening = 0.0
        self.touched = False
        self.idle_since = 0.0
        self.alive = False
        self._paused = False
        self._ended = False
        self._taker: Taker | None = None
        self._write: Callable[[bytes], None] = _nowhere

    # For the exchange.

    def begin(
        self,
        taker: Taker,
        write: Callable[[bytes], None],
        request: tuple[bytes, bytes],
        *,
        plain: bool,
        strip_usage: bool = False,
        tail: tails.Tail | None = None,
    ) -> None:
        """Send a request (head, body). Its response goes to ``write``, its turns to ``taker``; the rest is said to the reader."""
        self.reader.reset(plain=plain, strip_usage=strip_usage, tail=tail)
        self.requests += 1
        self.touched = False
        self._taker = taker
        self._write = write
        head, body = request
        if len(body) < _JOIN_BELOW:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    def abandon(self) -> None:
        """Close at once. The taker hears nothing more."""
        self._taker = None
        if self.alive:
            self._transport.abort()

    def pause(self) -> None:
        """Read no more: the client does not keep up."""
        if self.alive and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._paused and self.alive:
            self._paused = False
            self._transport.resume_reading()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.alive = True
        sockets.notice_vanished(transport)

    def data_received(self, data: bytes) -> None:
        taker = self._taker
        if taker is None:
            self.abandon()  # nobody asked: whatever this is, it is no answer
            return
        reader = self.reader
        started = reader.head is not None
        self.touched = True
        try:
            out = reader.feed(data)
        except errors.MalformedResponseError as error:
            self.abandon()
            taker.broken(error)
            return
        if not started:
            if reader.head is None:
                return
            out = taker.responded(reader.head) + out
        if out:
            self._write(out)
        if reader.complete:
            self._taker = None
            self._write = _nowhere
            taker.completed(self)

    def eof_received(self) -> bool:
        self._ended = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        taker, self._taker = self._taker, None
        write, self._write = self._write, _nowhere
        self.lost(self)
        if taker is not None:
            if exc is None and self._ended and self.reader.ends_here():
                if rest := self.reader.rest():
                    write(rest)
                taker.completed(self)
            else:
                how = "closed" if exc is None else "reset"
                taker.broken(
                    errors.BrokenConnectionError(f"the endpoint {how} the connection before the end of its response")
                )
        self.reader.close()


def _nowhere(_data: bytes) -> None:
    """Where bytes go when nobody takes them."""
