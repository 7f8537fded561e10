"""OpenAI-shaped error bodies."""

from __future__ import annotations

import dataclasses

import orjson

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    409: "invalid_request_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    417: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    431: "invalid_request_error",
    503: "overloaded_error",
}


@dataclasses.dataclass(frozen=True, slots=True)
class ApiError:
    """An answer that refuses: HTTP ``status``, and the OpenAI error object's fields.

    ``message`` says what is wrong and what to do next. ``type`` follows from the status.
    """

    status: int
    message: str
    code: str | None = None
    param: str | None = None

    @property
    def type(self) -> str:
        return _TYPES.get(self.status, "api_error")

    def body(self) -> bytes:
        """``{"error": {"message", "type", "code", "param"}}`` as JSON."""
        return orjson.dumps({"error": self._fields()})

    def event(self, number: int) -> bytes:
        """The data of the error event of a Responses stream, as JSON: flat as documented, and nested as sent. ``number``: the event's."""
        flat = {"code": self.code or self.type, "message": self.message, "param": self.param}
        return orjson.dumps({"type": "error", "sequence_number": number, **flat, "error": self._fields()})

    def _fields(self) -> dict[str, str | None]:
        return {"message": self.message, "type": self.type, "code": self.code, "param": self.param}
