"""Both sides of a stream for tests: a client in the place of the web server, pods in the place of the node agent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from brickyard.api.kinds import podstreams
from brickyard.embedded.apiserver.podstreams import sockets


class FakeClient:
    """A client. ``say`` what it sends, ``heard`` what reached it, ``code`` how it was told goodbye; clear ``reads`` to stop it reading."""

    def __init__(self) -> None:
        self._said: asyncio.Queue[sockets.Message] = asyncio.Queue()
        self.heard: list[bytes] = []
        self.code: int | None = None
        self.reason = ""
        self.gone = False
        self.reads = asyncio.Event()
        self.reads.set()
        self._news = asyncio.Event()

    def talk(self) -> sockets.Talk:
        """What the application gets of it."""
        return sockets.Talk(self._said.get, self._send)

    def socket(self, idle: float = 3600.0) -> sockets.Socket:
        """Its socket, accepted."""
        return sockets.Socket(self.talk(), idle, lambda: self.gone)

    def say(self, *messages: bytes) -> None:
        for each in messages:
            self._said.put_nowait({"type": "websocket.receive", "bytes": each})

    def say_text(self, message: str) -> None:
        self._said.put_nowait({"type": "websocket.receive", "text": message})

    def leave(self) -> None:
        self._said.put_nowait({"type": "websocket.disconnect", "code": 1005})

    @property
    def unread(self) -> int:
        """Messages of its that nobody has taken."""
        return self._said.qsize()

    async def hears(self, what: Callable[[list[bytes]], Any]) -> None:
        """Until ``what`` holds of what it has heard."""
        async with asyncio.timeout(100.0):
            while not what(self.heard):
                self._news.clear()
                await self._news.wait()

    async def _send(self, message: sockets.Message) -> None:
        await self.reads.wait()
        if message["type"] == "websocket.close":
            self.code, self.reason = message["code"], message["reason"]
        elif message["type"] == "websocket.send":
            self.heard.append(message["bytes"])
        self._news.set()


@contextlib.asynccontextmanager
async def under_way(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """``work`` beside the block; cancelled after it where it has not ended."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


class FakeConnection:
    """A connection to a pod. ``says`` what the pod sends (b"" ends it, an error breaks it); ``took`` what it got, "" its end."""

    def __init__(self) -> None:
        self.says: asyncio.Queue[bytes | OSError] = asyncio.Queue()
        self.took: list[bytes] = []
        self.ended = False
        self.closed = False
        self.takes = asyncio.Event()
        self.takes.set()

    async def read(self) -> bytes:
        said = await self.says.get()
        if isinstance(said, OSError):
            raise said
        return said

    async def write(self, data: bytes) -> None:
        await self.takes.wait()
        self.took.append(data)

    def end(self) -> None:
        self.ended = True

    async def close(self) -> None:
        self.closed = True


class FakeForwarder:
    """A pod: a port is reached if a connection waits for it in ``connections``."""

    def __init__(self, **connections: FakeConnection) -> None:
        self.connections = {int(port.removeprefix("port")): each for port, each in connections.items()}

    async def connect(self, port: int) -> podstreams.Connection:
        if port not in self.connections:
            raise podstreams.StreamFailed(f"dial tcp 127.0.0.1:{port}: connect: connection refused")
        return self.connections[port]


class FakeSession:
    """A session that does what ``work`` says; ``cancelled`` tells whether it was ended from outside."""

    def __init__(self, work: Callable[[podstreams.Client], Coroutine[Any, Any, int]]) -> None:
        self._work = work
        self.cancelled = False

    async def run(self, client: podstreams.Client) -> int:
        try:
            return await self._work(client)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
