"""What a client may take of the services before its request has reached them.

    what                                         bound                beyond it
    connections open at once                     ``OPEN``             the new one is closed
    a request's line and headers, in bytes       ``HEAD``             431, and the connection ends
    seconds until they are complete              ``HEAD_SECONDS``     the connection ends
    seconds in which an answer finds no room     ``UNREAD_SECONDS``   the connection ends

Bodies are bounded where they are read (``answers``), idle time between requests by the server's keep-alive.
"""

from __future__ import annotations

import asyncio
import http
from typing import Final

from uvicorn.protocols.http import httptools_impl

from brickyard.api.openai import errors as openai
from brickyard.lib import logs

log = logs.get(__name__)

OPEN: Final = 1024
HEAD: Final = 64 * 1024
HEAD_SECONDS: Final = 15.0
UNREAD_SECONDS: Final = 30.0


class Connection(httptools_impl.HttpToolsProtocol):
    """One client's connection."""

    _in_head = False
    _head_bytes = 0
    _head_due: asyncio.TimerHandle | None = None
    _room_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self._expect_head()
        if len(self.connections) > OPEN:
            log.warning("a connection was refused: too many are open", open=OPEN)
            self.connections.discard(self)
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        for due in (self._head_due, self._room_due):
            if due is not None:
                due.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._in_head:
            # What came before the head in the same piece is counted with it: a piece has a bound of its own.
            self._head_bytes += len(data)
            if self._head_bytes > HEAD:
                self._refuse(openai.ApiError(431, f"the request's line and headers are over {HEAD} bytes: send less"))

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

    def _expect_head(self) -> None:
        if self._head_due is None:
            self._head_due = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        self._refuse(openai.ApiError(400, f"this is no HTTP request: {msg}"))

    def _refuse(self, error: openai.ApiError) -> None:
        """Answer a request that never reached the application, and end the connection."""
        body = error.body()
        head = (
            f"HTTP/1.1 {error.status} {http.HTTPStatus(error.status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._room_due is None:
            self._room_due = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        if self._room_due is not None:
            self._room_due.cancel()
            self._room_due = None
        super().resume_writing()
