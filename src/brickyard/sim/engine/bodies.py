"""Request bodies taken apart: JSON objects, and forms with files."""

from __future__ import annotations

import email.parser
import email.policy
from collections.abc import Mapping
from typing import Any

import orjson

from brickyard.sim.engine import http
from brickyard.sim.engine.core import errors


def document(request: http.Request) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        RejectedError: it is none.
    """
    try:
        found = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise errors.RejectedError(f"the request's body is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise errors.RejectedError("the request's body must be a JSON object")
    return found


def form(request: http.Request) -> Mapping[str, bytes]:
    """The fields of a ``multipart/form-data`` body, files included, by name.

    Raises:
        RejectedError: it is none.
    """
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        raise errors.RejectedError("send the fields as multipart/form-data")
    head = f"content-type: {kind}\r\n\r\n".encode("latin-1")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
    fields: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content
    return fields


def text(fields: Mapping[str, Any], name: str) -> str:
    """A text field that must be there.

    Raises:
        RejectedError: it is not.
    """
    value = fields.get(name)
    value = value.decode(errors="replace") if isinstance(value, bytes) else value
    if not isinstance(value, str) or not value:
        raise errors.RejectedError(f"{name} is missing: send it as text", name)
    return value
