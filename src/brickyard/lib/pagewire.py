"""One kept connection to a server, over which pages are asked for one after another.

A page costs a write and a read: llhttp finds the end of the answer, and nothing but its status, its framing, its body and where it sends
us instead is looked at.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple, cast

import httptools

from brickyard.lib import errors

LARGEST: Final = 16 * 1024 * 1024
"""Bytes; a page that goes on beyond is no metrics page."""
_PLAIN: Final = frozenset({b"", b"identity"})


class Answer(NamedTuple):
    """What came: a page where ``status`` is 200. ``location``: where it sends us instead; "" for nowhere."""

    status: int
    body: bytes
    location: str = ""


class PageMissed(errors.BrickyardError):
    """No page came; the message says why."""


class PageLateError(PageMissed):
    """Nothing came in time."""


class StaleError(Exception):
    """A kept connection ended before a single byte of the answer: its other end had given it up, and a new one may do better."""


class PageConnection(asyncio.Protocol):
    """Asks for one page after another; of no use to two at once.

    Attributes:
        reusable: the last page came to its end, and another one may be asked for.
        idle_since: when that was, by the clock of whoever keeps the connection.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self.reusable = False
        self.idle_since = 0.0
        self._largest = largest
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._begin()

    async def ask(self, request: bytes) -> Answer:
        """What ``request``, a whole head, is answered with.

        Raises:
            PageMissed: the answer cannot be read, or is not a whole one.
            StaleError: the connection ended before the answer began.
        """
        if self._parser is None:
            raise StaleError
        self._begin()
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._transport.write(request)
        try:
            return await answer
        finally:
            self._answer = None

    def close(self) -> None:
        """Close at once."""
        self.reusable = False
        if self._parser is not None:
            self._transport.abort()

    def _begin(self) -> None:
        """Expect the head of an answer."""
        self.reusable = False
        self._started = False
        self._framed = False
        self._encoding = b""
        self._location = b""
        self._parts: list[bytes] = []
        self._size = 0

    def _miss(self, why: str) -> None:
        """The answer is of no use. What is left of it is not waited for."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(PageMissed(why))
        self.close()

    def _end(self, parser: httptools.HttpResponseParser, answer: asyncio.Future[Answer]) -> None:
        """The answer is there."""
        if self._encoding not in _PLAIN:
            answer.set_exception(PageMissed(f"answered in {self._encoding.decode('latin-1')!r}, unasked"))
        else:
            answer.set_result(Answer(parser.get_status_code(), b"".join(self._parts), self._location.decode("latin-1")))
        self._parts = []  # a connection that is kept must not keep its last page: ten thousand of them are half a gigabyte

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._parser is None or self._answer.done():
            self.close()  # nobody asked: whatever this is, it is no answer
            return
        self._started = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._miss(f"what came is not valid HTTP: {error}")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        parser, self._parser = self._parser, None  # and with it the cycle through its callbacks
        self.reusable = False
        answer = self._answer
        if answer is None or answer.done():
            return
        if not self._started:
            answer.set_exception(StaleError())
        elif exc is None and parser is not None and self._size and not self._framed:
            self._end(parser, answer)  # a body without a length ends with its connection
        else:
            answer.set_exception(PageMissed("the connection ended before the page did"))

    # What llhttp calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower in (b"content-length", b"transfer-encoding"):
            self._framed = True
        elif lower == b"content-encoding":
            self._encoding = value.lower()
        elif lower == b"location":
            self._location = value

    def on_body(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._largest:
            self._miss(f"is larger than {self._largest} bytes")
        elif self._answer is not None and not self._answer.done():
            self._parts.append(part)

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # bytes beyond the answer

    def on_message_complete(self) -> None:
        parser, answer = self._parser, self._answer
        if parser is None or answer is None or answer.done():
            return
        if 100 <= parser.get_status_code() < 200:  # an interim head; the answer is still to come
            self._framed = False
            return
        self._end(parser, answer)
        self.reusable = parser.should_keep_alive()
