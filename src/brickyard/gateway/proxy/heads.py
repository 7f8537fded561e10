"""Header fields: which are the gateway's own, which end at a hop, which go on; and the heads written from them.

Pure functions over bytes. llhttp has already refused what is no token, no field value or folded, so that what is written here
parses on the other side as it parsed on this one.
"""

from __future__ import annotations

import dataclasses
import http
from collections.abc import Collection, Iterable
from typing import Final

from brickyard.api import names
from brickyard.api.openai import errors as openai
from brickyard.gateway import errors

Fields = list[tuple[bytes, bytes]]

CRLF: Final = b"\r\n"
_COLON: Final = b": "

_DROP: Final = 1
_NOTE: Final = 2

_HOP = (
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"upgrade",
)


def _bytes(*texts: str) -> tuple[bytes, ...]:
    return tuple(text.encode() for text in texts)


_REQUEST: Final[dict[bytes, int]] = {
    **dict.fromkeys((*_HOP, b"trailer", b"http2-settings", names.HEADER_TARGET_POD.encode()), _DROP),
    **dict.fromkeys(
        (b"connection", b"host", b"expect", b"content-length", b"transfer-encoding", *_bytes(names.HEADER_REQUEST_ID)),
        _DROP | _NOTE,
    ),
    **dict.fromkeys(
        (
            b"origin",
            b"content-type",
            b"content-encoding",
            b"access-control-request-method",
            b"access-control-request-headers",
            *_bytes(
                names.HEADER_USER,
                names.HEADER_ROUTING_STRATEGY,
                names.HEADER_EXTERNAL_FILTER,
                names.HEADER_TRACEPARENT,
                names.HEADER_EXPLAIN,
                names.HEADER_CONFIG_PROFILE,
                names.HEADER_SESSION_ID,
                names.HEADER_SESSION_KEY,
                names.HEADER_AUTHORIZATION,
                names.HEADER_API_KEY,
                names.HEADER_PRIORITY,
            ),
        ),
        _NOTE,
    ),
}

_RESPONSE: Final[dict[bytes, int]] = {
    **dict.fromkeys(
        (
            *_HOP,
            *_bytes(
                names.HEADER_REQUEST_ID,
                names.HEADER_RESPONSE_REQUEST_ID,
                names.HEADER_TARGET_POD,
                names.HEADER_TARGET_POD_IP,
                names.HEADER_ROUTING_STRATEGY,
                names.HEADER_EXPLAIN,
            ),
        ),
        _DROP,
    ),
    b"connection": _DROP | _NOTE,
    b"transfer-encoding": _DROP | _NOTE,
    b"content-length": _NOTE,
    b"content-type": _NOTE,
}

_COMMON_OPTIONS: Final = frozenset({b"keep-alive", b"Keep-Alive", b"close"})
_KNOWN_TOKENS: Final = frozenset({b"close", b"keep-alive", b"upgrade", b"http2-settings", b"te", b""})

BODILESS: Final = frozenset({204, 304})
"""Final statuses without a body, whatever the fields say."""

STATUS_LINES: Final[dict[int, bytes]] = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus
}


def status_line(status: int) -> bytes:
    """The first line of a response."""
    return STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def tokens(value: bytes) -> frozenset[bytes]:
    """The members of a comma-separated field value, lower case."""
    return frozenset(token.strip().lower() for token in value.split(b","))


class _Actions:
    """What is done with a field, by its name as it is written; the first so many spellings are remembered.

    ``spelled``: name as written → its lower case, and what to do.
    """

    def __init__(self, actions: dict[bytes, int]) -> None:
        self._actions = actions
        self.spelled: dict[bytes, tuple[bytes, int]] = {}

    def learn(self, name: bytes) -> tuple[bytes, int]:
        lower = name.lower()
        known = (lower, self._actions.get(lower, 0))
        if len(self.spelled) < _SPELLINGS and len(name) <= _LONGEST_NAME:
            self.spelled[name] = known
        return known


_SPELLINGS: Final = 1024
_LONGEST_NAME: Final = 64
_OF_REQUESTS: Final = _Actions(_REQUEST)
_OF_RESPONSES: Final = _Actions(_RESPONSE)


def _sort(fields: Fields, actions: _Actions) -> tuple[list[bytes], dict[bytes, bytes]]:
    lines: list[bytes] = []
    notes: dict[bytes, bytes] = {}
    spelled = actions.spelled
    for name, value in fields:
        lower, action = spelled.get(name) or actions.learn(name)
        if not action:
            lines += (name, _COLON, value, CRLF)
            continue
        if action & _NOTE:
            notes[lower] = value if lower not in notes else notes[lower] + b", " + value
        if not action & _DROP:
            lines += (name, _COLON, value, CRLF)
    options = notes.get(b"connection")
    if options is not None and options not in _COMMON_OPTIONS and (nominated := tokens(options) - _KNOWN_TOKENS):
        lines = without(lines, nominated)
    return lines, notes


def without(lines: list[bytes], dropped: Collection[bytes]) -> list[bytes]:
    """Flat lines without the fields of these names, lower case."""
    kept: list[bytes] = []
    for start in range(0, len(lines), 4):
        if lines[start].lower() not in dropped:
            kept += lines[start : start + 4]
    return kept


def _bad_request(message: str) -> errors.RefusedError:
    return errors.RefusedError(openai.ApiError(400, message), close=True)


def sort_request(fields: Fields, version: str) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Fields to pass on, flat, and fields the gateway reads itself.

    Raises:
        RefusedError: the head leaves open where the request ends or whom it is for.
    """
    lines, notes = _sort(fields, _OF_REQUESTS)
    if version == "1.1":
        if b"host" not in notes:
            raise _bad_request("the request has no Host header, which HTTP/1.1 requires")
    elif version != "1.0":
        raise errors.RefusedError(openai.ApiError(505, f"HTTP/{version} is not served: use HTTP/1.1"), close=True)
    if b"," in notes.get(b"host", b""):
        raise _bad_request("the request has more than one Host header")
    if b"transfer-encoding" in notes:
        _check_coding(notes, version)
    return lines, notes


def _check_coding(notes: dict[bytes, bytes], version: str) -> None:
    if version == "1.0":
        raise _bad_request("Transfer-Encoding does not exist in HTTP/1.0: send Content-Length")
    if b"content-length" in notes:
        raise _bad_request("the request has both Content-Length and Transfer-Encoding: send one of them")
    if notes[b"transfer-encoding"].lower() != b"chunked":
        raise errors.RefusedError(
            openai.ApiError(
                501, "the only Transfer-Encoding served is chunked; compress with Content-Encoding or not at all"
            ),
            close=True,
        )


def origin_form(target: bytes) -> bytes:
    """The target without scheme and authority: ``http://host/a?b`` is ``/a?b``."""
    if target[:1] == b"/" or b"://" not in target:
        return target
    _, _, rest = target.partition(b"://")
    start = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    path = rest[start:]
    return path if path[:1] == b"/" else b"/" + path


def request_head(target: bytes, lines: Iterable[bytes], own: bytes, length: int) -> bytes:
    """The head of a POST to an endpoint; ``own`` are complete lines of the gateway's."""
    return b"".join((b"POST ", target, b" HTTP/1.1\r\n", *lines, own, b"content-length: %d\r\n\r\n" % length))


@dataclasses.dataclass(slots=True)
class ResponseHead:
    """An endpoint's response head.

    Attributes:
        status: 200..599.
        lines: header fields to pass on, flat, without Transfer-Encoding.
        length: Content-Length; -1 when there is none.
        chunked: the body is chunked.
        events: the body is a stream of server-sent events.
        bodiless: the status has no body, whatever the fields say.
    """

    status: int
    lines: list[bytes]
    length: int
    chunked: bool
    events: bool
    bodiless: bool

    @property
    def until_close(self) -> bool:
        """The end of the connection is the end of the body."""
        return not (self.chunked or self.bodiless or self.length >= 0)


def sort_response(status: int, fields: Fields) -> ResponseHead:
    """What an endpoint's head says.

    Raises:
        MalformedResponseError: it cannot be passed on.
    """
    if status < 200 or status > 599:
        raise errors.MalformedResponseError(f"the endpoint answered with status {status}")
    lines, notes = _sort(fields, _OF_RESPONSES)
    coding = notes.get(b"transfer-encoding")
    if coding is not None and coding.lower() != b"chunked":
        raise errors.MalformedResponseError(
            f"the endpoint's Transfer-Encoding is {coding.decode('latin-1')}, not chunked"
        )
    if status == 204:
        lines = without(lines, (b"content-length",))
    return ResponseHead(
        status,
        lines,
        int(notes.get(b"content-length", -1)),
        coding is not None,
        notes.get(b"content-type", b"").lower().startswith(b"text/event-stream"),
        status in BODILESS,
    )


def response_head(head: ResponseHead, own: bytes, *, chunked: bool, close: bool) -> bytes:
    """The head for the client: the endpoint's fields, then ``own`` (complete lines), then the framing."""
    framing = b"transfer-encoding: chunked\r\n" if chunked else b""
    end = b"connection: close\r\n\r\n" if close else CRLF
    return b"".join((status_line(head.status), *head.lines, own, framing, end))


def drop_cors(head: ResponseHead) -> None:
    """Take the endpoint's own cross-origin fields out, where the gateway answers for it."""
    kept: list[bytes] = []
    for start in range(0, len(head.lines), 4):
        if not head.lines[start].lower().startswith(b"access-control-"):
            kept += head.lines[start : start + 4]
    head.lines = kept


def field_text(text: str) -> bytes:
    """``text`` as a field value: printable ASCII, anything else replaced, at most 1000 characters."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:1000]).encode()
