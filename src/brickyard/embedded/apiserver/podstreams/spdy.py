"""SPDY/3.1 frames, as much of it as kubectl speaks inside the WebSocket of a port-forward. Pure.

    control   1 | version (15) | type (16)  flags (8) | length (24)  payload
    data      0 | stream id (31)            flags (8) | length (24)  payload

Header blocks are compressed with zlib, one stream for the whole connection, primed with the protocol's dictionary. Flow control is left
out: the library on the other side neither keeps nor heeds windows, so back-pressure is that of the connection.
"""

from __future__ import annotations

import dataclasses
import enum
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

VERSION: Final = 3
MAX_FRAME: Final = 1024 * 1024
"""Bytes of one frame's payload; the other side writes 32 KiB at most."""
MAX_HEADERS: Final = 16 * 1024
"""Bytes of one header block, decompressed."""

REFUSED, CANCELLED = 3, 5
"""Why a stream is reset."""


class _Kind(enum.IntEnum):
    """Types of control frames that mean something here."""

    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    PING = 6
    GO_AWAY = 7


_FIN = 0x01
_HEAD = struct.Struct(">II")
_CONTROL = 0x80000000

# The words that the protocol fixes (SPDY/3, section 2.6.10.1): each with its length before it, then a tail without.
_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length content-location "
    "content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match "
    "if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range "
    "referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get "
    "status"
)
_PAIRS = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,public"
    "privatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY: Final = b"".join(
    struct.pack(">I", len(word)) + word.encode("ascii") for word in (*_WORDS.split(), *_PAIRS)
) + _TAIL.encode("ascii")


Headers = Mapping[str, str]
"""Names are in lower case."""


class SpdyError(Exception):
    """The client sent what is no SPDY/3.1; the connection cannot go on."""


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """A new stream."""

    stream: int
    headers: Headers
    fin: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """Data of a stream; with ``fin`` the last."""

    stream: int
    data: bytes
    fin: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Reset:
    """A stream is given up by the client."""

    stream: int


@dataclasses.dataclass(frozen=True, slots=True)
class Ping:
    """To be sent back as it is."""

    number: int


@dataclasses.dataclass(frozen=True, slots=True)
class GoAway:
    """The client opens no more streams."""


Event = Opened | Received | Reset | Ping | GoAway


class Decoder:
    """Bytes in, in whatever pieces; events out."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Event]:
        """What ``data`` completes.

        Raises:
            SpdyError: it is no SPDY/3.1.
        """
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            word, rest = _HEAD.unpack_from(self._buffer)
            flags, length = rest >> 24, rest & 0xFFFFFF
            if length > MAX_FRAME:
                raise SpdyError(f"a frame of {length} bytes is over the limit of {MAX_FRAME}")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            event = self._control(word, flags, payload) if word & _CONTROL else _received(word, flags, payload)
            if event is not None:
                yield event

    def _control(self, word: int, flags: int, payload: bytes) -> Event | None:
        if (word >> 16) & 0x7FFF != VERSION:
            raise SpdyError(f"version {(word >> 16) & 0x7FFF} is not spoken here")
        try:
            match word & 0xFFFF:
                case _Kind.SYN_STREAM:
                    stream = _stream(payload)
                    return Opened(stream, self._headers(payload[10:]), bool(flags & _FIN))
                case _Kind.RST_STREAM:
                    return Reset(_stream(payload))
                case _Kind.PING:
                    return Ping(struct.unpack_from(">I", payload)[0])
                case _Kind.GO_AWAY:
                    return GoAway()
        except struct.error:
            raise SpdyError("a frame is shorter than its type needs") from None
        # Settings, window updates and further headers change nothing here.
        return None

    def _headers(self, block: bytes) -> Headers:
        try:
            plain = self._inflate.decompress(block, MAX_HEADERS)
        except zlib.error as error:
            raise SpdyError(f"a header block cannot be decompressed: {error}") from None
        if self._inflate.unconsumed_tail:
            raise SpdyError(f"a header block is over the limit of {MAX_HEADERS} bytes")
        return dict(_pairs(plain))


def _received(word: int, flags: int, payload: bytes) -> Received:
    if not word:
        raise SpdyError("data of stream 0, which there is not")
    return Received(word, payload, bool(flags & _FIN))


def _stream(payload: bytes) -> int:
    number: int = struct.unpack_from(">I", payload)[0] & 0x7FFFFFFF
    if not number:
        raise SpdyError("stream 0, which there is not")
    return number


def _pairs(plain: bytes) -> Iterator[tuple[str, str]]:
    (count,), at = struct.unpack_from(">I", plain), 4
    for _ in range(count):
        name, at = _text(plain, at)
        value, at = _text(plain, at)
        yield name.lower(), value


def _text(plain: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">I", plain, at)
    end = at + 4 + length
    if end > len(plain):
        raise SpdyError("a header block ends within a word")
    return plain[at + 4 : end].decode("latin-1"), end


class Encoder:
    """Frames of the server's side."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def reply(self, stream: int) -> bytes:
        """A stream is accepted. Replies must be sent in the order in which they are made: they share a compressor."""
        block = self._deflate.compress(struct.pack(">I", 0)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _frame(_Kind.SYN_REPLY, struct.pack(">I", stream) + block)


def data(stream: int, payload: bytes, *, fin: bool = False) -> bytes:
    """Data of a stream."""
    return _HEAD.pack(stream, (_FIN if fin else 0) << 24 | len(payload)) + payload


def reset(stream: int, why: int) -> bytes:
    """A stream is given up."""
    return _frame(_Kind.RST_STREAM, struct.pack(">II", stream, why))


def ping(number: int) -> bytes:
    """The answer to a ping."""
    return _frame(_Kind.PING, struct.pack(">I", number))


def _frame(kind: int, payload: bytes) -> bytes:
    return _HEAD.pack(_CONTROL | VERSION << 16 | kind, len(payload)) + payload
