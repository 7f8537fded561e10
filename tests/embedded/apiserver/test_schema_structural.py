"""Structural schemas: what is refused as a schema, and what schemas do to objects."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.apiserver.structural import definition, judge, patterns, rules, shape

KEEP = {shape.PRESERVE: True}
STRING = {"type": "string"}
INTEGER = {"type": "integer"}


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def array(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


# ---- what is no structural schema


FAULTS: list[tuple[Any, list[str]]] = [
    (obj(a=STRING), []),
    (obj(a=array(STRING)), []),
    ({"type": "object", "additionalProperties": INTEGER}, []),
    ({"type": "object", **KEEP}, []),
    (obj(a={shape.INT_OR_STRING: True, "anyOf": [{"type": "integer"}, {"type": "string"}]}), []),
    (obj(a={}), ["S.properties[a].type: Required value: must not be empty for specified object fields"]),
    (
        obj(a={"type": "text"}),
        ['S.properties[a].type: Unsupported value: "text": supported values: "array", "boolean", …'],
    ),
    (obj(a="x"), ['S.properties[a]: Invalid value: "x": must be a schema object']),
    (obj(a={"type": "array"}), ["S.properties[a].items: Required value: must be specified"]),
    (
        {**obj(a=STRING), "additionalProperties": STRING},
        ["S.additionalProperties: Forbidden: additionalProperties and properties are mutually exclusive"],
    ),
    (
        obj(a={**STRING, shape.INT_OR_STRING: True}),
        ["S.properties[a].type: Forbidden: must be empty if x-kubernetes-int-or-string is true"],
    ),
    (obj(a={**STRING, "$ref": "#/x"}), ["S.properties[a].$ref: Forbidden: $ref is not supported"]),
    (obj(a=array(STRING, uniqueItems=True)), ["S.properties[a].uniqueItems: Forbidden: …"]),
    (
        obj(a={**STRING, "pattern": "("}),
        ['S.properties[a].pattern: Invalid value: "(": must be a valid regular expression, …'],
    ),
    (obj(a={**STRING, "pattern": 3}), ["S.properties[a].pattern: Invalid value: 3: must be a string"]),
    (obj(a={**STRING, "maxLength": "3"}), ['S.properties[a].maxLength: Invalid value: "3": must be an integer']),
    (obj(a={**INTEGER, "minimum": True}), ["S.properties[a].minimum: Invalid value: true: must be a number"]),
    (obj(a={**STRING, "enum": "x"}), ['S.properties[a].enum: Invalid value: "x": must be a list']),
    ({"type": "object", "required": [1]}, ["S.required: Invalid value: [1]: must be a list of strings"]),
    (
        {"type": "object", "anyOf": [{"type": "object"}, {"required": ["a"]}]},
        ["S.anyOf[0].type: Forbidden: must be empty to be structural"],
    ),
    (
        {"type": "object", "not": {"properties": {"a": {"default": 1}}}},
        ["S.not.properties[a].default: Forbidden: must be empty to be structural"],
    ),
    (
        {"type": "object", "additionalProperties": 3},
        ["S.additionalProperties: Invalid value: 3: must be a schema or a boolean"],
    ),
    ({"type": "object", "properties": []}, ["S.properties: Invalid value: []: must be an object of schemas"]),
]


@pytest.mark.parametrize(("spec", "expected"), FAULTS, ids=range(len(FAULTS)))
def test_what_keeps_a_schema_from_being_structural(spec: Any, expected: list[str]) -> None:
    found = [f"{each.path}: {each.message}" for each in definition.violations(spec, "S", root=True)]
    assert len(found) == len(expected), found
    for each, row in zip(found, expected, strict=True):
        assert each.startswith(row.removesuffix("…"))


def test_rules_are_found_wherever_they_stand() -> None:
    rule = {"x-kubernetes-validations": [{"rule": "self.a > 1"}]}
    assert rules.stand_in(obj(a=array({**INTEGER, **rule})))
    assert not rules.stand_in(obj(a=array(INTEGER)))


# ---- pruning


PRUNED: list[tuple[Any, Any, Any, list[str]]] = [
    # schema, object, what is kept, what is named
    (obj(a=STRING), {"a": "x", "b": 1}, {"a": "x"}, ["b"]),
    (obj(a=obj(b=STRING)), {"a": {"c": 1}}, {"a": {}}, ["a.c"]),
    (obj(a=array(obj(b=STRING))), {"a": [{"b": "x", "c": 1}, {"d": 2}]}, {"a": [{"b": "x"}, {}]}, ["a[0].c", "a[1].d"]),
    (obj(a={"type": "object", **KEEP}), {"a": {"any": {"deep": 1}}}, {"a": {"any": {"deep": 1}}}, []),
    (
        obj(a={**obj(b=obj(c=STRING)), **KEEP}),
        {"a": {"other": 1, "b": {"d": 1}}},
        {"a": {"other": 1, "b": {}}},
        ["a.b.d"],
    ),
    (
        obj(a={"type": "object", "additionalProperties": obj(b=STRING)}),
        {"a": {"k": {"c": 1}}},
        {"a": {"k": {}}},
        ["a.k.c"],
    ),
    (obj(a={"type": "object", "additionalProperties": True}), {"a": {"k": 1}}, {"a": {"k": 1}}, []),
    (obj(a={"type": "object"}), {"a": {"k": 1}}, {"a": {}}, ["a.k"]),
    (obj(a=STRING), {"a": None}, {"a": None}, []),
    (
        obj(a={"type": "object", shape.EMBEDDED: True, "properties": {"spec": {"type": "object", **KEEP}}}),
        {"a": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "n", "nam": "x"}, "spec": {"x": 1}, "z": 1}},
        {"a": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "n"}, "spec": {"x": 1}}},
        ["a.metadata.nam", "a.z"],
    ),
]


@pytest.mark.parametrize(("spec", "value", "kept", "named"), PRUNED, ids=range(len(PRUNED)))
def test_pruning(spec: Any, value: Any, kept: Any, named: list[str]) -> None:
    assert shape.pruned(spec, value) == kept
    assert shape.unknown_fields(spec, value) == named


def test_the_envelope_of_a_resource_is_kept_and_its_metadata_read() -> None:
    value = {"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "a", "nmae": "b"}, "spek": 1}
    assert shape.pruned(obj(spec=obj()), value, root=True) == {
        key: value[key] for key in ("apiVersion", "kind", "metadata")
    }
    assert shape.unknown_fields(obj(spec=obj()), value, root=True) == ["metadata.nmae", "spek"]


# ---- filling in


DEFAULTED: list[tuple[Any, Any, Any]] = [
    (obj(a={**INTEGER, "default": 3}), {}, {"a": 3}),
    (obj(a={**INTEGER, "default": 3}), {"a": 0}, {"a": 0}),
    (obj(a={**INTEGER, "default": 3}), {"a": None}, {"a": 3}),
    (obj(a={**INTEGER, "default": 3, "nullable": True}), {"a": None}, {"a": None}),
    (obj(a=INTEGER), {"a": None}, {}),
    (obj(a=obj(b={**INTEGER, "default": 3})), {}, {}),
    (obj(a={**obj(b={**INTEGER, "default": 3}), "default": {}}), {}, {"a": {"b": 3}}),
    (obj(a=array(obj(b={**STRING, "default": "x"}))), {"a": [{}, {"b": "y"}]}, {"a": [{"b": "x"}, {"b": "y"}]}),
    (
        obj(a={"type": "object", "additionalProperties": obj(b={**STRING, "default": "x"})}),
        {"a": {"k": {}, "n": None}},
        {"a": {"k": {"b": "x"}}},
    ),
    (obj(a={"type": "object", **KEEP}), {"a": {"x": None}}, {"a": {"x": None}}),
]


@pytest.mark.parametrize(("spec", "value", "filled"), DEFAULTED, ids=range(len(DEFAULTED)))
def test_filling_in(spec: Any, value: Any, filled: Any) -> None:
    assert shape.defaulted(spec, value) == filled
    assert shape.defaulted(spec, filled) == filled


def test_a_default_is_never_shared() -> None:
    spec = obj(a={"type": "array", "items": INTEGER, "default": [1]})
    shape.defaulted(spec, {})["a"].append(2)
    assert shape.defaulted(spec, {}) == {"a": [1]}


# ---- judging


JUDGED: list[tuple[Any, Any, list[str]]] = [
    (obj(a=INTEGER), {"a": 1}, []),
    (obj(a=INTEGER), {"a": 1.0}, []),
    (obj(a=INTEGER), {"a": "1"}, ['a: Invalid value: "string": a in body must be of type integer: "string"']),
    (obj(a=INTEGER), {"a": True}, ['a: Invalid value: "boolean": a in body must be of type integer: "boolean"']),
    (obj(a=INTEGER), {"a": 1.5}, ['a: Invalid value: "number": a in body must be of type integer: "number"']),
    (obj(a={"type": "number"}), {"a": 1.5}, []),
    (obj(a=STRING), {"a": None}, ['a: Invalid value: "null": a in body must be of type string: "null"']),
    (obj(a={**STRING, "nullable": True}), {"a": None}, []),
    (obj(a=obj()), {"a": []}, ['a: Invalid value: "array": a in body must be of type object: "array"']),
    (obj(a={shape.INT_OR_STRING: True}), {"a": "25%"}, []),
    (
        obj(a={shape.INT_OR_STRING: True}),
        {"a": []},
        ['a: Invalid value: "array": a in body must be of type integer,string: "array"'],
    ),
    ({**obj(), "required": ["a", "b"]}, {"b": 1}, ["a: Required value"]),
    (obj(s={**obj(), "required": ["a"]}), {"s": {}}, ["s.a: Required value"]),
    (
        obj(a={**STRING, "enum": ["HPA", "KPA"]}),
        {"a": "X"},
        ['a: Unsupported value: "X": supported values: "HPA", "KPA"'],
    ),
    (obj(a={**INTEGER, "enum": [1]}), {"a": 2}, ['a: Unsupported value: 2: supported values: "1"']),
    (
        obj(a={**INTEGER, "minimum": 1}),
        {"a": 0},
        ["a: Invalid value: 0: a in body should be greater than or equal to 1"],
    ),
    (obj(a={**INTEGER, "maximum": 5}), {"a": 6}, ["a: Invalid value: 6: a in body should be less than or equal to 5"]),
    (
        obj(a={**INTEGER, "minimum": 1, "exclusiveMinimum": True}),
        {"a": 1},
        ["a: Invalid value: 1: a in body should be greater than 1"],
    ),
    (
        obj(a={**INTEGER, "maximum": 1, "exclusiveMaximum": True}),
        {"a": 1},
        ["a: Invalid value: 1: a in body should be less than 1"],
    ),
    (obj(a={**INTEGER, "multipleOf": 2}), {"a": 3}, ["a: Invalid value: 3: a in body should be a multiple of 2"]),
    (
        obj(a={"type": "number", "multipleOf": 0.1}),
        {"a": 1e308},
        ["a: Invalid value: 1e+308: a in body should be a multiple of 0.1"],
    ),
    (obj(a={"type": "number", "multipleOf": 0.1}), {"a": 0.3}, []),
    (
        obj(a={**INTEGER, "multipleOf": 3.0}),
        {"a": 2**63 - 1},
        ["a: Invalid value: 9223372036854775807: a in body should be a multiple of 3"],
    ),
    (obj(a={**STRING, "minLength": 1}), {"a": ""}, ['a: Invalid value: "": a in body should be at least 1 chars long']),
    (obj(a={**STRING, "maxLength": 1}), {"a": "xy"}, ["a: Too long: may not be more than 1 bytes"]),
    (obj(a={**STRING, "pattern": "^x$"}), {"a": "x\n"}, ["a: Invalid value: \"x\\n\": a in body should match '^x$'"]),
    (
        obj(a={**STRING, "format": "date-time"}),
        {"a": "now"},
        ['a: Invalid value: "now": a in body must be of type date-time: "now"'],
    ),
    (obj(a={**STRING, "format": "ipv4"}), {"a": "1.2.3.4"}, []),
    (obj(a={**STRING, "format": "unheard-of"}), {"a": "x"}, []),
    (obj(a=array(INTEGER, minItems=1)), {"a": []}, ["a: Invalid value: 0: a in body should have at least 1 items"]),
    (obj(a=array(INTEGER, maxItems=1)), {"a": [1, 2]}, ["a: Too many: 2: must have at most 1 item"]),
    (
        obj(a=array(INTEGER)),
        {"a": [1, "x", None]},
        [
            'a[1]: Invalid value: "string": a[1] in body must be of type integer: "string"',
            'a[2]: Invalid value: "null": a[2] in body must be of type integer: "null"',
        ],
    ),
    (obj(a=array(STRING, **{"x-kubernetes-list-type": "set"})), {"a": ["x", "x"]}, ['a[1]: Duplicate value: "x"']),
    (
        obj(a=array(obj(n=STRING, v=STRING), **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]})),
        {"a": [{"n": "x", "v": "1"}, {"n": "x", "v": "2"}]},
        ['a[1]: Duplicate value: {"n":"x"}'],
    ),
    (
        obj(a={"type": "object", "additionalProperties": INTEGER}),
        {"a": {"k": "x"}},
        ['a.k: Invalid value: "string": a.k in body must be of type integer: "string"'],
    ),
    (
        obj(a={"type": "object", **KEEP, "maxProperties": 1}),
        {"a": {"x": 1, "y": 2}},
        ["a: Too many: 2: must have at most 1 item"],
    ),
    (
        obj(a={"type": "object", **KEEP, "minProperties": 1}),
        {"a": {}},
        ["a: Invalid value: 0: a in body should have at least 1 properties"],
    ),
    (
        obj(a={"type": "object", shape.EMBEDDED: True, **KEEP}),
        {"a": {"kind": "Pod"}},
        ["a.apiVersion: Required value: must not be empty"],
    ),
    (
        obj(a={**obj(x=STRING, y=STRING), "oneOf": [{"required": ["x"]}, {"required": ["y"]}]}),
        {"a": {"x": "1", "y": "2"}},
        [
            'a: Invalid value: {"x":"1","y":"2"}: "a" must validate one and only one schema (oneOf). Found 2 valid alternatives',
        ],
    ),
    (
        obj(a={**obj(x=STRING), "oneOf": [{"required": ["x"]}]}),
        {"a": {}},
        [
            'a: Invalid value: {}: "a" must validate one and only one schema (oneOf). Found none valid',
        ],
    ),
    (
        obj(a={**INTEGER, "anyOf": [{"minimum": 5}, {"maximum": 1}]}),
        {"a": 3},
        [
            'a: Invalid value: 3: "a" must validate at least one schema (anyOf)',
        ],
    ),
    (
        obj(a={**INTEGER, "allOf": [{"minimum": 5}]}),
        {"a": 3},
        ["a: Invalid value: 3: a in body should be greater than or equal to 5"],
    ),
    (
        obj(a={**INTEGER, "not": {"enum": [3]}}),
        {"a": 3},
        ['a: Invalid value: 3: "a" must not validate the schema (not)'],
    ),
]


@pytest.mark.parametrize(("spec", "value", "expected"), JUDGED, ids=range(len(JUDGED)))
def test_judging(spec: Any, value: Any, expected: list[str]) -> None:
    assert [f"{each.path}: {each.message}" for each in judge.violations(spec, value)] == expected


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^a$", "a", True),
        ("^a$", "a\n", False),
        (r"^[$]\$$", "$$", True),
        (r"a\z", "a", True),
        (r"[^]a]", "b", True),
        (r"\\$", "a\\", True),
    ],
)
def test_patterns_mean_what_they_mean_in_go(pattern: str, text: str, found: bool) -> None:
    assert (patterns.compiled(pattern).search(text) is not None) is found


def test_patterns_of_a_schema_have_a_size_together() -> None:
    letters = obj(**{f"p{each}": {**STRING, "pattern": rf"^\pL{{80}}{each}$"} for each in range(20)})
    (found,) = definition.complete_violations(letters, "S")
    assert (found.path, found.reason) == ("S", "FieldValueForbidden")
    assert "patterns are too large together" in found.message
    names = obj(**{f"p{each}": {**STRING, "pattern": f"^[a-z]([-a-z0-9]*[a-z0-9])?{each}$"} for each in range(200)})
    assert list(definition.complete_violations(names, "S")) == []


# ---- all together


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.sampled_from(["multipleOf", "minimum", "maximum"]), NUMBERS), NUMBERS)
def test_any_number_is_judged_without_fail(bounds: dict[str, float], value: float) -> None:
    for each in judge.violations(obj(a={"type": "number", **bounds}), {"a": value}):
        assert each.path == "a"


def _schemas() -> st.SearchStrategy[Any]:
    leaf = st.sampled_from(
        [STRING, INTEGER, {"type": "object", **KEEP}, {**INTEGER, "default": 1}, {shape.INT_OR_STRING: True}]
    )
    return st.recursive(
        leaf,
        lambda inner: (
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(lambda found: obj(**found))
            | inner.map(array)
        ),
        max_leaves=8,
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=12,
)


@given(_schemas(), JSON)
def test_any_object_is_shaped_once_and_judged_without_fail(spec: Any, value: Any) -> None:
    assert list(definition.violations(spec, "S")) == []
    kept = shape.pruned(spec, value)
    assert shape.unknown_fields(spec, kept) == []
    assert shape.pruned(spec, kept) == kept
    filled = shape.defaulted(spec, kept)
    assert shape.defaulted(spec, filled) == filled
    for each in judge.violations(spec, filled):
        assert each.message
