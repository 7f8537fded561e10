from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.objects import errors, fieldsets

ELEMENTS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "i:0"])
PATHS = st.lists(
    st.tuples(ELEMENTS) | st.tuples(ELEMENTS, ELEMENTS) | st.tuples(ELEMENTS, ELEMENTS, ELEMENTS), max_size=8
)


def members(fields: fieldsets.FieldSet) -> set[fieldsets.Path]:
    found = list(fieldsets.paths(fields))
    assert len(found) == len(set(found))
    return set(found)


def inside(path: fieldsets.Path, others: set[fieldsets.Path]) -> bool:
    return any(path[: len(each)] == each for each in others)


def assert_whole(fields: fieldsets.FieldSet) -> None:
    """No branch without members, and one spelling of a member without children."""
    for node in fields.values():
        assert node != {".": {}}
        if node:
            assert set(node) - {"."}
            assert_whole({key: each for key, each in node.items() if key != "."})


@given(PATHS)
def test_a_set_holds_the_paths_it_was_made_of(paths: list[fieldsets.Path]) -> None:
    fields = fieldsets.of(paths)
    assert members(fields) == set(paths)
    assert all(fieldsets.has(fields, each) for each in paths)
    assert_whole(fields)


@given(PATHS, PATHS)
def test_union_is_that_of_members(one: list[fieldsets.Path], other: list[fieldsets.Path]) -> None:
    result = fieldsets.union(fieldsets.of(one), fieldsets.of(other))
    assert members(result) == set(one) | set(other)
    assert_whole(result)


@given(PATHS, PATHS)
def test_difference_is_that_of_members(one: list[fieldsets.Path], other: list[fieldsets.Path]) -> None:
    result = fieldsets.difference(fieldsets.of(one), fieldsets.of(other))
    assert members(result) == set(one) - set(other)
    assert_whole(result)


@given(PATHS, PATHS)
def test_intersection_is_that_of_members(one: list[fieldsets.Path], other: list[fieldsets.Path]) -> None:
    result = fieldsets.intersection(fieldsets.of(one), fieldsets.of(other))
    assert members(result) == set(one) & set(other)
    assert_whole(result)


@given(PATHS, PATHS)
def test_without_takes_what_is_inside_as_well(one: list[fieldsets.Path], other: list[fieldsets.Path]) -> None:
    result = fieldsets.without(fieldsets.of(one), fieldsets.of(other))
    assert members(result) == {each for each in one if not inside(each, set(other))}
    assert_whole(result)


@given(PATHS, PATHS, PATHS)
def test_laws(one: list[fieldsets.Path], two: list[fieldsets.Path], three: list[fieldsets.Path]) -> None:
    a, b, c = fieldsets.of(one), fieldsets.of(two), fieldsets.of(three)
    union, both, less = fieldsets.union, fieldsets.intersection, fieldsets.difference
    assert union(a, b) == union(b, a)
    assert union(a, union(b, c)) == union(union(a, b), c)
    assert union(a, a) == a
    assert both(a, b) == both(b, a) == less(a, less(a, b))
    assert union(less(a, b), both(a, b)) == a
    assert less(a, a) == {} == fieldsets.without(a, a)
    assert less(union(a, b), c) == union(less(a, c), less(b, c))


@given(PATHS, PATHS)
def test_nothing_is_changed_in_place(one: list[fieldsets.Path], two: list[fieldsets.Path]) -> None:
    a, b = fieldsets.of(one), fieldsets.of(two)
    before = copy.deepcopy((a, b))
    for operation in (fieldsets.union, fieldsets.intersection, fieldsets.difference, fieldsets.without):
        operation(a, b)
    assert (a, b) == before
    assert fieldsets.LEAF == {}


@given(PATHS)
def test_what_is_written_is_read_back(paths: list[fieldsets.Path]) -> None:
    fields = fieldsets.of(paths)
    assert fieldsets.parse(copy.deepcopy(fields)) == fields


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(
        st.sampled_from([".", "f:a", "k:{}", "v:1", "i:1", "x:1", "f", "k:[", "v:", "i:x"]), inner
    ),
    max_leaves=8,
)


@given(JSON)
def test_what_a_client_wrote_is_a_set_or_is_refused(value: Any) -> None:
    try:
        fields = fieldsets.parse(value)
    except errors.FieldSetError:
        return
    assert fieldsets.parse(fields) == fields
    assert_whole(fields)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"f:a": {".": {}}}, {"f:a": {}}),
        ({".": {}, "f:a": {}}, {"f:a": {}}),
        ({'k:{"b": 1, "a": 2}': {}}, {'k:{"a":2,"b":1}': {}}),
        ({"v: 1 ": {}}, {"v:1": {}}),
        ({"i:7": {"f:x": {}}}, {"i:7": {"f:x": {}}}),
        ({"z:future": {"f:x": {}}}, {}),
        ({"f:": {}}, {"f:": {}}),
    ],
)
def test_spellings(written: fieldsets.FieldSet, read: fieldsets.FieldSet) -> None:
    assert fieldsets.parse(written) == read


@pytest.mark.parametrize(
    "value",
    [
        [],
        "f:a",
        {"a": {}},
        {"": {}},
        {"f:a": []},
        {"k:[]": {}},
        {"k:{": {}},
        {"v:": {}},
        {"i:x": {}},
        {"i:1.5": {}},
        {"i:true": {}},
    ],
)
def test_what_is_no_set(value: Any) -> None:
    with pytest.raises(errors.FieldSetError):
        fieldsets.parse(value)


def test_a_set_nested_beyond_sense_is_refused() -> None:
    value: dict[str, Any] = {}
    for _ in range(500):
        value = {"f:a": value}
    with pytest.raises(errors.FieldSetError, match="too deep"):
        fieldsets.parse(value)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("f:spec", "f:replicas"), ".spec.replicas"),
        (("f:containers", fieldsets.by_keys({"name": "web"}), "f:image"), '.containers[name="web"].image'),
        (
            ("f:ports", fieldsets.by_keys({"protocol": "TCP", "containerPort": 80})),
            '.ports[containerPort=80,protocol="TCP"]',
        ),
        (("f:finalizers", fieldsets.by_value("a/b")), '.finalizers[="a/b"]'),
        (("f:labels", "f:app.kubernetes.io/name"), ".labels.app.kubernetes.io/name"),
        (("f:list", "i:3"), ".list[3]"),
    ],
)
def test_paths_read_as_in_kubernetes(path: fieldsets.Path, text: str) -> None:
    assert fieldsets.text(path) == text


def test_order_fields_then_elements_and_outside_in() -> None:
    fields = fieldsets.of([("v:1",), ("f:b", "f:c"), ("f:b",), ('k:{"a":1}',), ("f:a",)])
    assert list(fieldsets.paths(fields)) == [("f:a",), ("f:b",), ("f:b", "f:c"), ('k:{"a":1}',), ("v:1",)]


def test_the_root_is_in_no_set() -> None:
    assert fieldsets.of([()]) == {}
    assert not fieldsets.has(fieldsets.of([("f:a",)]), ())


def test_neither_beside_nor_inside_nor_above_a_member_is_one() -> None:
    fields = fieldsets.of([("f:a", "f:b")])
    assert [fieldsets.has(fields, each) for each in (("f:a", "f:b"), ("f:a", "f:c"), ("f:a", "f:b", "f:c"), ("f:a",))] == [
        True, False, False, False,
    ]  # fmt: skip
