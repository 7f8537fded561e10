"""A client's WebSocket, within bounds: what it may take, and how long it may be silent.

what                                        bound                  beyond it
bytes of one message                        ``MAX_MESSAGE``        1009, by the protocol below
messages read ahead                         one                    the client waits
seconds without a byte either way           ``idle``               1001
a client that went while nobody reads       ``LOOK_EVERY``         taken for gone
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_MESSAGE: Final = 4 * 1024 * 1024
LOOK_EVERY: Final = 1.0
PEER, LEFT = "brickyard.peer", "left"
"""An extension of the scope, and what it holds: a function that tells whether the client has gone while its messages are not read."""

NORMAL, GOING_AWAY, PROTOCOL_ERROR, INTERNAL_ERROR, TRY_AGAIN = 1000, 1001, 1002, 1011, 1013
CLOSE_DEADLINE: Final = 2.0
_REASON: Final = 123
"""Bytes of a reason that a close frame has room for."""


class GoneError(Exception):
    """The client has gone."""


class IdleError(Exception):
    """Nothing was said for too long."""


@dataclasses.dataclass(frozen=True, slots=True)
class Talk:
    """The two functions by which an ASGI application speaks with its client."""

    receive: Receive
    send: Send


class Socket:
    """An accepted WebSocket. One task receives; any may send."""

    def __init__(self, talk: Talk, idle: float, left: Callable[[], bool] | None = None) -> None:
        self._talk = talk
        self._idle = idle
        self._left = left or bool
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._open = True
        self._closed = False

    async def receive(self) -> bytes:
        """The next message. A text is its bytes.

        Raises:
            GoneError: the client has left.
        """
        message = await self._talk.receive()
        if message["type"] != "websocket.receive":
            self._open, self._closed = False, True
            raise GoneError
        self._heard = self._loop.time()
        data = message.get("bytes")
        return data if data is not None else str(message.get("text") or "").encode()

    async def send(self, data: bytes) -> None:
        """Send one message; waits until the client makes room. To a client that has gone nothing is sent: ``receive`` tells."""
        if not self._open:
            return
        try:
            await self._talk.send({"type": "websocket.send", "bytes": data})
        except OSError:
            self._open = False
        self._heard = self._loop.time()

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say goodbye; a second time does nothing. Not waited for when the client makes no room for it."""
        if self._closed:
            return
        self._open, self._closed = False, True
        short = reason.encode()[:_REASON].decode(errors="ignore")
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_DEADLINE):
                await self._talk.send({"type": "websocket.close", "code": code, "reason": short})

    async def watch(self) -> None:
        """Look after the client until something is wrong.

        Raises:
            GoneError: it has left, although nobody has read that from it yet.
            IdleError: nothing was said for too long.
        """
        left = False
        while True:
            await asyncio.sleep(min(LOOK_EVERY, self._idle))
            # Twice in a row: what it said last may be on its way to who reads.
            if left and self._left():
                raise GoneError
            left = self._left()
            if self._loop.time() - self._heard >= self._idle:
                # What others still wanted to send would wait for ever.
                self._open = False
                raise IdleError
