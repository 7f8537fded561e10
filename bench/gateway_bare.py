"""The least a Python proxy can do: the floor that the gateway's own work is measured above.

    python -m bench.gateway_bare PORT TARGET_PORT

The same loop and parser as the gateway's, the body's JSON read, one header added, kept connections. No routing, bounds, deadlines,
retries or counters: it exists to be measured.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import httptools
import orjson
import uvloop


class Upstream(asyncio.Protocol):
    """A connection to the engine."""

    def __init__(self, idle: list[Upstream]) -> None:
        self._idle = idle
        self._client: Client | None = None
        self._parser = httptools.HttpResponseParser(self)
        self.open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False

    def send(self, client: Client, data: bytes) -> None:
        self._client = client
        self._transport.write(data)

    def drop(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._client is not None:
            self._client.transport.write(data)
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._client is not None:
            self._client.upstream = None
            self._client = None
        self._idle.append(self)


class Client(asyncio.Protocol):
    """A connection from a client."""

    def __init__(self, target: int, idle: list[Upstream]) -> None:
        self._target = target
        self._idle = idle
        self._parser = httptools.HttpRequestParser(self)
        self._fields: list[bytes] = []
        self._parts: list[bytes] = []
        self._url = b""
        self._connecting: asyncio.Task[None] | None = None
        self.upstream: Upstream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.upstream is not None:
            self.upstream.drop()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += (name, b": ", value, b"\r\n")

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        body = b"".join(self._parts)
        orjson.loads(body)["model"]
        head = b"".join((b"POST ", self._url, b" HTTP/1.1\r\n", *self._fields, b"x-request-id: 1234\r\n\r\n"))
        self._fields, self._parts = [], []
        while self._idle:
            upstream = self._idle.pop()
            if upstream.open:
                self.upstream = upstream
                upstream.send(self, head + body)
                return
        self._connecting = asyncio.get_running_loop().create_task(self._connect(head + body))

    async def _connect(self, data: bytes) -> None:
        _, self.upstream = await asyncio.get_running_loop().create_connection(
            lambda: Upstream(self._idle), "127.0.0.1", self._target
        )
        self.upstream.send(self, data)


async def _serve(port: int, target: int) -> None:
    idle: list[Upstream] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Client(target, idle), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
