"""A request as it arrived: what ``reader`` makes and everything behind it reads."""

from __future__ import annotations

import dataclasses

from brickyard.gateway import errors
from brickyard.gateway.proxy import router


@dataclasses.dataclass(slots=True)
class Incoming:
    """One request, its body complete unless ``refusal`` says that nobody wants it.

    Attributes:
        method: as sent, upper case.
        target: origin-form target with its query, such as ``/v1/models?limit=2``.
        path: the target without query.
        http10: the client speaks HTTP/1.0: no chunked answer, one request per connection.
        keep_alive: the client would send another request on this connection.
        lines: header fields to pass on, each with its CRLF.
        notes: fields the gateway reads itself, by lower-case name.
        route: who answers; None when ``refusal`` is set.
        body: as received, chunked framing taken off; empty again once nobody can need it any more.
        size: bytes of the body, as long as the request lives.
        refusal: why nobody answers.
    """

    method: bytes
    target: bytes
    path: bytes
    http10: bool
    keep_alive: bool
    lines: bytes
    notes: dict[bytes, bytes]
    route: router.Route | None = None
    body: bytes = b""
    size: int = 0
    refusal: errors.RefusedError | None = None
