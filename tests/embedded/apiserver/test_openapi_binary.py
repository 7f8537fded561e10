"""OpenAPI 2 in binary, field by field: numbers are those of gnostic's OpenAPIv2.proto."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from brickyard.api.kinds import crds
from brickyard.embedded.apiserver import catalog, openapi, openapi_binary, openapi_schemas
from brickyard.embedded.apiserver.protobuf import wire

Fields = list[tuple[int, wire.Value]]


def fields(value: wire.Value) -> Fields:
    return list(wire.fields(wire.block(value)))


def inside(value: wire.Value, *numbers: int) -> memoryview:
    """Follow fields that stand alone of their number."""
    for number in numbers:
        (value,) = [payload for found, payload in fields(value) if found == number]
    return wire.block(value)


def schema_of(schema: dict[str, Any]) -> memoryview:
    """The schema ``a`` of a document, in binary."""
    document = openapi_binary.encode({"definitions": {"a": schema}})
    assert bytes(inside(memoryview(document), 9, 1, 1)) == b"a"
    return inside(memoryview(document), 9, 1, 2)


@pytest.mark.parametrize(
    ("key", "value", "number", "payload"),
    [
        ("$ref", "#/definitions/b", 1, b"#/definitions/b"),
        ("format", "int64", 2, b"int64"),
        ("title", "T", 3, b"T"),
        ("description", "Zahl ≥ 0", 4, "Zahl ≥ 0".encode()),
        ("default", [1, 2], 5, b"\x12\x05[1,2]"),
        ("default", None, 5, b"\x12\x04null"),
        ("multipleOf", 2, 6, b"\0\0\0\0\0\0\0\x40"),
        ("maximum", 0.5, 7, b"\0\0\0\0\0\0\xe0\x3f"),
        ("exclusiveMaximum", True, 8, 1),
        ("minimum", -2, 9, b"\0\0\0\0\0\0\0\xc0"),
        ("exclusiveMinimum", False, 10, 0),
        ("maxLength", 63, 11, 63),
        ("minLength", 1.0, 12, 1),
        ("pattern", "^a$", 13, b"^a$"),
        ("maxItems", 3, 14, 3),
        ("minItems", 0, 15, 0),
        ("uniqueItems", True, 16, 1),
        ("maxProperties", 2**62, 17, 2**62),
        ("minProperties", 1, 18, 1),
        ("required", ["a"], 19, b"a"),
        ("enum", ["a"], 20, b'\x12\x03"a"'),
        ("additionalProperties", True, 21, b"\x10\x01"),
        ("additionalProperties", {"type": "string"}, 21, b"\x0a\x0b\xb2\x01\x08\x0a\x06string"),
        ("type", "object", 22, b"\x0a\x06object"),
        ("items", {"title": "T"}, 23, b"\x0a\x03\x1a\x01T"),
        ("properties", {"b": {"title": "T"}}, 25, b"\x0a\x08\x0a\x01b\x12\x03\x1a\x01T"),
        ("externalDocs", {"url": "u"}, 29, b"\x12\x01u"),
        ("example", {}, 30, b"\x12\x02{}"),
        ("x-a", [1], 31, b"\x0a\x03x-a\x12\x05\x12\x03[1]"),
    ],
)
def test_schemas(key: str, value: Any, number: int, payload: object) -> None:
    assert fields(schema_of({key: value})) == [(number, payload)]


def test_lists_repeat_their_field() -> None:
    assert [payload for _, payload in fields(schema_of({"required": ["a", "b"]}))] == [b"a", b"b"]
    assert fields(schema_of({"required": []})) == []


def test_what_version_2_has_no_word_for_is_passed_over() -> None:
    assert fields(schema_of({"anyOf": [{"type": "string"}], "nullable": True})) == []
    operation = openapi_binary.encode({"paths": {"/a": {"x-b": 1, "get": {"x-c": 2}}}})
    get = inside(memoryview(operation), 8, 2, 2, 2)
    assert fields(inside(get, 13)) == [(1, b"x-c"), (2, b"\x12\x012")]


def test_how_to_authenticate() -> None:
    keys = {"T": {"type": "apiKey", "name": "authorization", "in": "header"}}
    document = memoryview(openapi_binary.encode({"securityDefinitions": keys, "security": [{"T": []}]}))
    assert fields(inside(document, 13, 1, 2, 2)) == [(1, b"apiKey"), (2, b"authorization"), (3, b"header")]
    assert fields(inside(document, 12, 1)) == [(1, b"T"), (2, b"")]


def test_nothing_of_what_is_served_is_lost() -> None:
    served = catalog.BuiltinCatalog()
    for definition in crds.definitions():
        served.install(definition)
    found = openapi.respond("/openapi/v2", "application/json", served)
    assert found is not None
    known = openapi_binary._SCHEMA.keys()
    definitions = orjson.loads(found.body)["definitions"]
    assert {key for each in definitions.values() for key in keywords(each) if not key.startswith("x-")} <= known


def keywords(schema: openapi_schemas.Schema) -> set[str]:
    inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    return set(schema).union(*(keywords(each) for each in inner if isinstance(each, dict)))
