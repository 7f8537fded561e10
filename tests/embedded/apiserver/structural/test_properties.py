"""Any structural schema, any JSON: pruning and filling in are done when done once, and judging always comes to an end."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.apiserver.structural import definition, judge, rules, shape

NAMES = st.sampled_from(["a", "b", "c-d", "metadata"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["", "a", "1m", "10.0.0.1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
RULES = st.sampled_from(["self == self", "has(self.a)", "self > 1", "self.all(x, x != x)", "self == oldSelf", "self."])


def _scalars() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("string")},
            optional={
                "format": st.sampled_from(
                    ["date-time", "byte", "ipv4", "cidr", "duration", "uuid", "uri", "mac", "isbn"]
                ),
                "maxLength": st.integers(0, 3),
                "pattern": st.sampled_from(["^a", "(a+)+$", "x"]),
                "default": st.just("a"),
                "nullable": st.booleans(),
                "enum": st.just(["a", "b"]),
            },
        ),
        st.fixed_dictionaries(
            {"type": st.sampled_from(["integer", "number"])},
            optional={
                "minimum": st.integers(-2, 2),
                "exclusiveMaximum": st.booleans(),
                "maximum": st.integers(-2, 2),
                "multipleOf": st.sampled_from([1, 2, 0.5]),
                "format": st.sampled_from(["int32", "int64", "double"]),
            },
        ),
        st.just({shape.INT_OR_STRING: True}),
        st.just({shape.PRESERVE: True}),
        st.just({"type": "boolean"}),
    )


def _wrapped(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    ruled = {rules.WORD: st.lists(st.fixed_dictionaries({"rule": RULES}), max_size=2)}
    return st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("array"), "items": inner},
            optional={
                "maxItems": st.integers(0, 2),
                "x-kubernetes-list-type": st.sampled_from(["atomic", "set"]),
                **ruled,
            },
        ),
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=3)},
            optional={
                "required": st.lists(NAMES, max_size=2),
                shape.PRESERVE: st.just(True),
                shape.EMBEDDED: st.just(True),
                "maxProperties": st.integers(0, 3),
                **ruled,
            },
        ),
        st.fixed_dictionaries({"type": st.just("object"), "additionalProperties": inner}, optional=ruled),
    )


SCHEMAS = st.recursive(_scalars(), _wrapped, max_leaves=6)
ROOTS = st.fixed_dictionaries({"type": st.just("object"), "properties": st.dictionaries(NAMES, SCHEMAS, max_size=3)})


@given(ROOTS, VALUES)
def test_pruning_and_filling_in_are_done_when_done_once(spec: Any, value: Any) -> None:
    pruned = shape.pruned(spec, value)
    assert shape.pruned(spec, pruned) == pruned
    assert shape.unknown_fields(spec, pruned) == []
    filled = shape.defaulted(spec, pruned)
    assert shape.defaulted(spec, filled) == filled


@given(ROOTS, VALUES, VALUES)
def test_judging_any_value_comes_to_an_end(spec: Any, value: Any, old: Any) -> None:
    found = list(judge.violations(spec, value, old))
    assert all(each.path and each.reason and each.message for each in found)
    compiled = rules.compiled(spec)
    if compiled is not None:
        assert all(each.message for each in rules.violations(compiled, value, old))


@given(ROOTS, VALUES)
def test_what_did_not_change_is_passed_over(spec: Any, value: Any) -> None:
    assert list(judge.violations(spec, value, value)) == []


@given(VALUES)
def test_any_json_is_a_schema_or_is_refused(spec: Any) -> None:
    list(definition.complete_violations(spec, "S"))


@given(ROOTS)
def test_any_structural_schema_is_judged(spec: Any) -> None:
    assert all(each.path.startswith("S") for each in definition.complete_violations(spec, "S"))
