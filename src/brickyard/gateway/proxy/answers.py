"""Answers that the gateway gives itself, as bytes."""

from __future__ import annotations

import dataclasses
import email.utils
from typing import Final

import orjson

from brickyard.api import names
from brickyard.api.anthropic import errors as anthropic
from brickyard.gateway import errors
from brickyard.gateway.proxy import heads

JSON: Final = "application/json"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A whole response. ``headers`` are texts without CR or LF."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def document(status: int, value: object) -> Answer:
    """``value`` as JSON."""
    return Answer(status, orjson.dumps(value))


def refusal(refused: errors.RefusedError, path: bytes = b"") -> Answer:
    """The error object of a refusal, in the shape that clients of ``path`` read: OpenAI's, or Anthropic's."""
    error = refused.error
    body = anthropic.body(error.status, error.message) if path.startswith(_ANTHROPIC) else error.body()
    return Answer(error.status, body, JSON, refused.headers)


_ANTHROPIC: Final = b"/v1/messages"


def id_lines(request_id: str) -> bytes:
    """The request id under both names: the common one and AIBrix's."""
    value = request_id.encode("ascii")
    return b"%b: %b\r\n%b: %b\r\n" % (_ID, value, _AIBRIX_ID, value)


_ID: Final = names.HEADER_REQUEST_ID.encode()
_AIBRIX_ID: Final = names.HEADER_RESPONSE_REQUEST_ID.encode()


def render(answer: Answer, own: bytes = b"", *, close: bool = False, head_only: bool = False) -> bytes:
    """The response as it goes out; ``own`` are complete header lines, ``head_only`` answers HEAD."""
    lines = [heads.status_line(answer.status), b"date: ", email.utils.formatdate(usegmt=True).encode(), heads.CRLF, own]
    for name, value in answer.headers:
        lines.append(f"{name}: {value}\r\n".encode("latin-1", "replace"))
    if answer.status != 204:
        lines.append(f"content-type: {answer.content_type}\r\ncontent-length: {len(answer.body)}\r\n".encode())
    lines.append(b"connection: close\r\n\r\n" if close else heads.CRLF)
    if not head_only and answer.status != 204:
        lines.append(answer.body)
    return b"".join(lines)
