"""The grammar of strategies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import errors, strategy

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("random", [("random", 1)]),
        ("random:3", [("random", 3)]),
        ("a:2,b", [("a", 2), ("b", 1)]),
        (" a : 2 , b ", [("a", 2), ("b", 1)]),
        ("a:0,b", [("b", 1)]),
        ("a:1000000", [("a", 1_000_000)]),
        ("a:007", [("a", 7)]),
        ("a:0000001", [("a", 1)]),
        ("a" + " " * 999, [("a", 1)]),  # as long as may be
    ],
)
def test_what_can_be_written(text: str, items: list[tuple[str, int]]) -> None:
    assert [(item.name, item.weight) for item in strategy.parse(text)] == items


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "without a name"),
        (",", "without a name"),
        ("a,,b", "without a name"),
        (":2", "without a name"),
        ("a:", "whole number"),
        ("a:b", "whole number"),
        ("a:1:2", "whole number"),
        ("a:-1", "whole number"),
        ("a:1.5", "whole number"),
        ("a:1000001", "whole number"),
        ("a:00000001", "whole number"),  # more digits than the heaviest has
        ("a:" + "9" * 900, "whole number"),
        ("a" + " " * 1000, "1001 characters is too long"),
        ("a:٣", "whole number"),
        ("a:0", "nothing to choose by"),
        ("a:0,b:0", "nothing to choose by"),
        ("a,b,a", "twice"),
    ],
)
def test_what_cannot(text: str, complaint: str) -> None:
    with pytest.raises(errors.BadStrategyError, match=complaint):
        strategy.parse(text)


@given(st.dictionaries(NAMES, st.integers(1, strategy.HEAVIEST), min_size=1, max_size=6))
def test_what_is_written_is_read(items: dict[str, int]) -> None:
    text = ",".join(f"{name}:{weight}" for name, weight in items.items())
    assert {item.name: item.weight for item in strategy.parse(text)} == items


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        items = strategy.parse(text)
    except errors.BadStrategyError:
        return
    assert items
    assert all(1 <= item.weight <= strategy.HEAVIEST for item in items)
