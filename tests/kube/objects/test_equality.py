from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kube.objects import equality

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from(["", "a", "1"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (True, True, True),
        (None, False, False),
        ("1", 1, False),
        ({"a": 1, "b": [1]}, {"b": [1], "a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ([{"a": [0]}], [{"a": [False]}], False),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        ({}, [], False),
        ({}, None, False),
    ],
)
def test_identical(left: Any, right: Any, same: bool) -> None:
    assert equality.identical(left, right) is same
    assert equality.identical(right, left) is same
    assert not equality.surely_identical(left, right) or same


@given(VALUES, VALUES)
def test_values_are_identical_when_they_are_written_alike(left: Any, right: Any) -> None:
    def text(value: Any) -> bytes:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)

    assert equality.identical(left, right) is (text(left) == text(right))
    assert not equality.surely_identical(left, right) or equality.identical(left, right)
    assert equality.surely_identical(left, orjson.loads(orjson.dumps(left)))
