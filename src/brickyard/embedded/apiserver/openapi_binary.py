"""OpenAPI version 2 in its binary form: the only one kubectl takes at ``/openapi/v2``.

kubectl goes there when it meets a kind that no version 3 document names, and older ones before every apply; without it they complain
of media types where the kind is what is missing. Messages and numbers are those of gnostic's ``OpenAPIv2.proto``. A message is told
as a table: JSON name → (number, how to write the value).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

MEDIA_TYPE: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
ASKED_FOR: Final = (MEDIA_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
"""Names in ``Accept``: clients still use the older one, whose ``@`` they do not take in an answer."""

Writer = Callable[[Any], bytes]
"""From a JSON value to the payload of its field."""
Table = Mapping[str, tuple[int, Writer]]

_EXTENSION = "x-"


def encode(document: Mapping[str, Any]) -> bytes:
    """A version 2 document, as JSON would have it, in binary."""
    return _message(_DOCUMENT, document)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _block(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _flag(number: int, value: bool) -> bytes:
    return _varint(number << 3) + _boolean(value)


def _message(table: Table, value: Mapping[str, Any]) -> bytes:
    """Every known field of ``value``; lists repeat theirs, and extensions go where the table says ``x-``."""
    out = bytearray()
    for key, each in value.items():
        if key.startswith(_EXTENSION):
            if _EXTENSION in table:
                out += _block(table[_EXTENSION][0], _named(key, _any)(each))
            continue
        if key not in table:
            continue
        number, write = table[key]
        if write is _boolean:
            out += _flag(number, bool(each))
        elif isinstance(each, list) and key != "default":
            for item in each:
                out += _block(number, write(item))
        else:
            out += _block(number, write(each))
    return bytes(out)


def _boolean(value: bool) -> bytes:
    """Marks a field that is a number on the wire."""
    return b"\x01" if value else b"\x00"


def _text(value: str) -> bytes:
    return value.encode()


def _any(value: Any) -> bytes:
    """An ``Any`` holds YAML, of which JSON is a part."""
    return _block(2, orjson.dumps(value))


def _named(name: str, write: Writer) -> Writer:
    return lambda value: _block(1, _text(name)) + _block(2, write(value))


def _map(write: Writer, number: int = 1) -> Writer:
    """An object whose keys are names: a repeated pair of name and value."""

    def written(value: Mapping[str, Any]) -> bytes:
        return b"".join(_block(number, _named(name, write)(each)) for name, each in value.items())

    return written


def _of(table: Table) -> Writer:
    return lambda value: _message(table, value)


def _within(number: int, write: Writer) -> Writer:
    """One arm of a choice: the value stands in a message of its own."""
    return lambda value: _block(number, write(value))


def _type(value: str) -> bytes:
    return _block(1, _text(value))


def _schema(value: Mapping[str, Any]) -> bytes:
    return _message(_SCHEMA, value)


def _additional(value: Any) -> bytes:
    return _flag(2, value) if isinstance(value, bool) else _block(1, _schema(value))


def _parameter(value: Mapping[str, Any]) -> bytes:
    """A parameter is one of a body, a query's or a path's, three choices deep."""
    if value["in"] == "body":
        written = _block(1, _message(_BODY, value))
    else:
        number, table = (3, _QUERY) if value["in"] == "query" else (4, _PATH)
        written = _block(2, _block(number, _message(table, value)))
    return _block(1, written)


def _responses(value: Mapping[str, Any]) -> bytes:
    return _map(_within(1, _of(_RESPONSE)))(value)


def _path_items(value: Mapping[str, Any]) -> bytes:
    return _map(_of(_PATH_ITEM), number=2)(value)


_SCHEMA: Table = {
    "$ref": (1, _text),
    "format": (2, _text),
    "title": (3, _text),
    "description": (4, _text),
    "default": (5, _any),
    "pattern": (13, _text),
    "uniqueItems": (16, _boolean),
    "required": (19, _text),
    "enum": (20, _any),
    "additionalProperties": (21, _additional),
    "type": (22, _type),
    "items": (23, _within(1, _schema)),
    "properties": (25, _map(_schema)),
    _EXTENSION: (31, _any),
}
_BODY: Table = {
    "description": (1, _text),
    "name": (2, _text),
    "in": (3, _text),
    "required": (4, _boolean),
    "schema": (5, _schema),
}
_QUERY: Table = {
    "required": (1, _boolean),
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (6, _text),
    "uniqueItems": (20, _boolean),
}
_PATH: Table = {
    "required": (1, _boolean),
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (5, _text),
    "uniqueItems": (19, _boolean),
}
_RESPONSE: Table = {"description": (1, _text), "schema": (2, _within(1, _schema))}
_OPERATION: Table = {
    "tags": (1, _text),
    "description": (3, _text),
    "operationId": (5, _text),
    "produces": (6, _text),
    "consumes": (7, _text),
    "parameters": (8, _parameter),
    "responses": (9, _responses),
    _EXTENSION: (13, _any),
}
_PATH_ITEM: Table = {
    "get": (2, _of(_OPERATION)),
    "put": (3, _of(_OPERATION)),
    "post": (4, _of(_OPERATION)),
    "delete": (5, _of(_OPERATION)),
    "patch": (8, _of(_OPERATION)),
    "parameters": (9, _parameter),
}
_DOCUMENT: Table = {
    "swagger": (1, _text),
    "info": (2, _of({"title": (1, _text), "version": (2, _text)})),
    "paths": (8, _path_items),
    "definitions": (9, _map(_schema)),
}
