"""HTTP/1.1 on an asyncio protocol and llhttp: requests in order, one answer each, whole or as a stream of chunks.

A handler gets an ``Exchange`` and answers now or later. Of a client that is gone, ``Exchange.on_gone`` is told once.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import http
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import httptools
import orjson

MAX_BODY: Final = 64 * 1024 * 1024
MAX_HEAD: Final = 64 * 1024
MAX_PIPELINED: Final = 16
JSON: Final = "application/json"
_RESET: Final = struct.pack("ii", 1, 0)
_LINES: Final = {each.value: f"HTTP/1.1 {each.value} {each.phrase}\r\n".encode() for each in http.HTTPStatus}
_STREAM: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n"
)
LAST_CHUNK: Final = b"0\r\n\r\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """``path`` without its query; ``headers`` by lower-case name."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def json(document: Any, status: int = 200) -> Answer:
    """``document`` as JSON."""
    return Answer(status, orjson.dumps(document))


def error(status: int, message: str, kind: str = "", code: object = None, param: str | None = None) -> Answer:
    """OpenAI's error object; ``kind`` is derived from the status unless given."""
    kinds = {400: "BadRequestError", 401: "authentication_error", 404: "NotFoundError", 405: "MethodNotAllowed"}
    kind = kind or kinds.get(status, "InternalServerError")
    return json({"error": {"message": message, "type": kind, "param": param, "code": code or status}}, status)


class Exchange:
    """One request and the way to answer it. Everything after the client has gone, or after the end, is ignored.

    Attributes:
        request: what was asked.
        on_gone: called once when the client leaves before the end.
        on_writable: called when a client that read too slowly reads again.
        writable: False while more than the transport's buffer waits.
    """

    __slots__ = ("_connection", "on_gone", "on_writable", "open", "request", "streaming")

    def __init__(self, request: Request, connection: Connection) -> None:
        self.request = request
        self._connection = connection
        self.open = True
        self.streaming = False
        self.on_gone: Callable[[], None] | None = None
        self.on_writable: Callable[[], None] | None = None

    @property
    def writable(self) -> bool:
        return self._connection.writable

    def answer(self, answer: Answer) -> None:
        """The whole answer."""
        if self.open:
            self.open = False
            self._connection.send(self._whole(answer))
            self._connection.done()

    def _whole(self, answer: Answer) -> bytes:
        fields = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        connection = "" if self._connection.keep_alive else "connection: close\r\n"
        head = f"content-type: {answer.content_type}\r\ncontent-length: {len(answer.body)}\r\n{fields}{connection}\r\n"
        body = b"" if self.request.method == "HEAD" else answer.body
        return _LINES.get(answer.status, b"HTTP/1.1 %d \r\n" % answer.status) + head.encode("latin-1") + body

    def stream(self) -> None:
        """Begin an event stream; the first ``write`` may come at once and leaves with it."""
        if self.open and not self.streaming:
            self.streaming = True
            self._connection.send(_STREAM + (b"\r\n" if self._connection.keep_alive else b"connection: close\r\n\r\n"))

    def write(self, chunks: bytes) -> None:
        """Chunks, framed already."""
        if self.open:
            self._connection.send(chunks)

    def end(self) -> None:
        """The stream is complete; its last chunk was written."""
        if self.open:
            self.open = False
            self._connection.done()

    def reset(self) -> None:
        """Break the connection in a way that cannot be taken for an end."""
        if self.open:
            self.gone()
            self._connection.reset()

    def gone(self) -> None:
        """The client has left."""
        if self.open:
            self.open = False
            told, self.on_gone = self.on_gone, None
            if told is not None:
                told()


class Connections:
    """All that are open, for the server to close."""

    def __init__(self) -> None:
        self.open: set[Connection] = set()
        self._emptied: asyncio.Event | None = None

    def discard(self, connection: Connection) -> None:
        """One is closed."""
        self.open.discard(connection)
        if not self.open and self._emptied is not None:
            self._emptied.set()

    async def close(self, seconds: float) -> None:
        """Close all: at the end of the answers under way, after ``seconds`` without it."""
        for connection in tuple(self.open):
            connection.close()
        if not await self._gone(seconds):
            for connection in tuple(self.open):
                connection.abort()
            await self._gone(seconds)

    async def _gone(self, seconds: float) -> bool:
        if not self.open:
            return True
        self._emptied = asyncio.Event()
        try:
            await asyncio.wait_for(self._emptied.wait(), seconds)
        except TimeoutError:
            return False
        return True


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, handle: Callable[[Exchange], None], connections: Connections) -> None:
        self._handle = handle
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._queue: collections.deque[tuple[Request, bool]] = collections.deque()
        self._current: Exchange | None = None
        self.writable = True
        self.keep_alive = True
        self._reset_message()

    def _reset_message(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._head = 0
        self._body: list[bytes] = []
        self._size = 0

    # The transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._queue.clear()
        if self._current is not None:
            self._current.gone()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self._current is not None and self._current.on_writable is not None:
            self._current.on_writable()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(error(400, "no protocol but HTTP/1.1 is spoken here"))
        except httptools.HttpParserError as problem:
            cause = problem.__context__
            refusal = cause.answer if isinstance(cause, _RefusedError) else error(400, f"this is no HTTP: {problem}")
            self._refuse(refusal)
        if len(self._queue) >= MAX_PIPELINED:
            self._transport.pause_reading()

    def _refuse(self, answer: Answer) -> None:
        self._queue.clear()
        self.keep_alive = False
        if self._current is None:
            Exchange(Request("GET", "/", "", {}, b""), self).answer(answer)
        else:
            self._transport.close()

    # llhttp.

    def on_message_begin(self) -> None:
        self._reset_message()

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")
        self._count(len(name) + len(value))

    def _count(self, length: int) -> None:
        self._head += length
        if self._head > MAX_HEAD:
            raise _RefusedError(error(431, f"the request's head is larger than {MAX_HEAD} bytes"))

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue" and self._current is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > MAX_BODY:
            raise _RefusedError(error(413, f"the request's body is larger than {MAX_BODY} bytes"))
        self._body.append(part)

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        method = self._parser.get_method().decode()
        request = Request(method, path, query, self._headers, b"".join(self._body))
        self._body = []
        self._queue.append((request, self._parser.should_keep_alive()))
        if self._current is None:
            self._next()

    # The exchanges.

    def _next(self) -> None:
        while self._queue and self._current is None and not self._transport.is_closing():
            request, self.keep_alive = self._queue.popleft()
            self._current = Exchange(request, self)
            self._handle(self._current)
        if len(self._queue) < MAX_PIPELINED and not self._transport.is_closing():
            self._transport.resume_reading()

    def send(self, data: bytes) -> None:
        """Bytes to the client."""
        self._transport.write(data)

    def done(self) -> None:
        """The answer under way is complete."""
        self._current = None
        if not self.keep_alive:
            self._transport.close()
        elif self._queue:
            asyncio.get_running_loop().call_soon(self._next)

    def reset(self) -> None:
        """Break the connection."""
        below = self._transport.get_extra_info("socket")
        if below is not None:
            below.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def close(self) -> None:
        """End after the answer under way, or now when there is none."""
        self.keep_alive = False
        if self._current is None:
            self._transport.close()

    def abort(self) -> None:
        """End now."""
        self._transport.abort()


class _RefusedError(Exception):
    """Raised in a callback to stop the parser."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer
