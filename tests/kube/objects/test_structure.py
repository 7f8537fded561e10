from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.objects import errors, fieldsets, merging, structure

LEAF = structure.LEAF
PORTS = structure.Node(
    "keyed",
    items=structure.Node("object", {"port": LEAF, "protocol": LEAF, "name": LEAF}),
    keys=("port", "protocol"),
    defaults={"protocol": "TCP"},
)
ITEM = structure.Node("object", {"name": LEAF, "value": LEAF, "ports": PORTS})
SPEC = structure.Node(
    "object",
    {
        "replicas": LEAF,
        "selector": LEAF,
        "labels": structure.Node("object", items=LEAF),
        "items": structure.Node("keyed", items=ITEM, keys=("name",)),
        "tags": structure.Node("set", items=LEAF),
        "args": LEAF,
        "inner": structure.Node("object", {"a": LEAF, "b": LEAF}),
        "free": structure.DEDUCED,
    },
)
ROOT = structure.Node("object", {"spec": SPEC})


def texts(fields: fieldsets.FieldSet) -> list[str]:
    return [fieldsets.text(each).removeprefix(".spec") for each in fieldsets.paths(fields)]


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


MENTIONED = [
    # applied                                   owned
    (spec(replicas=1), [".replicas"]),
    (spec(replicas=None), [".replicas"]),
    (spec(selector={"a": 1}), [".selector"]),
    (spec(labels={"a": "1", "b": "2"}), [".labels.a", ".labels.b"]),
    (spec(labels={}), [".labels"]),
    (spec(tags=["x", "y"]), ['.tags[="x"]', '.tags[="y"]']),
    (spec(tags=[]), [".tags"]),
    (spec(tags=["x", "x"]), ['.tags[="x"]']),
    (spec(tags=[["x"]]), [".tags"]),
    (spec(args=[1, 2]), [".args"]),
    (spec(inner={}), [".inner"]),
    (spec(inner={"a": 1}), [".inner.a"]),
    (spec(items=[{"name": "n", "value": 1}]), ['.items[name="n"]', '.items[name="n"].name', '.items[name="n"].value']),
    (
        spec(items=[{"name": "n", "ports": [{"port": 1}]}]),
        [
            '.items[name="n"]',
            '.items[name="n"].name',
            '.items[name="n"].ports[port=1,protocol="TCP"]',
            '.items[name="n"].ports[port=1,protocol="TCP"].port',
        ],
    ),
    (spec(items=[{"value": 1}]), [".items"]),
    (spec(items=[{"name": "n", "value": 1}, {"name": "n"}]), ['.items[name="n"]']),
    (spec(free={"a": {"b": 1, "l": [1]}}), [".free.a", ".free.a.b", ".free.a.l"]),
    (spec(free=[{"name": 1}]), [".free"]),
    (spec(unknown={"a": 1}), [".unknown"]),
]


@pytest.mark.parametrize(("applied", "owned"), MENTIONED)
def test_what_is_applied_is_owned(applied: dict[str, Any], owned: list[str]) -> None:
    assert texts(structure.mentioned(ROOT, applied)) == owned


DIFFERENCES = [
    # before                           after                              changed                           removed
    (spec(replicas=1), spec(replicas=1), [], []),
    (spec(replicas=1), spec(replicas=2), [".replicas"], []),
    (spec(), spec(replicas=2), [".replicas"], []),
    (spec(replicas=1), spec(), [], [".replicas"]),
    (spec(), spec(labels={"a": "1"}), [".labels", ".labels.a"], []),
    (spec(labels={"a": "1"}), spec(labels={"a": "1", "b": "2"}), [".labels.b"], []),
    (spec(labels={"a": "1"}), spec(labels={"b": "1"}), [".labels.b"], [".labels.a"]),
    (spec(labels={"a": "1"}), spec(labels={}), [], [".labels.a"]),
    (spec(labels={"a": "1"}), spec(), [], [".labels"]),
    (spec(selector={"a": 1}), spec(selector={"a": 1, "b": 2}), [".selector"], [".selector"]),
    (spec(tags=["x", "y"]), spec(tags=["y", "z"]), ['.tags[="z"]'], ['.tags[="x"]']),
    (spec(tags=["x", "y"]), spec(tags=["y", "x"]), [], []),
    (spec(tags=["x"]), spec(tags=["x", "x"]), ['.tags[="x"]'], []),
    (spec(tags=["x"]), spec(tags=[None]), [".tags"], [".tags"]),
    (
        spec(items=[{"name": "a", "value": 1}, {"name": "b"}]),
        spec(items=[{"name": "c"}, {"name": "a", "value": 2}]),
        ['.items[name="a"].value', '.items[name="c"]', '.items[name="c"].name'],
        ['.items[name="b"]'],
    ),
    (
        spec(items=[{"name": "a", "ports": [{"port": 1, "protocol": "TCP"}]}]),
        spec(items=[{"name": "a", "ports": [{"port": 1, "name": "x"}]}]),
        ['.items[name="a"].ports[port=1,protocol="TCP"].name'],
        ['.items[name="a"].ports[port=1,protocol="TCP"].protocol'],
    ),
    (spec(free={"a": {"b": 1}}), spec(free={"a": 1}), [".free.a"], [".free.a"]),
    (spec(free={"a": 1}), spec(free={"a": {"b": 1}}), [".free.a", ".free.a.b"], []),
    (spec(inner={"a": 1}), spec(inner={"a": 1, "b": None}), [".inner.b"], []),
]


@pytest.mark.parametrize(("before", "after", "changed", "removed"), DIFFERENCES)
def test_what_became_of_an_object(
    before: dict[str, Any], after: dict[str, Any], changed: list[str], removed: list[str]
) -> None:
    found = structure.compare(ROOT, before, after)
    assert (texts(found.changed), texts(found.removed)) == (changed, removed)
    assert bool(found) == bool(changed or removed)


def test_a_struct_belongs_to_whoever_owns_something_in_it() -> None:
    fields = structure.mentioned(ROOT, spec(inner={"a": 1}, items=[{"name": "n", "ports": [{"port": 1}]}]))
    assert texts(structure.with_structs(ROOT, fields)) == [
        "",
        ".inner",
        ".inner.a",
        ".items",
        '.items[name="n"]',
        '.items[name="n"].name',
        '.items[name="n"].ports',
        '.items[name="n"].ports[port=1,protocol="TCP"]',
        '.items[name="n"].ports[port=1,protocol="TCP"].port',
    ]


MERGED = [
    # live                                    applied                              merged
    (spec(replicas=1, args=[1]), spec(args=[2]), spec(replicas=1, args=[2])),
    (spec(selector={"a": 1}), spec(selector={"b": 1}), spec(selector={"b": 1})),
    (spec(labels={"a": "1"}), spec(labels={"b": "2"}), spec(labels={"a": "1", "b": "2"})),
    (spec(labels={"a": "1"}), spec(labels={}), spec(labels={"a": "1"})),
    (spec(labels={"a": "1"}), spec(labels=None), spec(labels={"a": "1"})),
    (spec(replicas=1), spec(replicas=None), spec(replicas=None)),
    (spec(), spec(inner={"a": 1}), spec(inner={"a": 1})),
    (spec(tags=["b", "a"]), spec(tags=["a", "c"]), spec(tags=["b", "a", "c"])),
    (
        spec(items=[{"name": "a", "value": 1}, {"name": "b", "value": 2}]),
        spec(items=[{"name": "b", "value": 3}, {"name": "c"}]),
        spec(items=[{"name": "a", "value": 1}, {"name": "b", "value": 3}, {"name": "c"}]),
    ),
    (
        spec(items=[{"name": "a", "ports": [{"port": 1, "protocol": "TCP"}]}]),
        spec(items=[{"name": "a", "ports": [{"port": 1, "name": "x"}, {"port": 1, "protocol": "UDP"}]}]),
        spec(
            items=[
                {"name": "a", "ports": [{"port": 1, "protocol": "TCP", "name": "x"}, {"port": 1, "protocol": "UDP"}]}
            ]
        ),
    ),
    # A live list with repeats: what is applied stands for all of them.
    (
        spec(items=[{"name": "a", "value": 1}, {"name": "b"}, {"name": "a", "value": 2}]),
        spec(items=[{"name": "a", "value": 3}]),
        spec(items=[{"name": "a", "value": 3}, {"name": "b"}]),
    ),
    (spec(items=[{"value": 1}]), spec(items=[{"name": "a"}]), spec(items=[{"name": "a"}, {"value": 1}])),
    (spec(free={"a": {"b": 1}}), spec(free={"a": {"c": 1}}), spec(free={"a": {"b": 1, "c": 1}})),
    (spec(free={"a": [1]}), spec(free={"a": [2]}), spec(free={"a": [2]})),
    (spec(free={"a": {"b": 1}}), spec(free={"a": 1}), spec(free={"a": 1})),
]


@pytest.mark.parametrize(("live", "applied", "merged"), MERGED)
def test_merge(live: dict[str, Any], applied: dict[str, Any], merged: dict[str, Any]) -> None:
    before = copy.deepcopy((live, applied))
    assert merging.merge(ROOT, live, applied) == merged
    assert (live, applied) == before


@pytest.mark.parametrize(
    ("live", "applied", "order"),
    [
        ("abc", "ca", "bca"),
        ("abc", "axc", "abxc"),
        ("ab", "x", "abx"),
        ("abc", "cba", "cba"),
        ("abcd", "db", "acdb"),
        ("", "xy", "xy"),
        ("ab", "", "ab"),
        ("aXbYc", "cba", "XYcba"),
    ],
)
def test_the_order_of_a_merged_list(live: str, applied: str, order: str) -> None:
    merged = merging.merge(ROOT, spec(tags=list(live)), spec(tags=list(applied)))
    assert "".join(merged["spec"]["tags"]) == order


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.lists(st.sampled_from("abcdef"), unique=True))
def test_a_merged_list_has_all_and_keeps_the_order_of_what_is_applied(live: list[str], applied: list[str]) -> None:
    merged = merging.merge(ROOT, spec(tags=live), spec(tags=applied))["spec"]["tags"]
    assert sorted(merged) == sorted(set(live) | set(applied))
    assert [each for each in merged if each in applied] == applied
    assert [each for each in merged if each not in applied] == [each for each in live if each not in applied]


REMOVED = [
    # object                                     fields                        left
    (spec(replicas=1, args=[1]), [("f:spec", "f:args")], spec(replicas=1)),
    (spec(replicas=1), [("f:spec", "f:replicas")], {}),
    (spec(labels={"a": "1"}, replicas=1), [("f:spec", "f:labels", "f:a")], spec(replicas=1)),
    (spec(labels={}, replicas=1), [("f:spec", "f:labels", "f:a")], spec(labels={}, replicas=1)),
    (spec(tags=["x", "y"]), [("f:spec", "f:tags", 'v:"x"')], spec(tags=["y"])),
    (
        spec(items=[{"name": "a", "value": 1}, {"name": "b", "value": 1}]),
        [("f:spec", "f:items", 'k:{"name":"a"}'), ("f:spec", "f:items", 'k:{"name":"b"}', "f:value")],
        spec(items=[{"name": "b"}]),
    ),
    (spec(selector={"a": 1}), [("f:spec", "f:selector", "f:a")], spec(selector={"a": 1})),
    (spec(items=[{"value": 1}]), [("f:spec", "f:items", 'k:{"name":"a"}')], spec(items=[{"value": 1}])),
    (spec(replicas=1), [], spec(replicas=1)),
]


@pytest.mark.parametrize(("value", "fields", "left"), REMOVED)
def test_remove(value: dict[str, Any], fields: list[fieldsets.Path], left: dict[str, Any]) -> None:
    before = copy.deepcopy(value)
    assert merging.remove(ROOT, value, fieldsets.of(fields)) == left
    assert value == before


def test_remove_leaves_what_is_kept_though_it_is_empty() -> None:
    value = spec(labels={"a": "1"}, items=[{"name": "a", "value": 1}])
    gone = fieldsets.of([("f:spec", "f:labels", "f:a"), ("f:spec", "f:items", 'k:{"name":"a"}')])
    kept = fieldsets.of([("f:spec", "f:labels")])
    assert merging.remove(ROOT, value, gone, kept) == spec(labels={})
    assert merging.remove(ROOT, value, gone, fieldsets.of([("f:spec", "f:items")])) == spec(items=[])


@pytest.mark.parametrize(
    ("applied", "complaint"),
    [
        (spec(items=[{"name": "a"}, {"name": "a"}]), '.spec.items: duplicate entries for key [name="a"]'),
        (spec(tags=["a", "a"]), '.spec.tags: duplicate entries for key [="a"]'),
        (
            spec(items=[{"name": "a"}, {"value": 1}]),
            (
                '.spec.items: element 1: associative list with keys has an element that omits key field "name" '
                "(and doesn't have default value)"
            ),
        ),
        (spec(items=["a"]), ".spec.items: element 0: associative list with keys may not have non-map elements"),
        (spec(tags=[None]), ".spec.tags: element 0: associative list without keys has an element that is no scalar"),
        (
            spec(items=[{"name": "a", "ports": [{"port": 1}, {"port": 1, "protocol": "TCP"}]}]),
            '.spec.items[name="a"].ports: duplicate entries for key [port=1,protocol="TCP"]',
        ),
    ],
)
def test_lists_that_cannot_be_merged_are_refused(applied: dict[str, Any], complaint: str) -> None:
    with pytest.raises(errors.UnkeyedListError) as caught:
        merging.check(ROOT, applied)
    assert str(caught.value) == complaint


def test_lists_that_can_be_merged_pass() -> None:
    merging.check(ROOT, spec(items=[{"name": "a", "ports": [{"port": 1}, {"port": 2}]}], tags=["x"], args=[1, 1]))


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 2),
        "labels": st.dictionaries(st.sampled_from("ab"), st.sampled_from("12")),
        "tags": st.lists(st.sampled_from("xyz"), unique=True),
        "items": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("mno")}, optional={"value": st.integers(0, 1)}),
            unique_by=lambda each: str(each["name"]),
        ),
        "free": st.recursive(
            st.integers(0, 1), lambda inner: st.dictionaries(st.sampled_from("pq"), inner, max_size=2), max_leaves=4
        ),
    },
)


@given(VALUES, VALUES)
def test_a_merge_holds_what_is_applied_and_changes_nothing_else(live: dict[str, Any], applied: dict[str, Any]) -> None:
    merged = merging.merge(ROOT, {"spec": live}, {"spec": applied})
    spoken_of = structure.mentioned(ROOT, {"spec": applied})
    difference = structure.compare(ROOT, {"spec": live}, merged)
    assert merging.merge(ROOT, merged, {"spec": applied}) == merged
    # What changed is what was applied, a container that came about, or lies in a value that was replaced as a whole.
    ways = structure.with_structs(ROOT, spoken_of)
    assert fieldsets.difference(difference.changed, ways) == {}
    for path in fieldsets.paths(difference.removed):
        assert fieldsets.has(ways, path)


@given(VALUES, VALUES)
def test_a_comparison_is_empty_between_equals_and_tells_every_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    found = structure.compare(ROOT, {"spec": before}, {"spec": after})
    assert not structure.compare(ROOT, {"spec": before}, {"spec": copy.deepcopy(before)})
    if not found:
        assert _ordered(before) == _ordered(after)
    back = structure.compare(ROOT, {"spec": after}, {"spec": before})
    assert bool(found) == bool(back)


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(each) for key, each in value.items()}
    return sorted(value, key=str) if isinstance(value, list) else value


FITTED = [
    # owned                                             under the schema of today
    ([("f:replicas",)], [".replicas"]),
    ([("f:selector", "f:a")], [".selector"]),
    ([("f:args", "i:0"), ("f:args",)], [".args"]),
    ([("f:args", 'k:{"name":"x"}', "f:value")], [".args"]),
    ([("f:items", 'k:{"name":"x"}', "f:value", "f:deep")], ['.items[name="x"].value']),
    ([("f:labels", "f:a", "f:b")], [".labels.a"]),
    ([("f:labels", "f:a"), ("f:labels",)], [".labels", ".labels.a"]),
    ([("f:free", "f:a", "f:b")], [".free.a.b"]),
    ([("f:unknown", "f:a")], [".unknown.a"]),
    ([("f:inner", 'k:{"name":"x"}')], ['.inner[name="x"]']),
]


@pytest.mark.parametrize(("owned", "today"), FITTED)
def test_owners_of_parts_own_what_is_a_whole_now(owned: list[fieldsets.Path], today: list[str]) -> None:
    fields = fieldsets.of(("f:spec", *path) for path in owned)
    found = structure.fitted(ROOT, fields)
    assert texts(found) == today
    assert structure.fitted(ROOT, found) == found


@pytest.mark.parametrize(("applied", "owned"), MENTIONED)
def test_owners_by_the_schema_of_today_stay_as_they_are(applied: dict[str, Any], owned: list[str]) -> None:
    fields = structure.mentioned(ROOT, applied)
    assert texts(structure.fitted(ROOT, fields)) == owned
