"""Who owns what after a sequence of writes: tables of cases, and a naive model that knows leaf paths only."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.kube.objects import errors, fieldsets, managedfields, merging, structure

LEAF = structure.LEAF
ITEM = structure.Node("object", {"name": LEAF, "value": LEAF, "more": structure.Node("object", items=LEAF)})
ROOT = structure.Node(
    "object",
    {
        "a": LEAF,
        "b": LEAF,
        "atomic": LEAF,
        "struct": structure.Node("object", {"name": LEAF, "value": LEAF}),
        "map": structure.Node("object", items=LEAF),
        "list": structure.Node("keyed", items=ITEM, keys=("name",)),
        "set": structure.Node("set", items=LEAF),
        "any": structure.DEDUCED,
    },
)


class World:
    """An object and its entries, written to in turns."""

    def __init__(self) -> None:
        self.obj: dict[str, Any] = {}
        self.entries: list[managedfields.Entry] = []
        self.clock = 0

    def _author(self, manager: str, operation: managedfields.Operation, part: str = "") -> managedfields.Author:
        self.clock += 1
        return managedfields.Author(manager, operation, "v1", f"2026-01-01T00:00:{self.clock:02}Z", part)

    def apply(self, manager: str, config: dict[str, Any], *, force: bool = False) -> World:
        merging.check(ROOT, config)
        scene = managedfields.Scene(ROOT, self.obj, self.entries)
        result = managedfields.applied(scene, config, self._author(manager, "Apply"), force=force)
        self.obj, self.entries = result.obj, result.entries
        return self

    def update(self, manager: str, obj: dict[str, Any], part: str = "") -> World:
        difference = structure.compare(ROOT, self.obj, obj)
        self.entries = managedfields.updated(self.entries, difference, self._author(manager, "Update", part))
        self.obj = obj
        return self

    def owned(self) -> dict[str, list[str]]:
        return {
            f"{each['manager']}/{each['operation']}": [
                fieldsets.text(path) for path in fieldsets.paths(managedfields.owned(each))
            ]
            for each in self.entries
        }

    def times(self) -> dict[str, int]:
        return {each["manager"]: int(each["time"][-3:-1]) for each in self.entries}


class TestUpdate:
    def test_who_makes_an_object_owns_all_of_it(self) -> None:
        world = World().update("m", {"a": 1, "map": {"x": "1"}, "struct": {"name": "n"}, "list": [{"name": "i"}]})
        assert world.owned() == {
            "m/Update": [
                ".a", ".list", '.list[name="i"]', '.list[name="i"].name', ".map", ".map.x", ".struct.name",
            ]
        }  # fmt: skip

    def test_who_changes_a_value_takes_it_over(self) -> None:
        world = World().update("m", {"a": 1, "b": 1}).update("n", {"a": 1, "b": 2})
        assert world.owned() == {"m/Update": [".a"], "n/Update": [".b"]}

    def test_an_unchanged_value_stays_with_its_owner_and_time_stands_still(self) -> None:
        world = World().update("m", {"a": 1}).update("n", {"a": 1})
        assert world.owned() == {"m/Update": [".a"]}
        assert world.times() == {"m": 1}

    def test_who_owns_nothing_has_no_entry(self) -> None:
        world = World().update("m", {"a": 1}).update("n", {"a": 2})
        assert world.owned() == {"n/Update": [".a"]}
        assert World().update("m", {"a": 1}).update("m", {}).entries == []

    def test_what_is_removed_is_lost_to_all_with_what_is_inside(self) -> None:
        world = World().update("m", {"list": [{"name": "i"}], "a": 1})
        world.update("n", {"list": [{"name": "i", "value": 2}], "a": 1}).update("o", {"a": 1})
        assert world.owned() == {"m/Update": [".a"]}

    def test_only_who_changed_something_gets_a_new_time(self) -> None:
        world = World().update("m", {"a": 1, "b": 1}).update("n", {"a": 1, "b": 2}).update("m", {"a": 3, "b": 2})
        assert world.times() == {"m": 3, "n": 2}

    def test_who_only_removes_keeps_its_time(self) -> None:
        world = World().update("m", {"a": 1, "b": 1}).update("m", {"a": 1})
        assert world.owned() == {"m/Update": [".a"]}
        assert world.times() == {"m": 1}

    def test_parts_of_an_object_have_entries_of_their_own(self) -> None:
        world = World().update("m", {"a": 1}).update("m", {"a": 1, "b": 1}, "status")
        assert [(each["manager"], each.get("subresource")) for each in world.entries] == [("m", None), ("m", "status")]

    def test_versions_have_entries_of_their_own(self) -> None:
        one = managedfields.updated(
            [], structure.compare(ROOT, {}, {"a": 1}), managedfields.Author("m", "Update", "v1", "t")
        )
        both = managedfields.updated(
            one, structure.compare(ROOT, {}, {"b": 1}), managedfields.Author("m", "Update", "v2", "t")
        )
        assert [each["apiVersion"] for each in both] == ["v1", "v2"]

    def test_the_oldest_of_many_updaters_are_put_together(self) -> None:
        world = World()
        for number in range(13):
            world.update(f"m{number:02}", {**world.obj, "map": {**world.obj.get("map", {}), str(number): "x"}})
        names = [each["manager"] for each in world.entries]
        assert len(names) == managedfields.UPDATERS_KEPT
        assert set(names) == {"ancient-changes", *(f"m{number:02}" for number in range(4, 13))}
        ancient = world.entries[names.index("ancient-changes")]
        assert list(fieldsets.paths(ancient["fieldsV1"])) == [
            ("f:map",), ("f:map", "f:0"), ("f:map", "f:1"), ("f:map", "f:2"), ("f:map", "f:3"),
        ]  # fmt: skip
        assert ancient["time"] == "2026-01-01T00:00:04Z"

    def test_appliers_are_never_put_together(self) -> None:
        world = World()
        for number in range(13):
            world.apply(f"m{number:02}", {"map": {str(number): "x"}})
        assert len(world.entries) == 13


class TestApply:
    def test_who_applies_owns_what_it_applies(self) -> None:
        world = World().apply("m", {"a": 1, "map": {"x": "1"}, "struct": {"name": "n"}})
        assert world.owned() == {"m/Apply": [".a", ".map.x", ".struct.name"]}
        assert world.obj == {"a": 1, "map": {"x": "1"}, "struct": {"name": "n"}}

    def test_what_is_no_longer_applied_goes(self) -> None:
        world = (
            World().apply("m", {"a": 1, "b": 1, "map": {"x": "1", "y": "1"}}).apply("m", {"a": 1, "map": {"x": "1"}})
        )
        assert world.obj == {"a": 1, "map": {"x": "1"}}
        assert world.owned() == {"m/Apply": [".a", ".map.x"]}

    def test_what_another_applies_as_well_stays(self) -> None:
        world = World().apply("m", {"a": 1, "b": 1}).apply("n", {"a": 1}).apply("m", {"b": 1})
        assert world.obj == {"a": 1, "b": 1}
        assert world.owned() == {"m/Apply": [".b"], "n/Apply": [".a"]}

    def test_what_another_took_over_stays(self) -> None:
        world = World().apply("m", {"a": 1}).update("n", {"a": 2}).apply("m", {})
        assert world.obj == {"a": 2}
        assert world.owned() == {"n/Update": [".a"]}

    def test_a_change_of_what_another_owns_is_a_conflict(self) -> None:
        world = World().apply("m", {"a": 1, "b": 1})
        with pytest.raises(errors.ApplyConflictError) as caught:
            world.apply("n", {"a": 2})
        assert caught.value.conflicts == [('"m"', ".a")]
        assert str(caught.value) == 'Apply failed with 1 conflict: conflict with "m": .a'
        assert world.obj == {"a": 1, "b": 1}

    def test_several_conflicts_are_told_by_manager(self) -> None:
        world = (
            World()
            .update("m", {"a": 1, "b": 1})
            .apply("k", {"map": {"x": "1"}})
            .update("s", {**world_obj(), "set": ["x"]}, "status")
        )
        with pytest.raises(errors.ApplyConflictError) as caught:
            world.apply("n", {"a": 2, "b": 2, "map": {"x": "2"}})
        assert str(caught.value) == (
            'Apply failed with 3 conflicts: conflicts with "k":\n- .map.x\nconflicts with "m" using v1:\n- .a\n- .b'
        )

    def test_a_part_is_named_in_a_conflict(self) -> None:
        world = World().update("m", {"a": 1}, "scale")
        with pytest.raises(errors.ApplyConflictError) as caught:
            world.apply("n", {"a": 2})
        assert (
            str(caught.value) == 'Apply failed with 1 conflict: conflict with "m" with subresource "scale" using v1: .a'
        )

    def test_force_takes_over(self) -> None:
        world = World().apply("m", {"a": 1, "b": 1}).apply("n", {"a": 2}, force=True)
        assert world.obj == {"a": 2, "b": 1}
        assert world.owned() == {"m/Apply": [".b"], "n/Apply": [".a"]}

    def test_the_same_value_is_shared(self) -> None:
        world = World().apply("m", {"a": 1}).apply("n", {"a": 1})
        assert world.owned() == {"m/Apply": [".a"], "n/Apply": [".a"]}

    def test_ones_own_update_is_anothers(self) -> None:
        world = World().update("m", {"a": 1})
        with pytest.raises(errors.ApplyConflictError, match=r'"m" using v1: \.a'):
            world.apply("m", {"a": 2})

    def test_who_applies_nothing_has_no_entry(self) -> None:
        world = World().apply("m", {"a": 1}).apply("m", {})
        assert (world.obj, world.entries) == ({}, [])

    def test_applying_the_same_again_changes_nothing(self) -> None:
        world = World().apply("m", {"a": 1, "list": [{"name": "i"}]})
        before = copy.deepcopy((world.obj, world.entries))
        world.apply("m", {"a": 1, "list": [{"name": "i"}]})
        assert (world.obj, world.entries) == before

    def test_an_atomic_value_is_owned_and_replaced_as_a_whole(self) -> None:
        world = World().apply("m", {"atomic": {"x": 1}}).apply("m", {"atomic": {"y": 1}})
        assert world.obj == {"atomic": {"y": 1}}
        with pytest.raises(errors.ApplyConflictError, match=r"\.atomic"):
            world.apply("n", {"atomic": {"y": 1, "z": 1}})

    def test_an_element_goes_with_what_others_put_into_it(self) -> None:
        world = World().apply("m", {"list": [{"name": "i"}, {"name": "j"}]})
        world.update("n", {"list": [{"name": "i", "value": 1}, {"name": "j"}]}).apply("m", {"list": [{"name": "j"}]})
        assert world.obj == {"list": [{"name": "j"}]}
        assert world.owned() == {"m/Apply": ['.list[name="j"]', '.list[name="j"].name']}

    def test_an_element_that_another_applies_stays_without_what_only_i_wanted(self) -> None:
        world = World().apply("m", {"list": [{"name": "i", "value": 1}]})
        world.apply("n", {"list": [{"name": "i", "more": {"x": "1"}}]}).apply("m", {})
        assert world.obj == {"list": [{"name": "i", "more": {"x": "1"}}]}

    def test_sets_are_shared(self) -> None:
        world = World().apply("m", {"set": ["a", "b"]}).apply("n", {"set": ["b", "c"]}).apply("m", {"set": ["a"]})
        assert sorted(world.obj["set"]) == ["a", "b", "c"]
        assert World().apply("m", {"set": ["a", "b"]}).apply("m", {"set": ["a"]}).obj == {"set": ["a"]}

    @pytest.mark.parametrize("name", ["list", "set", "map", "struct"])
    def test_null_says_nothing_of_what_others_put_there(self, name: str) -> None:
        held = {"list": [{"name": "i", "value": 1}], "set": ["a"], "map": {"x": "1"}, "struct": {"name": "n"}}[name]
        world = World().apply("m", {name: held}).apply("n", {name: None})
        assert world.obj == {name: held}
        assert world.owned()["n/Apply"] == [f".{name}"]
        assert world.apply("n", {}).obj == {name: held}
        assert world.apply("m", {}).obj == {}

    @pytest.mark.parametrize("name", ["list", "set", "map", "struct"])
    def test_null_replaces_what_is_empty(self, name: str) -> None:
        empty: Any = [] if name in ("list", "set") else {}
        assert World().apply("m", {name: empty}).apply("m", {name: None}).obj == {name: None}

    def test_null_replaces_what_is_kept_as_a_whole_and_its_owner_objects(self) -> None:
        world = World().apply("m", {"atomic": [1], "a": 1})
        with pytest.raises(errors.ApplyConflictError, match=r"(?s)\.a\n.*\.atomic"):
            world.apply("n", {"atomic": None, "a": None})
        assert world.apply("m", {"atomic": None, "a": None}).obj == {"atomic": None, "a": None}

    def test_a_scalar_becomes_a_map_and_its_owner_loses_it(self) -> None:
        world = World().apply("m", {"any": {"x": 1}})
        with pytest.raises(errors.ApplyConflictError, match=r"\.any\.x"):
            world.apply("n", {"any": {"x": {"y": 1}}})
        world.apply("n", {"any": {"x": {"y": 1}}}, force=True)
        assert world.owned() == {"n/Apply": [".any.x", ".any.x.y"]}

    def test_a_map_becomes_a_scalar_and_what_was_owned_inside_is_nobodys(self) -> None:
        world = World().apply("m", {"any": {"x": {"y": 1}}}).update("o", {"any": {"x": {"y": 1, "z": 2}}})
        with pytest.raises(errors.ApplyConflictError, match=r'conflict with "m": \.any\.x$'):
            world.apply("n", {"any": {"x": 5}})
        world.apply("n", {"any": {"x": 5}}, force=True)
        assert (world.obj, world.owned()) == ({"any": {"x": 5}}, {"n/Apply": [".any.x"]})

    def test_one_is_not_true(self) -> None:
        world = World().apply("m", {"any": {"x": 1, "y": [0]}})
        with pytest.raises(errors.ApplyConflictError, match=r"(?s)\.any\.x\n.*\.any\.y"):
            world.apply("n", {"any": {"x": True, "y": [False]}})
        world.update("o", {"any": {"x": True, "y": [0]}})
        assert world.owned() == {"m/Apply": [".any.y"], "o/Update": [".any.x"]}

    def test_the_same_in_another_order_is_no_change(self) -> None:
        world = World().apply("m", {"atomic": {"x": [1.0], "y": 2}, "map": {"a": "1", "b": "2"}})
        world.apply("n", {"atomic": {"y": 2, "x": [1]}, "map": {"b": "2", "a": "1"}})
        assert [each["manager"] for each in world.entries] == ["m", "n"]

    def test_empty_maps_are_shared_and_go_with_their_last_owner(self) -> None:
        world = World().apply("m", {"any": {}, "map": {}}).apply("n", {"any": {"x": {}}})
        assert world.owned() == {"m/Apply": [".any", ".map"], "n/Apply": [".any.x"]}
        assert world.apply("m", {}).obj == {"any": {"x": {}}}
        assert world.apply("n", {}).obj == {}

    def test_elements_told_twice_are_one_value_until_somebody_names_them(self) -> None:
        """As stored before the list had keys: together they are changed and owned."""
        world = World().update("o", {"list": [{"name": "i", "value": 1}, {"name": "i", "value": 2}, {"name": "j"}]})
        assert '.list[name="i"]' in world.owned()["o/Update"]
        world.apply("m", {"list": [{"name": "k"}]})
        assert [each["name"] for each in world.obj["list"]] == ["i", "i", "j", "k"]
        with pytest.raises(errors.ApplyConflictError, match=r'\.list\[name="i"\]$'):
            world.apply("m", {"list": [{"name": "i", "value": 3}]})
        world.apply("m", {"list": [{"name": "i", "value": 3}]}, force=True)
        assert world.obj == {"list": [{"name": "i", "value": 3}, {"name": "j"}]}
        assert world.owned()["o/Update"] == [".list", '.list[name="j"]', '.list[name="j"].name']


def test_entries_that_fit_are_the_same_ones() -> None:
    entries = World().apply("m", {"list": [{"name": "i"}]}).apply("n", {"a": 1}).entries
    whole = structure.Node("object", {"a": LEAF, "list": LEAF})
    fitted = managedfields.fitted(whole, entries)
    assert fitted[0] == {**entries[0], "fieldsV1": {"f:list": {}}}
    assert fitted[1] is entries[1]


KEYED = structure.Node(
    "object",
    {
        "ports": structure.Node(
            "keyed",
            items=structure.Node("object", {"port": LEAF, "protocol": LEAF, "name": LEAF}),
            keys=("port", "protocol"),
            defaults={"protocol": "TCP"},
        )
    },
)


class TestDefaultedKeys:
    """A key that is left out is the one it would get: the element is found, and its owner need not spell it."""

    def applied(self, live: dict[str, Any], entries: Any, config: dict[str, Any]) -> managedfields.Application:
        author = managedfields.Author("m", "Apply", "v1", "2026-01-01T00:00:00Z")
        return managedfields.applied(managedfields.Scene(KEYED, live, entries), config, author, force=False)

    def test_left_out_and_spelt_are_one_element(self) -> None:
        first = self.applied({}, (), {"ports": [{"port": 1}]})
        filled = {"ports": [{"port": 1, "protocol": "TCP"}]}
        named = self.applied(filled, first.entries, {"ports": [{"port": 1, "name": "n"}]})
        assert named.obj == {"ports": [{"port": 1, "protocol": "TCP", "name": "n"}]}
        assert self.applied(named.obj, named.entries, {"ports": [{"port": 1, "protocol": "TCP"}]}).obj == filled

    def test_what_is_not_applied_any_more_goes_with_the_default_that_was_filled_in(self) -> None:
        first = self.applied({}, (), {"ports": [{"port": 1}, {"port": 1, "protocol": "UDP"}]})
        filled = {"ports": [{"port": 1, "protocol": "TCP"}, {"port": 1, "protocol": "UDP"}]}
        left = self.applied(filled, first.entries, {"ports": [{"port": 1, "protocol": "UDP"}]})
        assert left.obj == {"ports": [{"port": 1, "protocol": "UDP"}]}

    def test_both_spellings_at_once_are_one_too_many(self) -> None:
        with pytest.raises(errors.UnkeyedListError, match=r'duplicate entries for key \[port=1,protocol="TCP"\]'):
            merging.check(KEYED, {"ports": [{"port": 1}, {"port": 1, "protocol": "TCP"}]})

    def test_without_a_default_a_key_has_to_be_there(self) -> None:
        with pytest.raises(errors.UnkeyedListError, match='omits key field "port"'):
            merging.check(KEYED, {"ports": [{"protocol": "TCP"}]})


def world_obj() -> dict[str, Any]:
    return {"a": 1, "b": 1, "map": {"x": "1"}}


class TestStructs:
    """Cases in which a struct is left empty, dropped or kept for another."""

    def test_all_of_it_goes(self) -> None:
        assert World().apply("m", {"struct": {"name": "a", "value": 1}}).apply("m", {}).obj == {}

    def test_another_keeps_it(self) -> None:
        world = World().apply("m", {"struct": {"name": "a"}}).update("c", {"struct": {"name": "a", "value": 1}})
        assert world.apply("m", {}).obj == {"struct": {"value": 1}}

    def test_applied_empty_it_is_kept_for_another(self) -> None:
        world = World().apply("m", {"struct": {"name": "a"}}).update("c", {"struct": {"name": "a", "value": 1}})
        assert world.apply("m", {"struct": {}}).obj == {"struct": {"value": 1}}

    def test_what_was_taken_over_stays(self) -> None:
        world = World().apply("m", {"struct": {"name": "a"}}).update("c", {"struct": {"name": "b", "value": 1}})
        assert world.apply("m", {"struct": None}).obj == {"struct": {"name": "b", "value": 1}}

    def test_what_nobody_owns_goes_with_the_struct(self) -> None:
        """Such as the defaults that the server filled into it."""
        world = World().apply("m", {"struct": {"name": "a"}})
        world.obj = {"struct": {"name": "a", "value": 1}}
        assert world.apply("m", {}).obj == {}

    def test_what_nobody_owns_stays_beside_what_is_applied(self) -> None:
        world = World().apply("m", {"struct": {"name": "a"}, "a": 1})
        world.obj = {"struct": {"name": "a", "value": 1}, "a": 1, "b": 7}
        assert world.apply("m", {"struct": {"name": "b"}}).obj == {"struct": {"name": "b", "value": 1}, "b": 7}


class TestBeforeFirstApply:
    def test_an_unknown_past_is_somebodys(self) -> None:
        world = World()
        world.obj = {"a": 1}
        world.entries = managedfields.before_first_apply(structure.compare(ROOT, {}, world.obj), "v1", "t")
        assert world.owned() == {"before-first-apply/Update": [".a"]}
        with pytest.raises(errors.ApplyConflictError, match=r'conflict with "before-first-apply" using v1: \.a'):
            world.apply("m", {"a": 2})


GOOD = {"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:a": {}}}


class TestWhatClientsWrite:
    @pytest.mark.parametrize(
        ("entries", "reset"), [([], True), ([{}], True), (None, False), ([{}, {}], False), ([GOOD], False)]
    )
    def test_reset(self, entries: Any, reset: bool) -> None:
        assert managedfields.is_reset(entries) is reset

    def test_entries_are_read(self) -> None:
        assert managedfields.readable([GOOD]) == [GOOD]
        assert managedfields.readable([{**GOOD, "fieldsV1": {"f:a": {".": {}}}, "odd": 1}]) == [GOOD]

    @pytest.mark.parametrize(
        "spoilt",
        [
            {"operation": "Delete"},
            {"apiVersion": ""},
            {"fieldsType": "FieldsV2"},
            {"fieldsV1": {"a": {}}},
            {"fieldsV1": []},
        ],
    )
    def test_one_that_cannot_be_read_spoils_all(self, spoilt: dict[str, Any]) -> None:
        expected = None if spoilt != {"fieldsV1": []} else [{**GOOD, "fieldsV1": {}}]
        assert managedfields.readable([GOOD, {**GOOD, **spoilt}]) == (None if expected is None else [GOOD, *expected])

    @pytest.mark.parametrize("entries", [None, "x", {}, [], ["x"], [None]])
    def test_what_is_no_list_of_entries(self, entries: Any) -> None:
        assert managedfields.readable(entries) is None


# A model that knows nothing of sets and structures: an object is its leaf paths, an owner is a set of them.

Leaves = dict[tuple[str, ...], Any]


def leaves(obj: dict[str, Any]) -> Leaves:
    return dict(_leaves(obj))


def _leaves(obj: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in ("a", "b"):
        if name in obj:
            yield (f"f:{name}",), obj[name]
    for name in ("struct", "map"):
        for key, value in obj.get(name, {}).items():
            yield (f"f:{name}", f"f:{key}"), value
    for value in obj.get("set", []):
        yield ("f:set", fieldsets.by_value(value)), True
    for item in obj.get("list", []):
        at = ("f:list", fieldsets.by_keys({"name": item["name"]}))
        yield at, True
        for key in ("name", "value"):
            if key in item:
                yield (*at, f"f:{key}"), item[key]


def under(path: tuple[str, ...], others: set[tuple[str, ...]]) -> bool:
    return any(path[: len(each)] == each for each in others)


@dataclasses.dataclass
class Model:
    live: Leaves = dataclasses.field(default_factory=dict)
    owners: dict[tuple[str, str], set[tuple[str, ...]]] = dataclasses.field(default_factory=dict)

    def _become(self, new: Leaves, writer: tuple[str, str]) -> set[tuple[str, ...]]:
        changed = {path for path, value in new.items() if self.live.get(path) != value or path not in self.live}
        removed = self.live.keys() - new.keys()
        for name, paths in self.owners.items():
            self.owners[name] = paths - removed - (changed if name != writer else set())
        self.live = new
        return changed

    def update(self, manager: str, obj: dict[str, Any]) -> None:
        writer = (manager, "Update")
        changed = self._become(leaves(obj), writer)
        self.owners[writer] = self.owners.get(writer, set()) | changed

    def apply(self, manager: str, config: dict[str, Any], *, force: bool) -> bool:
        writer, wanted = (manager, "Apply"), leaves(config)
        others = set().union(*(paths for name, paths in self.owners.items() if name != writer))
        dropped = self.owners.get(writer, set()) - wanted.keys() - others
        new = {path: value for path, value in {**self.live, **wanted}.items() if not under(path, dropped)}
        changed = {path for path, value in new.items() if path not in self.live or self.live[path] != value}
        if changed & others and not force:
            return False
        self._become(new, writer)
        self.owners[writer] = set(wanted)
        return True

    def known(self) -> dict[tuple[str, str], set[tuple[str, ...]]]:
        return {name: paths for name, paths in self.owners.items() if paths}


OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "a": st.integers(0, 1),
        "b": st.integers(0, 1),
        "struct": st.fixed_dictionaries({"name": st.sampled_from("xy")}, optional={"value": st.integers(0, 1)}),
        "map": st.dictionaries(st.sampled_from("kl"), st.sampled_from("01"), min_size=1),
        "set": st.lists(st.sampled_from("pqr"), unique=True, min_size=1),
        "list": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("mn")}, optional={"value": st.integers(0, 1)}),
            min_size=1,
            unique_by=lambda each: str(each["name"]),
        ),
    },
)
STEPS = st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["apply", "force", "update"]), OBJECTS), max_size=8)


def modelled(entry: managedfields.Entry) -> set[tuple[str, ...]]:
    """What the model knows of an entry: containers are no leaves."""
    containers = {("f:map",), ("f:set",), ("f:list",), ("f:struct",)}
    return {path for path in fieldsets.paths(managedfields.owned(entry)) if path not in containers}


@settings(max_examples=150)
@given(STEPS)
def test_three_managers_and_the_model_agree(steps: list[tuple[str, str, dict[str, Any]]]) -> None:
    world, model = World(), Model()
    for manager, verb, obj in steps:
        if verb == "update":
            world.update(manager, obj)
            model.update(manager, obj)
        else:
            try:
                world.apply(manager, obj, force=verb == "force")
            except errors.ApplyConflictError:
                assert not model.apply(manager, obj, force=verb == "force")
                continue
            assert model.apply(manager, obj, force=verb == "force")
            found = leaves(world.obj)
            assert all(found[path] == value for path, value in leaves(obj).items())
        assert leaves(world.obj) == model.live
        known = {(each["manager"], each["operation"]): modelled(each) for each in world.entries}
        assert {name: paths for name, paths in known.items() if paths} == model.known()


@given(STEPS, OBJECTS)
def test_nothing_that_nobody_wanted_gone_is_removed(
    steps: list[tuple[str, str, dict[str, Any]]], config: dict[str, Any]
) -> None:
    world = World()
    for manager, verb, obj in steps:
        if verb == "update":
            world.update(manager, obj)
        else:
            world.apply(manager, obj, force=True)
    before = leaves(world.obj)
    mine = set().union(
        *(modelled(each) for each in world.entries if (each["manager"], each["operation"]) == ("A", "Apply"))
    )
    world.apply("A", config, force=True)
    gone = before.keys() - leaves(world.obj).keys()
    assert all(under(path, mine) for path in gone)
