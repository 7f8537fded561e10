"""Connections: what a client may take of the server before, between and behind its requests.

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
from typing import Any, ClassVar, Final

import orjson
from uvicorn import config as uvicorn_config
from uvicorn import server as uvicorn_server
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.websockets import websockets_sansio_impl
from websockets import datastructures, http11
from websockets import server as websockets_server

from brickyard.embedded.apiserver import errors
from brickyard.embedded.apiserver.podstreams import peers, sockets
from brickyard.lib import logs

log = logs.get(__name__)

_OTHER_FILES: Final = 128
"""What the process opens beside connections to it."""
_FEWEST: Final = 16


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


class Connection(httptools_impl.HttpToolsProtocol):
    """One client's connection, within ``bounds``."""

    bounds: ClassVar[Bounds] = Bounds()

    def __init__(
        self,
        config: uvicorn_config.Config,
        server_state: uvicorn_server.ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._in_head = False
        self._head_bytes = 0
        self._idle_since = 0.0
        self._head_due: asyncio.TimerHandle | None = None
        self._room_due: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

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
        begun = self._in_head
        super().data_received(data)
        if begun and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.bounds.head:
                limit = self.bounds.head
                self._refuse(
                    errors.HeadTooLargeError(f"the request's line and headers are over the limit of {limit} bytes")
                )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def _expect_head(self) -> None:
        if self._head_due is None:
            self._head_due = self.loop.call_later(self.bounds.head_seconds, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        self._refuse(errors.BadRequestError(msg))

    def _refuse(self, error: errors.ApiError) -> None:
        """Answer a request that never reached the application, and end the connection."""
        body = orjson.dumps(error.status())
        head = (
            f"HTTP/1.1 {error.code} {http.HTTPStatus(error.code).phrase}\r\ncontent-type: application/json\r\n"
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


class Streaming(websockets_sansio_impl.WebSocketsSansIOProtocol):
    """A connection that has become a WebSocket. It tells the application whether its client has gone even while it is not read."""

    def __init__(
        self,
        config: uvicorn_config.Config,
        server_state: uvicorn_server.ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = _Handshake(max_size=config.ws_max_size, logger=self.logger)

    def handle_connect(self, event: http11.Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"] = {
                **(self.scope.get("extensions") or {}),
                sockets.PEER: {sockets.LEFT: self._left},
            }

    def shutdown(self) -> None:
        if self.transport.is_closing():
            # Its client has been told and does not answer. To close it a second time makes asyncio forget how to drop it.
            self.transport.abort()
        else:
            super().shutdown()

    def _left(self) -> bool:
        """Where it is read, the event loop hears by itself."""
        found = self.transport.get_extra_info("socket")
        return self.read_paused and found is not None and found.fileno() >= 0 and peers.left(found)


class _Handshake(websockets_server.ServerProtocol):
    """Leaves subprotocols to the application: one that clients speak, ``SPDY/3.1+…``, is no token and would be refused."""

    def process_subprotocol(self, headers: datastructures.Headers) -> None:
        del headers


def bounded(bounds: Bounds) -> type[Connection]:
    """Connections within ``bounds``."""

    class Bounded(Connection):
        pass

    Bounded.bounds = bounds
    return Bounded
