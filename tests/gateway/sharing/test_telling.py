"""What is told is what changed, once; what waits is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brickyard.gateway.sharing import telling


def test_only_changes_are_told() -> None:
    mine = telling.Telling()
    assert mine.counts({"x": 1, "y": 2}) == {"x": 1, "y": 2}
    assert mine.counts({"x": 1, "y": 2}) == {}
    assert mine.counts({"y": 3}) == {"x": 0, "y": 3}
    assert mine.counts({}) == {"y": 0}


@given(st.lists(st.dictionaries(st.sampled_from("wxyz"), st.integers(1, 3))))
def test_what_was_told_adds_up_to_what_is(turns: list[dict[str, int]]) -> None:
    mine, heard = telling.Telling(), dict[str, int]()
    for now_open in turns:
        changed = mine.counts(now_open)
        assert all(heard.get(key, 0) != count for key, count in changed.items())
        heard |= changed
        assert {key: count for key, count in heard.items() if count} == now_open


def test_blocks_leave_in_order_as_many_as_fit() -> None:
    mine = telling.Telling()
    half = list(range(telling.MOST_TOLD // 2))
    for number in range(3):
        mine.sent(f"pod-{number}", half, float(number))
    assert [each.endpoint for each in mine.blocks()] == ["pod-0", "pod-1"]
    assert [(each.endpoint, each.at) for each in mine.blocks()] == [("pod-2", 2.0)]
    assert mine.blocks() == []
    assert mine.dropped == 0


def test_the_oldest_are_dropped_and_counted() -> None:
    mine = telling.Telling()
    piece = list(range(telling.MOST_TOLD))
    for number in range(4):
        mine.sent(f"pod-{number}", piece, 0.0)
    assert mine.dropped == 2 * telling.MOST_TOLD
    assert [each.endpoint for each in mine.blocks()] == ["pod-2"]
    mine.forget()
    assert mine.blocks() == []
    assert mine.dropped == 2 * telling.MOST_TOLD
