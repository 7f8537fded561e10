"""OpenAPI version 2 in its binary form: the only one kubectl takes at ``/openapi/v2``.

kubectl goes there when it meets a kind that no version 3 document names, and older ones before every apply; without it they complain
of media types where the kind is what is missing. Messages and numbers are those of gnostic's ``OpenAPIv2.proto``. A message is told
as a table: JSON name → (number, how to write the field). What version 2 has no word for has no row and is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from brickyard.embedded.apiserver.protobuf import wire

MEDIA_TYPE: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
ASKED_FOR: Final = (MEDIA_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
"""Names in ``Accept``: clients still use the older one, whose ``@`` they do not take in an answer."""

Writer = Callable[[int, Any], bytes]
"""From the number of a field and its JSON value to the field."""
Table = Mapping[str, tuple[int, Writer]]

_EXTENSIONS = "x-"
"""The row of a table that takes every key with this prefix."""
_ANY_VALUE = frozenset({"default", "example"})
"""Values that do not repeat their field when they are lists."""


def encode(document: Mapping[str, Any]) -> bytes:
    """A version 2 document, as JSON would have it, in binary."""
    return _message(_DOCUMENT, document)


def _message(table: Table, value: Mapping[str, Any]) -> bytes:
    """Every known field of ``value``; lists repeat theirs."""
    out = bytearray()
    for key, each in value.items():
        if key in table:
            number, write = table[key]
            values = each if isinstance(each, list) and key not in _ANY_VALUE else [each]
            out += b"".join(write(number, one) for one in values)
        elif key.startswith(_EXTENSIONS) and _EXTENSIONS in table:
            number, write = table[_EXTENSIONS]
            out += wire.put_block(number, _named(key, write, each))
    return bytes(out)


def _text(number: int, value: str) -> bytes:
    return wire.put_block(number, value.encode())


def _whole(number: int, value: float) -> bytes:
    """A whole number, though JSON may write it with a fraction of zero, or a boolean."""
    return wire.put_varint(number, int(value))


def _any(number: int, value: Any) -> bytes:
    """An ``Any`` holds YAML, of which JSON is a part."""
    return wire.put_block(number, wire.put_block(2, orjson.dumps(value)))


def _named(name: str, write: Writer, value: Any) -> bytes:
    """A pair of a name and its value."""
    return _text(1, name) + write(2, value)


def _of(table: Table) -> Writer:
    """A message."""
    return lambda number, value: wire.put_block(number, _message(table, value))


def _map(write: Writer, pairs: int = 1) -> Writer:
    """An object whose keys are names: a message that repeats pairs of name and value."""

    def written(number: int, value: Mapping[str, Any]) -> bytes:
        found = (wire.put_block(pairs, _named(name, write, each)) for name, each in value.items())
        return wire.put_block(number, b"".join(found))

    return written


def _within(arm: int, write: Writer) -> Writer:
    """One arm of a choice: the value stands in a message of its own."""
    return lambda number, value: wire.put_block(number, write(arm, value))


def _schema(number: int, value: Mapping[str, Any]) -> bytes:
    return wire.put_block(number, _message(_SCHEMA, value))


def _additional(number: int, value: Any) -> bytes:
    return wire.put_block(number, _whole(2, value) if isinstance(value, bool) else _schema(1, value))


def _parameter(number: int, value: Mapping[str, Any]) -> bytes:
    """A parameter is one of a body, a query's or a path's, three choices deep."""
    write = {
        "body": _within(1, _of(_BODY)),
        "query": _within(2, _within(3, _of(_QUERY))),
        "path": _within(2, _within(4, _of(_PATH))),
    }[value["in"]]
    return _within(1, write)(number, value)


def _strings(number: int, value: list[str]) -> bytes:
    return wire.put_block(number, b"".join(_text(1, each) for each in value))


_DOCS: Table = {"description": (1, _text), "url": (2, _text)}
_SCHEMA: Table = {
    "$ref": (1, _text),
    "format": (2, _text),
    "title": (3, _text),
    "description": (4, _text),
    "default": (5, _any),
    "multipleOf": (6, wire.put_double),
    "maximum": (7, wire.put_double),
    "exclusiveMaximum": (8, _whole),
    "minimum": (9, wire.put_double),
    "exclusiveMinimum": (10, _whole),
    "maxLength": (11, _whole),
    "minLength": (12, _whole),
    "pattern": (13, _text),
    "maxItems": (14, _whole),
    "minItems": (15, _whole),
    "uniqueItems": (16, _whole),
    "maxProperties": (17, _whole),
    "minProperties": (18, _whole),
    "required": (19, _text),
    "enum": (20, _any),
    "additionalProperties": (21, _additional),
    "type": (22, _within(1, _text)),
    "items": (23, _within(1, _schema)),
    "properties": (25, _map(_schema)),
    "externalDocs": (29, _of(_DOCS)),
    "example": (30, _any),
    _EXTENSIONS: (31, _any),
}
_BODY: Table = {
    "description": (1, _text),
    "name": (2, _text),
    "in": (3, _text),
    "required": (4, _whole),
    "schema": (5, _schema),
}
_QUERY: Table = {
    "required": (1, _whole),
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (6, _text),
    "uniqueItems": (20, _whole),
}
_PATH: Table = {
    "required": (1, _whole),
    "in": (2, _text),
    "description": (3, _text),
    "name": (4, _text),
    "type": (5, _text),
    "uniqueItems": (19, _whole),
}
_RESPONSE: Table = {"description": (1, _text), "schema": (2, _within(1, _schema))}
_OPERATION: Table = {
    "tags": (1, _text),
    "description": (3, _text),
    "operationId": (5, _text),
    "produces": (6, _text),
    "consumes": (7, _text),
    "parameters": (8, _parameter),
    "responses": (9, _map(_within(1, _of(_RESPONSE)))),
    _EXTENSIONS: (13, _any),
}
_PATH_ITEM: Table = {
    "get": (2, _of(_OPERATION)),
    "put": (3, _of(_OPERATION)),
    "post": (4, _of(_OPERATION)),
    "delete": (5, _of(_OPERATION)),
    "patch": (8, _of(_OPERATION)),
    "parameters": (9, _parameter),
}
_API_KEY: Table = {"type": (1, _text), "name": (2, _text), "in": (3, _text), "description": (4, _text)}
_DOCUMENT: Table = {
    "swagger": (1, _text),
    "info": (2, _of({"title": (1, _text), "version": (2, _text)})),
    "paths": (8, _map(_of(_PATH_ITEM), pairs=2)),
    "definitions": (9, _map(_schema)),
    "security": (12, _map(_strings)),
    # API keys are the one way to authenticate that is described.
    "securityDefinitions": (13, _map(_within(2, _of(_API_KEY)))),
}
