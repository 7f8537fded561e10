"""Asks an engine to end its stream with what it used."""

from __future__ import annotations

from typing import Any, Final

import orjson

_FIELD: Final = b'"stream_options":{"include_usage":true},'


def asking(body: bytes, document: dict[str, Any]) -> bytes:
    """``body`` with ``stream_options.include_usage`` on. ``document`` is the body as JSON, an object that names a model.

    Where the body has no ``stream_options`` it stays what it is byte for byte, behind one field more.
    """
    options = document.get("stream_options")
    if "stream_options" not in document:
        begin = body.index(b"{") + 1
        return body[:begin] + _FIELD + body[begin:]
    wanted = (options if isinstance(options, dict) else {}) | {"include_usage": True}
    return orjson.dumps(document | {"stream_options": wanted})
