from __future__ import annotations

import contextlib
import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.objects import errors, patch

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"])
KEYS = st.sampled_from(["a", "b", "c", "/", "~", "0"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=10
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)

# RFC 7386, appendix A: target, patch, result.
RFC_7386: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "change", "result"), RFC_7386)
def test_merge_patch_follows_the_rfc(target: Any, change: Any, result: Any) -> None:
    assert patch.merge_patch(target, change) == result


@given(target=VALUES, change=VALUES)
def test_merge_patch_changes_neither_argument_and_is_idempotent(target: Any, change: Any) -> None:
    before = copy.deepcopy((target, change))
    once = patch.merge_patch(target, change)
    assert (target, change) == before
    assert patch.merge_patch(once, change) == once


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return value


@given(old=OBJECTS, new=OBJECTS.map(without_nulls))
def test_the_patch_between_two_objects_leads_from_one_to_the_other(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert patch.merge_patch(old, patch.merge_patch_between(old, new)) == new


@given(obj=OBJECTS)
def test_nothing_is_to_be_done_between_equals(obj: dict[str, Any]) -> None:
    assert patch.merge_patch_between(obj, copy.deepcopy(obj)) == {}


def test_the_patch_between_is_the_smallest() -> None:
    old = {"a": {"b": 1, "c": [1]}, "d": 2, "e": 3}
    new = {"a": {"b": 1, "c": [1, 2]}, "d": 2}
    assert patch.merge_patch_between(old, new) == {"a": {"c": [1, 2]}, "e": None}


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), (True, 1)])
def test_numbers_and_booleans_are_not_the_same(old: Any, new: Any) -> None:
    assert patch.merge_patch_between({"a": old}, {"a": new}) == {"a": new}


def test_json_patch_applies_in_order() -> None:
    target = {"a": [1, 2], "b": {"c": 1}}
    operations = [
        {"op": "add", "path": "/a/1", "value": 9},
        {"op": "replace", "path": "/b/c", "value": 2},
        {"op": "copy", "from": "/b", "path": "/d"},
        {"op": "remove", "path": "/b"},
        {"op": "move", "from": "/d/c", "path": "/e"},
        {"op": "test", "path": "/e", "value": 2},
        {"op": "add", "path": "/a/-", "value": 3},
    ]
    assert patch.json_patch(target, operations) == {"a": [1, 9, 2, 3], "d": {}, "e": 2}
    assert target == {"a": [1, 2], "b": {"c": 1}}


@pytest.mark.parametrize(
    "operations",
    [
        {"op": "add"},
        "x",
        None,
        ["x"],
        [None],
        [{}],
        [{"op": "fly", "path": "/a"}],
        [{"op": "add", "path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "add", "path": 7, "value": 1}],
        [{"op": ["add"], "path": "/a", "value": 1}],
        [{"op": "copy", "path": "/a"}],
        [{"op": "copy", "path": "/a", "from": 3}],
    ],
)
def test_what_is_no_json_patch_is_malformed(operations: Any) -> None:
    with pytest.raises(errors.MalformedPatchError):
        patch.json_patch({"b": 1}, operations)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "test", "path": "/a", "value": True},
        {"op": "test", "path": "/nothing", "value": 2},
        {"op": "remove", "path": "/nothing"},
        {"op": "replace", "path": "/nothing", "value": 1},
        {"op": "add", "path": "/no/where", "value": 1},
        {"op": "add", "path": "/list/5", "value": 1},
        {"op": "move", "from": "/nothing", "path": "/b"},
        {"op": "move", "from": "/map", "path": "/map/inside"},
        {"op": "copy", "from": "/a/b/c", "path": "/b"},
    ],
)
def test_what_does_not_fit_the_object_is_a_conflict(operation: Any) -> None:
    target = {"a": 1, "list": [1], "map": {"x": 1}}
    with pytest.raises(errors.PatchConflictError):
        patch.json_patch(target, [operation])
    assert target == {"a": 1, "list": [1], "map": {"x": 1}}


def test_copies_cannot_multiply_without_end() -> None:
    double = {"op": "copy", "from": "/a", "path": "/a/-"}
    with pytest.raises(errors.PatchConflictError, match="copy"):
        patch.json_patch({"a": ["x" * 1000]}, [double] * 64)


def test_the_number_of_operations_is_bounded() -> None:
    with pytest.raises(errors.MalformedPatchError, match="limit"):
        patch.json_patch({"a": 1}, [{"op": "test", "path": "/a", "value": 1}] * (patch.MAX_OPERATIONS + 1))


POINTERS = st.lists(KEYS | st.just("-"), max_size=3).map(lambda keys: "".join(f"/{key}" for key in keys)) | st.just("x")
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"])},
        optional={"path": POINTERS | SCALARS, "from": POINTERS | SCALARS, "value": VALUES},
    )
    | VALUES,
    max_size=4,
)


@given(target=OBJECTS, operations=OPERATIONS)
def test_whatever_is_sent_applies_or_is_a_patch_error(target: dict[str, Any], operations: list[Any]) -> None:
    before = copy.deepcopy(target)
    with contextlib.suppress(errors.PatchError):
        patch.json_patch(target, operations)
    assert target == before


@given(VALUES, VALUES)
def test_a_json_patch_between_two_leads_from_one_to_the_other(old: Any, new: Any) -> None:
    operations = patch.json_patch_between({"x": old}, {"x": new})
    assert orjson.dumps(patch.json_patch({"x": old}, operations), option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        {"x": new}, option=orjson.OPT_SORT_KEYS
    )


@given(VALUES)
def test_between_equals_there_is_no_json_patch(value: Any) -> None:
    assert patch.json_patch_between(value, orjson.loads(orjson.dumps(value))) == []


@pytest.mark.parametrize(
    ("old", "new", "operations"),
    [
        ([1, 2], [0, 1, 2], [{"op": "add", "path": "/0", "value": 0}]),
        ([1, 2, 3], [1, 3], [{"op": "remove", "path": "/1"}]),
        ([1, 2, 3], [], [{"op": "remove", "path": f"/{index}"} for index in (2, 1, 0)]),
        ([{"a": 1}], [{"a": 2}], [{"op": "replace", "path": "/0/a", "value": 2}]),
        ({"a/b": 1}, {"a/b": True}, [{"op": "replace", "path": "/a~1b", "value": True}]),
    ],
)
def test_a_json_patch_between_says_no_more_than_it_must(old: Any, new: Any, operations: Any) -> None:
    assert patch.json_patch_between(old, new) == operations


# RFC 6902, appendix A: target, patch, result (None: refused).
RFC_6902: list[tuple[str, Any, Any, Any]] = [
    ("A.1", {"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ("A.2", {"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "q"}], {"foo": ["bar", "q", "baz"]}),
    ("A.3", {"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ("A.4", {"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    ("A.5", {"baz": "qux", "foo": "bar"}, [{"op": "replace", "path": "/baz", "value": 1}], {"baz": 1, "foo": "bar"}),
    (
        "A.6",
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    ("A.7", {"foo": [1, 2, 3, 4]}, [{"op": "move", "from": "/foo/1", "path": "/foo/3"}], {"foo": [1, 3, 4, 2]}),
    (
        "A.8",
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    ("A.9", {"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "bar"}], None),
    ("A.10", {"foo": "bar"}, [{"op": "add", "path": "/c", "value": {"g": {}}}], {"foo": "bar", "c": {"g": {}}}),
    ("A.11", {"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "q", "xyz": 123}], {"foo": "bar", "baz": "q"}),
    ("A.12", {"foo": "bar"}, [{"op": "add", "path": "/baz/bat", "value": "qux"}], None),
    ("A.14", {"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ("A.15", {"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": "10"}], None),
    ("A.16", {"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["a"]}], {"foo": ["bar", ["a"]]}),
]


@pytest.mark.parametrize(("row", "target", "operations", "result"), RFC_6902, ids=[row[0] for row in RFC_6902])
def test_json_patch_follows_the_rfc(row: str, target: Any, operations: Any, result: Any) -> None:
    del row
    before = copy.deepcopy(target)
    if result is None:
        with pytest.raises(errors.PatchError):
            patch.json_patch(target, operations)
    else:
        assert patch.json_patch(target, operations) == result
    assert target == before


def test_a_list_of_ones_is_no_list_of_trues() -> None:
    assert patch.merge_patch_between({"a": [1], "b": [0, {"c": 1}]}, {"a": [True], "b": [0, {"c": 1}]}) == {"a": [True]}
