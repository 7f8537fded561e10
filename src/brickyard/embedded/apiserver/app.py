"""The HTTP shell (ASGI): reads a request, asks who is calling, finds who answers, writes the answer.

Health pages are open; everything else wants the token. Discovery and OpenAPI answer by path; what is left is a resource for ``rest``.
Every refusal is a ``Status`` object. A client that does not read what it is sent loses its connection (see ``connections``).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final

import orjson

from brickyard.embedded.apiserver import answers, auth, discovery, documents, errors, media, openapi, requests, rest
from brickyard.embedded.apiserver.context import Context
from brickyard.embedded.apiserver.podstreams import channels, sockets
from brickyard.embedded.apiserver.podstreams import server as podstreams
from brickyard.lib import logs

log = logs.get(__name__)

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_BODY_DEADLINE = 60.0
_DISCARDED = 16
"""How many times the largest body is read and thrown away, for the sake of an answer that arrives."""
_PARTLY_READ = frozenset({408, 413})
"""Refusals after which the rest of the request may still be under way: the connection ends with them."""
_HEALTH = ("/healthz", "/livez", "/readyz")
_MORE_HEADERS: Final[Mapping[int, tuple[str, str]]] = {
    401: ("www-authenticate", "Bearer"),
    429: ("retry-after", "1"),
    504: ("retry-after", "1"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class _Head:
    """What is known of a request before its body."""

    method: str
    path: str
    query: requests.Query
    headers: Mapping[str, str]

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


class App:
    """The ASGI application over a context."""

    def __init__(self, context: Context, token: str, max_body: int, streams: podstreams.Streams) -> None:
        self._streams = streams
        self._context = context
        self._token = token
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, sockets.Talk(receive, send))
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _websocket(self, scope: Scope, talk: sockets.Talk) -> None:
        """Serve a stream into a pod; refusals are plain answers, as long as the client has not got its WebSocket."""
        try:
            head = self._let_in({**scope, "method": "GET"})
            target = requests.target(head.path)
            if target is None:
                raise errors.no_such_path()
            request = rest.Request("GET", target, head.query, head.header("accept"), "", b"")
            accepted = await rest.open_stream(self._context, request, scope["subprotocols"] or [channels.UNNAMED])
            await self._streams.serve(accepted, scope, talk)
        except errors.ApiError as error:
            await _refuse_websocket(talk.send, _refusal(error))
        except errors.StorageError as error:
            await _refuse_websocket(talk.send, _refusal(_of_storage(error)))

    def _let_in(self, scope: Scope) -> _Head:
        """The head of a request that may be made. Raises ``ApiError`` for one that may not."""
        head = _read_head(scope)
        auth.check(head.path, head.header("authorization"), self._token)
        auth.refuse_disguise(head.headers)
        return head

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self._reply(self._let_in(scope), receive)
        except errors.ApiError as error:
            reply = _refusal(error)
        except errors.StorageError as error:
            reply = _refusal(_of_storage(error))
        except _ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the border of a request: the client gets a Status, the log the rest
            reply = _fault(scope, error)
        if isinstance(reply, answers.Answer):
            await _send_answer(send, reply, closing=reply.code in _PARTLY_READ)
        else:
            await _send_stream(send, receive, reply)

    async def _reply(self, head: _Head, receive: Receive) -> rest.Reply:
        document = self._document(head)
        if document is not None:
            return document
        target = requests.target(head.path)
        if target is None:
            raise errors.no_such_path()
        request = rest.Request(
            method=head.method,
            target=target,
            query=head.query,
            accept=head.header("accept"),
            content_type=head.header("content-type"),
            body=await self._body(head, receive),
            agent=head.header("user-agent"),
        )
        wanted = media.accepted(request.accept)
        reply = await rest.answer(self._context, request)
        if wanted.yaml and isinstance(reply, answers.Answer):
            return dataclasses.replace(reply, body=media.to_yaml(reply.body), content_type="application/yaml")
        return reply

    def _document(self, head: _Head) -> answers.Answer | None:
        """Health, discovery and OpenAPI: pages that only know GET."""
        if head.path.startswith(_HEALTH):
            return answers.Answer(b"ok", content_type="text/plain; charset=utf-8")
        accept, catalog = head.header("accept"), self._context.catalog
        found = discovery.respond(head.path, accept, catalog) or openapi.respond(head.path, accept, catalog)
        if found is None:
            return _index() if head.path == "/" else None
        if head.method not in ("GET", "HEAD"):
            raise errors.MethodNotAllowedError("the server does not allow this method on the requested resource")
        return _of_document(found, head.header("if-none-match"))

    async def _body(self, head: _Head, receive: Receive) -> bytes:
        announced = head.header("content-length")
        pieces: list[bytes] = []
        size, room = 0, self._max_body
        if announced.isdigit() and int(announced) > room:
            room = 0
        async with _deadline(_BODY_DEADLINE):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _ClientGoneError
                piece = message.get("body", b"")
                size += len(piece)
                if size <= room:
                    pieces.append(piece)
                elif size > _DISCARDED * self._max_body:
                    raise self._too_large()
                if not message.get("more_body", False):
                    break
        if size > room:
            # Only now: a client that is still sending would lose the answer with the connection.
            raise self._too_large()
        return b"".join(pieces)

    def _too_large(self) -> errors.TooLargeError:
        return errors.TooLargeError(f"Request entity too large: limit is {self._max_body}")


class _ClientGoneError(Exception):
    """The client left while it was still sending."""


@contextlib.asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise errors.SlowRequestError(f"the request did not arrive within {seconds:.0f} seconds") from None


def _read_head(scope: Scope) -> _Head:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        query = requests.Query(scope["query_string"].decode("latin-1"))
    except ValueError as error:
        raise errors.BadRequestError(f"the query cannot be read: {error}") from error
    return _Head(scope["method"], scope["path"], query, headers)


def _refusal(error: errors.ApiError) -> answers.Answer:
    more = _MORE_HEADERS.get(error.code)
    seconds = (error.about or {}).get("retryAfterSeconds")
    if seconds:
        more = ("retry-after", str(seconds))
    return answers.Answer(orjson.dumps(error.status()), error.code, headers=[more] if more else [])


def _of_storage(error: errors.StorageError) -> errors.InternalError:
    hint = f" ({error.hint})" if error.hint else ""
    return errors.InternalError(f"Internal error occurred: {error}{hint}")


def _fault(scope: Scope, error: Exception) -> answers.Answer:
    log.error("request failed", exc=error, method=scope["method"], path=scope["path"])
    return _refusal(errors.InternalError("Internal error occurred: the server's log says more"))


def _of_document(document: documents.Response, if_none_match: str) -> answers.Answer:
    headers = [("vary", "Accept")]
    if document.etag:
        headers.append(("etag", document.etag))
    if if_none_match and document.fresh_for(if_none_match):
        return answers.Answer(b"", 304, document.content_type, headers)
    return answers.Answer(document.body, document.status, document.content_type, headers)


def _index() -> answers.Answer:
    paths = ["/api", "/api/v1", "/apis", *_HEALTH, "/openapi/v2", "/openapi/v3", "/version"]
    return answers.of_json({"paths": paths})


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]


async def _send_answer(send: Send, answer: answers.Answer, *, closing: bool) -> None:
    headers = [("content-type", answer.content_type), *answer.headers]
    if answer.code != 304:
        headers.append(("content-length", str(len(answer.body))))
    if closing:
        headers.append(("connection", "close"))
    await send({"type": "http.response.start", "status": answer.code, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": answer.body})


async def _refuse_websocket(send: Send, answer: answers.Answer) -> None:
    headers = [("content-type", answer.content_type), ("content-length", str(len(answer.body))), *answer.headers]
    await send({"type": "websocket.http.response.start", "status": answer.code, "headers": _encoded(headers)})
    await send({"type": "websocket.http.response.body", "body": answer.body})


async def _send_stream(send: Send, receive: Receive, stream: answers.Stream) -> None:
    """Pump the stream until it ends, the client goes away or stops reading."""
    sending = asyncio.create_task(_pump(send, stream))
    leaving = asyncio.create_task(_left(receive))
    try:
        await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        results = await asyncio.gather(sending, leaving, return_exceptions=True)
    if isinstance(results[0], Exception):
        # The head is out: all that is left is to break off, so that nobody takes a part for the whole.
        log.warning("stream broken off", error=results[0])


async def _pump(send: Send, stream: answers.Stream) -> None:
    async with contextlib.aclosing(_closable(stream.chunks)) as chunks:
        more = [("content-type", stream.content_type), ("cache-control", "no-cache, private"), *stream.headers]
        headers = _encoded(more)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for chunk in chunks:
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _closable(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """``chunks`` as a generator, closed with it."""
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
