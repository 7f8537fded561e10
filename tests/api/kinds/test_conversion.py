"""How fields of today are filled, and what is remembered of it."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api import names
from brickyard.api.kinds import conversion, resources, shapes

NEW = ("spec", "cache", "image")
MEMORY = ("metadata", "annotations", names.CONVERTED)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def filled(obj: resources.Object, value: Any, path: conversion.Path = NEW) -> resources.Object:
    draft = conversion.Draft(obj)
    draft.fill(path, value)
    return draft.done().obj


def memory(obj: resources.Object) -> Any:
    return orjson.loads(shapes.at(obj, *MEMORY) or "{}")


class TestFill:
    def test_what_is_absent(self) -> None:
        assert shapes.at(filled({}, "a"), *NEW) == "a"

    @pytest.mark.parametrize("holder", [None, {}, {"cache": None}, {"cache": {"image": None}}])
    def test_nulls_are_absences(self, holder: Any) -> None:
        assert shapes.at(filled({"spec": holder}, "a"), *NEW) == "a"

    @pytest.mark.parametrize("holder", [[], 7, "x", False, {"cache": "x"}, {"cache": []}])
    def test_what_stands_in_the_way_is_left_to_the_schema(self, holder: Any) -> None:
        draft = conversion.Draft({"spec": holder})
        assert not draft.fill(NEW, "a")
        assert draft.done().obj == {"spec": holder}

    @pytest.mark.parametrize("metadata", ["x", [], {"annotations": []}, {"annotations": "x"}])
    def test_without_room_for_the_memory(self, metadata: Any) -> None:
        assert filled({"metadata": metadata}, "a") == {"metadata": metadata, "spec": {"cache": {"image": "a"}}}

    @pytest.mark.parametrize("value", ["", "b", 0, False, [], {}])
    def test_what_was_given_wins(self, value: Any) -> None:
        obj = {"spec": {"cache": {"image": value}}}
        draft = conversion.Draft(obj)
        assert not draft.fill(NEW, "a")
        assert draft.done().obj == obj

    def test_what_was_filled_is_filled_anew(self) -> None:
        assert shapes.at(filled(filled({}, "a"), "b"), *NEW) == "b"

    def test_what_was_changed_since_counts_as_given(self) -> None:
        obj = shapes.placed(filled({}, "a"), NEW, "own")
        assert shapes.at(filled(obj, "b"), *NEW) == "own"

    def test_what_was_taken_away_since_is_filled_anew(self) -> None:
        obj = shapes.without(filled({}, "a"), NEW)
        assert shapes.at(filled(obj, "b"), *NEW) == "b"

    def test_siblings_stay(self) -> None:
        obj = filled({"spec": {"cache": {"replicas": 2}, "mode": "x"}, "metadata": {"annotations": {"a": "b"}}}, "a")
        assert obj["spec"] == {"cache": {"replicas": 2, "image": "a"}, "mode": "x"}
        assert obj["metadata"]["annotations"]["a"] == "b"


class TestMemory:
    def test_it_names_fields_and_values(self) -> None:
        assert memory(filled({}, {"a": 1})) == {"spec/cache/image": {"a": 1}}

    def test_keys_with_slashes(self) -> None:
        path = ("metadata", "annotations", "a.b/c~d")
        obj = filled({}, "x", path)
        assert memory(obj) == {"metadata/annotations/a.b~1c~0d": "x"}
        assert shapes.at(filled(obj, "y", path), *path) == "y"

    def test_it_stays_while_the_value_does(self) -> None:
        """A write that brings no legacy key says nothing about who filled the field."""
        obj = filled({}, "a")
        assert conversion.Draft(obj).done().obj == obj

    def test_it_goes_with_the_value(self) -> None:
        obj = shapes.placed(filled({}, "a"), NEW, "own")
        assert memory(conversion.Draft(obj).done().obj) == {}
        assert shapes.at(conversion.Draft(obj).done().obj, *MEMORY) is None

    @pytest.mark.parametrize(
        ("value", "stored", "same"),
        [
            ({"a": 1}, {"a": 1, "defaulted": 2}, True),
            ([{"a": 1}], [{"a": 1, "defaulted": 2}], True),
            ([1, 2], [1, 2, 3], False),
            ([1, 2], [2, 1], False),
            ({"a": 1}, {"a": 2}, False),
            ({"a": 1}, {}, False),
            ({"a": 1}, [1], False),
            (1, True, False),
            (1, 1.0, False),
            ("1", 1, False),
        ],
    )
    def test_defaults_added_to_a_value_do_not_make_it_another(self, value: Any, stored: Any, same: bool) -> None:
        obj = shapes.placed(filled({}, value), NEW, stored)
        assert shapes.at(filled(obj, "new"), *NEW) == ("new" if same else stored)

    @pytest.mark.parametrize("text", ["", "{", "[]", "7", '"x"', "null", '{"spec": 1}', '{"": 1}', '{"//": {}}'])
    def test_somebody_else_s_text_there_is_no_harm(self, text: str) -> None:
        obj = {"metadata": {"annotations": {names.CONVERTED: text}}, "spec": {"cache": {"image": "own"}}}
        found = filled(obj, "a")
        assert found["spec"] == obj["spec"]
        assert names.CONVERTED not in found["metadata"]["annotations"]

    def test_deep_values_are_no_harm(self) -> None:
        deep: Any = 1
        for _ in range(900):
            deep = [deep]
        text = '{"spec/cache/image":' + "[" * 900 + "1" + "]" * 900 + "}"
        obj = {"metadata": {"annotations": {names.CONVERTED: text}}, "spec": {"cache": {"image": deep}}}
        assert filled(obj, "a")["spec"] == obj["spec"]
        assert shapes.at(filled({}, deep), *MEMORY) is None

    def test_a_large_value_is_filled_and_not_remembered(self) -> None:
        obj = filled({}, "x" * 40_000)
        assert shapes.at(obj, *NEW) == "x" * 40_000
        assert shapes.at(obj, *MEMORY) is None

    @given(JSON, JSON)
    def test_filling_twice_is_filling_once(self, first: Any, value: Any) -> None:
        once = filled({"spec": first}, value)
        assert filled(once, value) == once

    @given(JSON)
    def test_any_object_passes(self, value: Any) -> None:
        obj = {"metadata": value}
        found = conversion.Draft(obj).done()
        assert found.obj == obj or found.warnings or isinstance(shapes.at(value, "annotations"), dict)


class TestAnnotations:
    def test_those_without_a_value_go(self) -> None:
        obj = {"metadata": {"annotations": {"a": None, "b": ""}}}
        found = conversion.Draft(obj).done()
        assert found.obj == {"metadata": {"annotations": {"b": ""}}}
        assert len(found.warnings) == 1
        assert obj == {"metadata": {"annotations": {"a": None, "b": ""}}}

    def test_drop_and_replace(self) -> None:
        draft = conversion.Draft({"spec": {"a": 1, "b": 2}})
        draft.drop(("spec", "a"))
        draft.drop(("spec", "absent", "below"))
        draft.replace(("spec", "b"), 3)
        draft.warn("so it is")
        assert draft.text("spec", "a") == ""
        found = draft.done()
        assert (found.obj, found.warnings) == ({"spec": {"b": 3}}, ("so it is",))
