"""What a client may take of an HTTP server of ours before, between and behind its requests.

    what                                            bound                 beyond it
    connections open at once                        ``open``              the one that has been idle longest goes, else the new one
    a request's line and headers, in bytes          ``head``              431, and the connection ends
    seconds until they are complete                 ``head_seconds``      the connection ends
    seconds in which a client makes no room for     ``unread_seconds``    the connection ends
    what is sent to it

Bodies are bounded by the application, idle time between requests by the server's keep-alive, handshakes by the event loop (a minute).
"""

from __future__ import annotations

import asyncio
import dataclasses
import http
import resource
from collections.abc import Callable
from typing import Any, ClassVar, Final

from uvicorn import config as uvicorn_config
from uvicorn import server as uvicorn_server
from uvicorn.protocols.http import httptools_impl

from brickyard.lib import logs

log = logs.get(__name__)

_OTHER_FILES: Final = 128
"""What the process opens beside connections to it."""
_FEWEST: Final = 16

Refusal = Callable[[int, str], tuple[str, bytes]]
"""Given a status and the reason: the media type and the body of the answer to what never became a request."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """How much is much; see above."""

    open: int = 1000
    head: int = 256 * 1024
    head_seconds: float = 30.0
    unread_seconds: float = 30.0


def affordable(wanted: int) -> int:
    """``wanted`` connections, or as many as the process may have open beside its files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(_FEWEST, soft - _OTHER_FILES))


def plain(status: int, reason: str) -> tuple[str, bytes]:
    """A refusal in words alone."""
    del status
    return "text/plain; charset=utf-8", f"{reason}\n".encode()


def idle(connection: httptools_impl.HttpToolsProtocol) -> bool:
    """Whether no request is under way."""
    return connection.cycle is None or connection.cycle.response_complete


class Connection(httptools_impl.HttpToolsProtocol):
    """One client's connection, within ``bounds``; what it refuses it says as ``refusal`` words it."""

    bounds: ClassVar[Bounds] = Bounds()
    refusal: ClassVar[Refusal] = staticmethod(plain)

    def __init__(
        self,
        config: uvicorn_config.Config,
        server_state: uvicorn_server.ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._in_head = self._in_request = False
        self._begun = 0
        """Requests that began in the piece that is being read."""
        self._head_bytes = 0
        self._idle_since = 0.0
        self._head_due: asyncio.TimerHandle | None = None
        self._room_due: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return idle(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._expect_head()
        if len(self.connections) > self.bounds.open:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        for due in (self._head_due, self._room_due):
            if due is not None:
                due.cancel()
        super().connection_lost(exc)

    def _make_room(self) -> None:
        others = (each for each in self.connections if isinstance(each, Connection) and each is not self and each.idle)
        gone = min(others, key=lambda each: each._idle_since, default=self)
        if gone is self:
            log.warning("a connection was refused: all others are in use", open=self.bounds.open)
        # Now, not when the loop comes to it: others may come in between.
        self.connections.discard(gone)
        gone.transport.abort()

    # Reading.

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        between, self._begun = not self._in_request, 0
        super().data_received(data)
        # Where a piece holds the end of another request as well, which of its bytes are this head's is not known.
        if self._in_head and self._begun <= between:
            self._head_bytes += len(data)
            if self._head_bytes > self.bounds.head:
                self._refuse(431, f"the request's line and headers are over the limit of {self.bounds.head} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._in_request = True
        self._begun += 1
        self._head_bytes = 0
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_request = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def _expect_head(self) -> None:
        if self._head_due is None:
            self._head_due = self.loop.call_later(self.bounds.head_seconds, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, f"this is no HTTP request: {msg}")

    def _refuse(self, status: int, reason: str) -> None:
        """Answer a request that never reached the application, and end the connection."""
        media_type, body = type(self).refusal(status, reason)
        head = (
            f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\ncontent-type: {media_type}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    # Writing.

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._room_due is None:
            self._room_due = self.loop.call_later(self.bounds.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._room_due is not None:
            self._room_due.cancel()
            self._room_due = None
        super().resume_writing()


def bounded(bounds: Bounds, refusal: Refusal = plain) -> type[Connection]:
    """Connections within ``bounds``."""

    class Bounded(Connection):
        pass

    Bounded.bounds = bounds
    Bounded.refusal = staticmethod(refusal)
    return Bounded
