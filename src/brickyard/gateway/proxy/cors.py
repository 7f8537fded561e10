"""Cross-origin requests from browsers: off unless origins are set."""

from __future__ import annotations

from collections.abc import Mapping

from brickyard.api import names
from brickyard.gateway.proxy import answers

_EXPOSED = ", ".join(
    (names.HEADER_REQUEST_ID, names.HEADER_RESPONSE_REQUEST_ID, names.HEADER_TARGET_POD, names.HEADER_EXPLAIN)
)


class Cors:
    """The rules of ``cors_origins``: a list by comma, or ``*``."""

    __slots__ = ("_any", "_origins", "enabled")

    def __init__(self, origins: str) -> None:
        listed = {
            origin.strip().rstrip("/").encode("latin-1", "replace") for origin in origins.split(",") if origin.strip()
        }
        self._any = b"*" in listed
        self._origins = frozenset(listed)
        self.enabled = bool(listed)

    def lines(self, notes: Mapping[bytes, bytes]) -> bytes:
        """Header lines for an answer to a request with these fields; empty when the origin is absent or not allowed."""
        origin = notes.get(b"origin")
        if origin is None or not (self._any or origin in self._origins):
            return b""
        allowed = b"*" if self._any else origin
        vary = b"" if self._any else b"vary: origin\r\n"
        return (
            b"access-control-allow-origin: %b\r\n%baccess-control-expose-headers: " % (allowed, vary)
            + _EXPOSED.encode()
            + b"\r\n"
        )

    def options(self, notes: Mapping[bytes, bytes], allow: str) -> answers.Answer:
        """The answer to OPTIONS: what is allowed, and to a preflight from an allowed origin also that it may go on."""
        headers = [("allow", allow)]
        if self.enabled and b"access-control-request-method" in notes and self.lines(notes):
            asked = notes.get(b"access-control-request-headers", b"*").decode("latin-1")
            headers += [
                ("access-control-allow-methods", allow),
                ("access-control-allow-headers", asked),
                ("access-control-max-age", "600"),
            ]
        return answers.Answer(204, headers=tuple(headers))
