"""Header fields: which are the gateway's own, which end at a hop, which go on; and the heads written from them.

Pure functions over bytes. llhttp has already refused what is no token, no field value or folded, so that what is written here
parses on the other side as it parsed on this one.
"""

from __future__ import annotations

import dataclasses
import http
import operator
from collections.abc import Collection
from typing import Final

from brickyard.api import names
from brickyard.api.openai import errors as openai
from brickyard.gateway import errors

Fields = list[tuple[bytes, bytes]]

CRLF: Final = b"\r\n"

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


class _Plan:
    """What is done with the fields of a head, worked out from their names as they are written and in their order.

    Clients and engines send the same few lists of names again and again: what to do with each field is then known beforehand, and a
    head is sorted in a few steps, however many fields it has.

    Attributes:
        usual: whether the plan says it all. Else the head is sorted field by field.
    """

    __slots__ = ("_block", "_kept", "_noted", "_notes", "usual")

    def __init__(self, names_written: tuple[bytes, ...], actions: dict[bytes, int]) -> None:
        kept, noted, block = list[int](), list[int](), b""
        lower = [name.lower() for name in names_written]
        for at, name in enumerate(lower):
            action = actions.get(name, 0)
            if action & _NOTE:
                noted.append(at)
            if not action & _DROP:
                kept.append(at)
                block += names_written[at].replace(b"%", b"%%") + b": %b\r\n"
        self._block = block
        self._notes = tuple(lower[at] for at in noted)
        self.usual = len(set(self._notes)) == len(noted)
        self._kept = operator.itemgetter(*kept) if kept else None
        # Of one place, what is picked would be no tuple.
        self._noted = operator.itemgetter(*noted, noted[0]) if noted else None

    def sort(self, values: tuple[bytes, ...]) -> tuple[bytes, dict[bytes, bytes]]:
        """The lines to pass on, and what the gateway reads itself."""
        kept, noted = self._kept, self._noted
        lines = self._block % kept(values) if kept else b""
        return lines, dict(zip(self._notes, noted(values), strict=False)) if noted else {}


class Sorter:
    """Sorts heads by ``actions``, lower-case name → what is done with the field. The plans of so many lists of names are remembered."""

    def __init__(self, actions: dict[bytes, int]) -> None:
        self._actions = actions
        self.plans: dict[tuple[bytes, ...], _Plan] = {}

    def sort(self, fields: Fields) -> tuple[bytes, dict[bytes, bytes]]:
        """Lines to pass on, and the fields that the gateway reads itself by their names in lower case."""
        if not fields:
            return b"", {}
        written, values = zip(*fields, strict=True)
        plan = self.plans.get(written) or self._learn(written)
        lines, notes = plan.sort(values) if plan.usual else self._one_by_one(fields)
        options = notes.get(b"connection")
        if options is not None and options not in _COMMON_OPTIONS and (nominated := tokens(options) - _KNOWN_TOKENS):
            lines = without(lines, nominated)
        return lines, notes

    def _learn(self, written: tuple[bytes, ...]) -> _Plan:
        plan = _Plan(written, self._actions)
        if sum(map(len, written)) <= _LONGEST_PLANNED:
            if len(self.plans) >= _PLANS_KEPT:  # names come from clients: they must not pile up
                self.plans.clear()
            self.plans[written] = plan
        return plan

    def _one_by_one(self, fields: Fields) -> tuple[bytes, dict[bytes, bytes]]:
        lines, notes = list[bytes](), dict[bytes, bytes]()
        for name, value in fields:
            lower = name.lower()
            action = self._actions.get(lower, 0)
            if action & _NOTE:
                notes[lower] = value if lower not in notes else notes[lower] + b", " + value
            if not action & _DROP:
                lines.append(b"%b: %b\r\n" % (name, value))
        return b"".join(lines), notes


_PLANS_KEPT: Final = 256
_LONGEST_PLANNED: Final = 1024
"""Bytes of names in a list that is remembered: with ``_PLANS_KEPT``, a quarter of a megabyte."""
_OF_REQUESTS: Final = Sorter(_REQUEST)
_OF_RESPONSES: Final = Sorter(_RESPONSE)


def without(lines: bytes, dropped: Collection[bytes]) -> bytes:
    """Lines without those of the fields of these names, lower case."""
    return b"".join(line for line in lines.splitlines(keepends=True) if _name(line) not in dropped)


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].lower()


def _bad_request(message: str) -> errors.RefusedError:
    return errors.RefusedError(openai.ApiError(400, message), close=True)


def sort_request(fields: Fields, version: str) -> tuple[bytes, dict[bytes, bytes]]:
    """Lines to pass on, and fields the gateway reads itself.

    Raises:
        RefusedError: the head leaves open where the request ends or whom it is for.
    """
    lines, notes = _OF_REQUESTS.sort(fields)
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


def request_head(target: bytes, lines: bytes, own: bytes, length: int) -> bytes:
    """The head of a POST to an endpoint; ``own`` are lines of the gateway's."""
    return b"POST %b HTTP/1.1\r\n%b%bcontent-length: %d\r\n\r\n" % (target, lines, own, length)


@dataclasses.dataclass(slots=True)
class ResponseHead:
    """An endpoint's response head.

    Attributes:
        status: 200..599.
        lines: header fields to pass on, without Transfer-Encoding.
        length: Content-Length; -1 when there is none.
        chunked: the body is chunked.
        events: the body is a stream of server-sent events.
        bodiless: the status has no body, whatever the fields say.
    """

    status: int
    lines: bytes
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
    lines, notes = _OF_RESPONSES.sort(fields)
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
    return b"".join((status_line(head.status), head.lines, own, framing, end))


def drop_cors(head: ResponseHead) -> None:
    """Take the endpoint's own cross-origin fields out, where the gateway answers for it."""
    lines = head.lines.splitlines(keepends=True)
    head.lines = b"".join(line for line in lines if not _name(line).startswith(b"access-control-"))


def field_text(text: str) -> bytes:
    """``text`` as a field value: printable ASCII, anything else replaced, at most 1000 characters."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:1000]).encode()
