from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin.job import indexes

ROWS: list[tuple[set[int], str]] = [
    (set(), ""),
    ({0}, "0"),
    ({1, 2}, "1-2"),
    ({1, 3, 4, 5, 7}, "1,3-5,7"),
    ({0, 2, 4}, "0,2,4"),
]


@pytest.mark.parametrize(("found", "text"), ROWS)
def test_sets_and_texts(found: set[int], text: str) -> None:
    assert indexes.text(found) == text
    assert indexes.parse(text) == found


@given(st.sets(st.integers(0, 300)))
def test_there_and_back(found: set[int]) -> None:
    assert indexes.parse(indexes.text(found)) == found


@pytest.mark.parametrize(
    ("text", "found"), [(None, set()), ("x", set()), ("1,x-2,3", {1, 3}), ("-", set()), ("5-3", set())]
)
def test_what_cannot_be_read_is_nothing(text: str | None, found: set[int]) -> None:
    assert indexes.parse(text) == found
