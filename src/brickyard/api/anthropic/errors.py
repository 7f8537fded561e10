"""Anthropic-shaped error bodies."""

from __future__ import annotations

from typing import Final

import orjson

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
"""https://docs.anthropic.com/en/api/errors; 503 stands for its 529."""


def body(status: int, message: str) -> bytes:
    """``{"type": "error", "error": {"type", "message"}}`` as JSON; the inner type follows from the HTTP status."""
    kind = _TYPES.get(status, "invalid_request_error" if 400 <= status < 500 else "api_error")
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}})
