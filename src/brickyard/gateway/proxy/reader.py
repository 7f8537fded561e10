"""Bytes of a client connection to requests.

llhttp, in its strict mode, decides what is HTTP; this module adds the limits (head, body, memory), the rules llhttp leaves to
its user (Host, versions, codings, who may upgrade) and the order: every request or refusal comes out once, in the order in which
the bytes came in. It holds no transport and knows no clock.
"""

from __future__ import annotations

import collections
import enum
from collections.abc import Callable
from typing import Final

import httptools

from brickyard.api.openai import errors as openai
from brickyard.gateway import errors, settings
from brickyard.gateway.proxy import budget, heads, incoming, router

_NO_ROUTE: Final = b"/"
_UPGRADE: Final = b"upgrade"


class Stage(enum.IntEnum):
    """Where in a message the stream stands."""

    IDLE = 0
    HEAD = 1
    BODY = 2


class _HaltError(Exception):
    """Raised in a callback to stop the parser; the refusal is already in the queue."""


class RequestReader:
    """One connection's incoming side.

    ``find`` resolves a route from method and path and raises ``RefusedError``. Finished requests are appended to ``queue``.

    Attributes:
        stage: where the stream stands.
        done: nothing more is read: the client said ``Connection: close``, or what follows cannot be told apart.
        continue_due: the client waits for ``100 Continue`` before it sends the body.
        broken: the last item of the queue is a refusal after which the connection must be closed.
    """

    __deletable__ = ("_parser",)

    def __init__(
        self,
        limits: settings.GatewaySettings,
        held: budget.Budget,
        find: Callable[[bytes, bytes], router.Route],
        queue: collections.deque[incoming.Incoming],
    ) -> None:
        self._limits = limits
        self._budget = held
        self._find = find
        self._queue = queue
        self.stage = Stage.IDLE
        self.done = False
        self.broken = False
        self.continue_due = False
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._fields: heads.Fields = []
        self._current: incoming.Incoming | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._declared = -1
        self._head_bytes = 0
        self._barren_bytes = 0
        self._replay = b""

    @property
    def body_left(self) -> int:
        """Bytes of the current body still to come, 0 when unknown or none."""
        return max(0, self._declared - self._size) if self.stage is Stage.BODY else 0

    def feed(self, data: bytes | memoryview) -> None:
        """Take in what arrived. Never raises: what is wrong with the bytes becomes a refusal in the queue."""
        if self.done:
            return
        size = self._size
        if self.stage is not Stage.BODY:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
            if self.stage is not Stage.IDLE:
                self._check_growth(len(data), grew=self._size != size)
        except httptools.HttpParserUpgrade as upgrade:
            self._resume(bytes(data)[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            if not self.done:
                self._refuse(openai.ApiError(400, f"the request is not valid HTTP/1.1: {error}"))

    def _check_growth(self, length: int, *, grew: bool) -> None:
        """Bound what the parser itself keeps: an unfinished head, an endless trailer or chunk extension."""
        if self.stage is Stage.HEAD:
            if self._head_bytes > self._limits.max_head_bytes:
                self._refuse(self._head_too_large())
        elif grew:
            self._barren_bytes = 0
        else:
            self._barren_bytes += length
            if self._barren_bytes > 2 * self._limits.max_head_bytes:
                self._refuse(openai.ApiError(400, "the request body's chunked framing carries too few bytes of body"))

    def close(self) -> None:
        """Give back what is held; the reader takes nothing more."""
        self.done = True
        self._discard()
        for request in self._queue:
            self._budget.give(len(request.body))
        self._queue.clear()
        del self._parser  # breaks the cycle through the callbacks

    # What llhttp calls.

    def on_message_begin(self) -> None:
        self.stage = Stage.HEAD
        self._fields = []
        self._target = b""

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self._parser.should_upgrade():
            self._prepare_resume(self._parser.get_method())
            return
        try:
            self._current = self._head()
        except errors.RefusedError as refused:
            self._halt(refused)
        self.stage = Stage.BODY

    def on_body(self, part: bytes) -> None:
        current = self._current
        if current is None:
            return
        self._size += len(part)
        if self._size > self._limits.max_body_bytes:
            self._halt(self._body_too_large())
        if current.refusal is not None:
            return
        if not self._budget.take(len(part)):
            self._halt(
                errors.RefusedError(
                    openai.ApiError(503, "the gateway holds as many request bodies as it may: try again shortly"),
                    (("retry-after", "1"),),
                    close=True,
                )
            )
        self._parts.append(part)

    def on_message_complete(self) -> None:
        current = self._current
        if current is None:
            return
        self._current = None
        self.continue_due = False
        parts = self._parts
        if parts:
            current.body = parts[0] if len(parts) == 1 else b"".join(parts)
            current.size = self._size
            self._parts = []
        self._fields = []
        self._size = self._head_bytes = self._barren_bytes = 0
        self.stage = Stage.IDLE
        self.done = not current.keep_alive
        self._queue.append(current)

    # Heads.

    def _head(self) -> incoming.Incoming:
        if self._head_bytes > self._limits.max_head_bytes and self._exact_head_bytes() > self._limits.max_head_bytes:
            raise errors.RefusedError(self._head_too_large(), close=True)
        parser = self._parser
        version = parser.get_http_version()
        lines, notes = heads.sort_request(self._fields, version)
        target = self._target if self._target.startswith(b"/") else heads.origin_form(self._target)
        request = incoming.Incoming(
            parser.get_method(),
            target,
            target if b"?" not in target else target.partition(b"?")[0],
            version == "1.0",
            version == "1.1" and parser.should_keep_alive(),
            lines,
            notes,
        )
        self._declared = int(notes.get(b"content-length", -1))
        self._admit(request)
        return request

    def _admit(self, request: incoming.Incoming) -> None:
        """Find who answers; a refusal that leaves the framing intact waits for the end of the request."""
        if self._declared > self._limits.max_body_bytes:
            raise self._body_too_large()
        try:
            if b"content-encoding" in request.notes:
                _check_encoding(request.notes)
            request.route = self._find(request.method, request.path)
        except errors.RefusedError as refused:
            request.refusal = refused
        if b"expect" in request.notes:
            self._expect(request)

    def _expect(self, request: incoming.Incoming) -> None:
        if request.notes[b"expect"].lower() != b"100-continue":
            raise errors.RefusedError(openai.ApiError(417, "the only expectation met is 100-continue"), close=True)
        if request.refusal is not None:
            # Whether the client sends its body after a final answer is its own choice: where the next request starts is unknown.
            raise errors.RefusedError(request.refusal.error, request.refusal.headers, close=True)
        self.continue_due = not request.http10 and (self._declared > 0 or b"transfer-encoding" in request.notes)

    def _exact_head_bytes(self) -> int:
        return len(self._target) + sum(len(name) + len(value) + 4 for name, value in self._fields) + 16

    # Upgrades: offers (h2c from Java and curl) are declined by answering in HTTP/1.1, as the standard allows.

    def _prepare_resume(self, method: bytes) -> None:
        """llhttp hands the connection over at an upgrade, body and all. Write the head anew without the offer."""
        if method == b"CONNECT":
            self._halt(
                errors.RefusedError(
                    openai.ApiError(405, "CONNECT is not served: the gateway is no forward proxy"), close=True
                )
            )
        kept = [b"%b: %b\r\n" % field for field in self._fields if field[0].lower() != _UPGRADE]
        version = self._parser.get_http_version().encode()
        self._replay = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self._target, version, b"".join(kept))

    def _resume(self, rest: bytes) -> None:
        head, self._replay = self._replay, b""
        self._parser = httptools.HttpRequestParser(self)
        self.feed(head)
        if rest:
            self.feed(rest)

    # Refusals after which nothing on this connection can be trusted.

    def _halt(self, refused: errors.RefusedError) -> None:
        self._refuse(refused.error, refused.headers)
        raise _HaltError

    def _refuse(self, error: openai.ApiError, headers: tuple[tuple[str, str], ...] = ()) -> None:
        known = self._current
        self._discard()
        path = known.path if known else _NO_ROUTE
        request = incoming.Incoming(b"GET", path, path, False, False, b"", known.notes if known else {})
        request.refusal = errors.RefusedError(error, headers, close=True)
        self._queue.append(request)
        self.done = self.broken = True
        self.stage = Stage.IDLE

    def time_out(self) -> None:
        """Refuse the request that did not arrive in time."""
        what = "head" if self.stage is Stage.HEAD else "body"
        self._refuse(openai.ApiError(408, f"the request's {what} did not arrive in time"))

    def _discard(self) -> None:
        self._budget.give(sum(map(len, self._parts)))
        self._parts = []
        self._current = None
        self.continue_due = False

    def _head_too_large(self) -> openai.ApiError:
        return openai.ApiError(
            431, f"the request head is larger than {self._limits.max_head_bytes} bytes: send fewer headers"
        )

    def _body_too_large(self) -> errors.RefusedError:
        limit = self._limits.max_body_bytes
        return errors.RefusedError(
            openai.ApiError(413, f"the request body is larger than {limit} bytes, the gateway's max_body_bytes"),
            close=True,
        )


def _check_encoding(notes: dict[bytes, bytes]) -> None:
    if notes.get(b"content-encoding", b"identity").lower() != b"identity":
        raise errors.RefusedError(openai.ApiError(415, "compressed request bodies are not read: send plain JSON"))
