"""Bytes of an endpoint's connection to a response: its head parsed, its body let through.

llhttp reads the body too, but only to know where it ends: framing is checked at C speed and nothing is allocated for it.
Bytes beyond the end are never let through: the client would read them as the start of its next response.

A stream in which we asked for what the client did not ask for is taken out of its framing, stripped, and framed again.
"""

from __future__ import annotations

from typing import Final

import httptools

from brickyard.gateway import errors
from brickyard.gateway.proxy import heads
from brickyard.gateway.usage import strip
from brickyard.gateway.usage import tail as tails

MAX_HEAD: Final = 64 * 1024
_BLANK: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"


class _ExcessError(Exception):
    """A message begins where none was asked for."""


class _Plain:
    """Callbacks of a reader that takes chunked framing off: the reader's own and one that keeps the data."""

    def __init__(self, reader: ResponseReader, parts: list[bytes]) -> None:
        self.on_message_begin = reader.on_message_begin
        self.on_header = reader.on_header
        self.on_headers_complete = reader.on_headers_complete
        self.on_message_complete = reader.on_message_complete
        self.on_body = parts.append


class ResponseReader:
    """The responses of one connection, one after another; ``reset`` stands between two of them.

    Attributes:
        head: the current response's head once it is complete.
        complete: the response has ended.
        reusable: after the end: another request may be sent on this connection.
        body_bytes: bytes of the body so far, as on the wire.
        tail: the body's end, where somebody wants to read it; with its framing unless ``unframed``.
    """

    __deletable__ = ("_parser",)
    __slots__ = (
        "_buffer",
        "_fields",
        "_head_done",
        "_interim",
        "_parser",
        "_parts",
        "_reframe",
        "_stripper",
        "body_bytes",
        "complete",
        "head",
        "reusable",
        "tail",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] | None = None
        self.reset()

    def reset(self, *, plain: bool = False, strip_usage: bool = False, tail: tails.Tail | None = None) -> None:
        """Expect a response. ``plain``: take chunked framing off its body. ``strip_usage``: take out the event that tells usage."""
        self._buffer = b""
        self._fields: heads.Fields = []
        self._head_done = False
        self._interim = 0
        self.head: heads.ResponseHead | None = None
        self.complete = False
        self.reusable = False
        self.body_bytes = 0
        self.tail = tail
        self._reframe = False
        self._stripper = strip.Stripper() if strip_usage else None
        if plain or strip_usage:
            self._reframe = not plain
            self._parts = []
            self._parser = httptools.HttpResponseParser(_Plain(self, self._parts))
        elif self._parts is not None:
            # The parser of the response before would go on keeping bodies that nobody takes.
            self._parts = None
            self._parser = httptools.HttpResponseParser(self)

    def close(self) -> None:
        """Drop the parser, and with it the cycle through its callbacks."""
        del self._parser

    def feed(self, data: bytes) -> bytes:
        """What of ``data`` goes on to the client: body, as it came. Empty while the head is incomplete.

        Raises:
            MalformedResponseError: this is no HTTP, or none that may be passed on.
        """
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._only_excess():
                raise errors.MalformedResponseError(f"the endpoint's response is not valid HTTP: {error}") from error
        if self.head is None:
            if not self._head_done:
                self._keep(data)
                return b""
            data = self._behind_head(self._buffer + data)
        self.body_bytes += len(data)
        if self._parts is not None:
            return self._unframed(self._parts)
        if self.complete:
            data = self._within(data)
        if self.tail is not None:
            self.tail.feed(data)
        return data

    @property
    def unframed(self) -> bool:
        """The body passes without the framing it came in."""
        return self._parts is not None

    def rest(self) -> bytes:
        """What is left of a body that ends with its connection."""
        return self._stripper.finish() if self._stripper is not None and self.ends_here() else b""

    def ends_here(self) -> bool:
        """Whether the end of the connection is the end of the response."""
        return self.head is not None and self.head.until_close

    def at_boundary(self) -> bool:
        """Whether a chunk could stand next in the chunked body. Asks the parser, which is of no use afterwards."""
        if self._reframe:
            return True
        try:
            self._parser.feed_data(_LAST_CHUNK)
        except httptools.HttpParserError:
            return False
        return self.complete

    # What llhttp calls.

    def on_message_begin(self) -> None:
        if self.complete:
            raise _ExcessError

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_done:  # else it is a trailer, which travels with the body
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        self._head_done = True
        self.reusable = self._parser.should_keep_alive()

    def on_message_complete(self) -> None:
        if 100 <= self._parser.get_status_code() < 200:
            self._interim += 1
            self._head_done = False
            self._fields = []
        else:
            self.complete = True

    # Heads.

    def _keep(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > MAX_HEAD:
            raise errors.MalformedResponseError(f"the endpoint's response head is larger than {MAX_HEAD} bytes")

    def _behind_head(self, buffer: bytes) -> bytes:
        """The start of the body; sets ``head``. Interim heads (1xx) stand before the final one and are dropped."""
        start = 0
        for _ in range(self._interim + 1):
            if not buffer.startswith(b"HTTP/", start):
                raise errors.MalformedResponseError("the endpoint's response does not begin with HTTP/")
            start = buffer.index(_BLANK, start) + 4
        if start > MAX_HEAD:
            raise errors.MalformedResponseError(f"the endpoint's response head is larger than {MAX_HEAD} bytes")
        self._buffer = b""
        self.head = heads.sort_response(self._parser.get_status_code(), self._fields)
        return buffer[start:]

    def _unframed(self, parts: list[bytes]) -> bytes:
        """A piece of the body whose framing is off: stripped where that was asked, and framed again where the client is told so."""
        data = b"".join(parts)
        parts.clear()
        if self.tail is not None:
            self.tail.feed(data)
        head = self.head
        if head is None:
            return data
        if self._stripper is not None and head.events and head.length < 0:
            data = self._stripper.feed(data)
            if self.complete:
                data += self._stripper.finish()
        if not self._reframe or not head.chunked:
            return data
        framed = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        return framed + _LAST_CHUNK if self.complete else framed

    # Ends.

    def _only_excess(self) -> bool:
        """The parser stumbled behind a response whose end is known to the byte: the response itself is sound."""
        self.reusable = False
        return self.complete and (self._parts is not None or self._known_length())

    def _known_length(self) -> bool:
        if self.head is not None:
            return self.head.length >= 0 or self.head.bodiless
        if self._parser.get_status_code() in heads.BODILESS:
            return True
        return any(name.lower() == b"content-length" for name, _ in self._fields)

    def _within(self, data: bytes) -> bytes:
        """``data`` up to the end of the response."""
        head = self.head
        if head is None or head.chunked:
            return data
        excess = self.body_bytes - (0 if head.bodiless else head.length)
        if excess <= 0:
            return data
        self.reusable = False
        return data[:-excess]
