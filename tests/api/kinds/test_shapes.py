"""Reading JSON of any shape."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import shapes

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
)
PATHS = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=3)


class TestReading:
    @given(ANY, PATHS)
    def test_none_of_them_raises(self, value: Any, path: list[str]) -> None:
        found = shapes.at(value, *path)
        assert isinstance(shapes.mapping(value, *path), dict)
        assert isinstance(shapes.sequence(value, *path), list | tuple)
        assert (shapes.text(value, *path) is None) == (found is not None and not isinstance(found, str))
        assert shapes.integer(value, *path) in (None, found)

    @pytest.mark.parametrize("value", [True, False, 1.0, "1", None, [], 2**63, -(2**63) - 1])
    def test_no_integers(self, value: Any) -> None:
        assert shapes.integer({"a": value}, "a") is None

    @pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63)])
    def test_integers(self, value: int) -> None:
        assert shapes.integer({"a": value}, "a") == value
        assert shapes.integer(value) == value

    def test_annotations(self) -> None:
        obj = {"metadata": {"annotations": {"a": "b", "c": 1}}}
        assert [shapes.annotation(obj, key) for key in "acd"] == ["b", "", ""]
        assert shapes.annotation(None, "a") == ""


class TestWriting:
    @given(ANY, PATHS, ANY)
    def test_what_was_placed_is_there(self, holder: Any, path: list[str], value: Any) -> None:
        before = repr(holder)
        assert shapes.at(shapes.placed(holder, path, value), *path) == value
        assert repr(holder) == before

    @given(ANY, PATHS)
    def test_what_was_taken_away_is_not(self, holder: Any, path: list[str]) -> None:
        before = repr(holder)
        assert shapes.at(shapes.without(holder, path), *path) is None
        assert repr(holder) == before

    @given(ANY, PATHS, ANY)
    def test_away_after_placed(self, holder: Any, path: list[str], value: Any) -> None:
        assert shapes.without(shapes.placed(shapes.without(holder, path), path, value), path) is not None

    @given(ANY, PATHS)
    def test_open_ways(self, holder: Any, path: list[str]) -> None:
        on_the_way = [shapes.at(holder, *path[:depth]) for depth in range(len(path))]
        assert shapes.is_open(holder, path) == all(each is None or isinstance(each, dict) for each in on_the_way)

    def test_only_the_way_is_copied(self) -> None:
        other: dict[str, Any] = {"x": 1}
        holder = {"a": {"b": 1}, "other": other}
        assert shapes.placed(holder, ["a", "b"], 2)["other"] is other
        assert shapes.without(holder, ["a", "absent"]) is holder
        assert shapes.without("text", ["a"]) == "text"
