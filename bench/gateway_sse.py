"""An engine that streams: each completion is a number of server-sent events, one every so often.

    python -m bench.gateway_sse PORT EVENTS SECONDS_BETWEEN HOST,HOST…

``GET /sent`` says how many events have gone out, so that a proxy's cost is divided by what it was really given.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import httptools
import uvloop

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
_DELTA = (
    b'data: {"id":"chatcmpl-b9eeae2849326f24","object":"chat.completion.chunk","created":1795224522,"model":"tiny",'
    b'"choices":[{"index":0,"delta":{"content":" hello"},"logprobs":null,"finish_reason":null}]}\n\n'
)
_USAGE = (
    b'data: {"id":"chatcmpl-b9eeae2849326f24","object":"chat.completion.chunk","created":1795224522,"model":"tiny",'
    b'"choices":[],"usage":{"prompt_tokens":18,"total_tokens":118,"completion_tokens":100}}\n\n'
)
_MODELS = (
    b'{"object":"list","data":[{"id":"tiny","object":"model","created":1,"owned_by":"vllm","max_model_len":200000}]}'
)
_INFO = b'{"model_path":"tiny","served_model_name":"tiny","is_generation":true,"status":"ok"}'


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_EVENT = _chunk(_DELTA)
_END = _chunk(_USAGE) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Totals:
    """What all connections share."""

    def __init__(self, events: int, pause: float) -> None:
        self.events = events
        self.pause = pause
        self.sent = 0


class Engine(asyncio.Protocol):
    """One connection."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._left = 0
        self._open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open = False

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_message_complete(self) -> None:
        if b"completions" in self._path:
            self._left = self._totals.events
            self._transport.write(_HEAD)
            self._loop.call_later(self._totals.pause, self._tick)
            return
        body = _MODELS if self._path == b"/v1/models" else _INFO
        if self._path == b"/sent":
            body = b"%d" % self._totals.sent
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )

    def _tick(self) -> None:
        if not self._open:
            return
        if self._left == 0:
            self._transport.write(_END)
            self._totals.sent += 1  # three chunks, one write: one piece for the proxy to pass on
            return
        self._left -= 1
        self._totals.sent += 1
        self._transport.write(_EVENT)
        self._loop.call_later(self._totals.pause, self._tick)


async def _serve(hosts: list[str], port: int, totals: Totals) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Engine(totals), hosts, port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[4].split(","), int(sys.argv[1]), Totals(int(sys.argv[2]), float(sys.argv[3]))))
