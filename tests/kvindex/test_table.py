"""The set-associative table: bounded, least recently stamped out first, planes for any number of bits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.kvindex import errors, table

BIG = 1 << 30


def filled(held: table.Table, keys: dict[int, int]) -> None:
    for stamp, (key, mask) in enumerate(keys.items(), 1):
        held.put(held.claim(key, stamp), mask)


def test_what_is_put_is_found() -> None:
    held = table.Table(64, BIG)
    filled(held, {5: 1, 13: 2, 21: 7})
    assert [held.get(held.find(key)) for key in (5, 13, 21)] == [1, 2, 7]
    assert held.find(29) == -1
    assert held.used() == 3


def test_a_full_set_gives_up_its_oldest() -> None:
    held = table.Table(8, BIG)  # one set
    filled(held, dict.fromkeys(range(1, 9), 1))
    held.stamps[held.find(1)] = 100  # the first one is in use again
    assert held.full(9)
    held.put(held.claim(9, 101), 1)
    assert [held.find(key) >= 0 for key in range(1, 10)] == [True, False, *[True] * 7]


def test_dropped_entries_are_the_first_to_be_taken() -> None:
    held = table.Table(8, BIG)
    filled(held, dict.fromkeys(range(1, 9), 1))
    held.drop(held.find(8))
    assert not held.full(9)
    held.claim(9, 50)
    assert [held.find(key) >= 0 for key in range(1, 10)] == [*[True] * 7, False, True]


@given(st.dictionaries(st.integers(1, 2**63), st.integers(0, 2**200 - 1), max_size=40), st.integers(0, 2**200 - 1))
def test_planes_hold_any_mask_and_lose_the_bits_that_are_cleared(content: dict[int, int], gone: int) -> None:
    held = table.Table(4096, BIG)
    held.widen(200)
    filled(held, content)
    held.clear_bits(gone)
    for key, mask in content.items():
        assert held.get(held.find(key)) == mask & ~gone


def test_more_endpoints_make_more_planes_and_keep_what_there_is() -> None:
    held = table.Table(1024, BIG)
    filled(held, {3: 1 << 63})
    held.widen(65)
    assert len(held.planes) == 2
    assert held.get(held.find(3)) == 1 << 63
    held.put(held.find(3), 1 << 64 | 1)
    assert held.get(held.find(3)) == 1 << 64 | 1


def test_the_budget_is_kept_whatever_is_asked() -> None:
    held = table.Table(1 << 20, 100_000)
    assert held.bytes <= 100_000
    assert held.entries == 4096
    filled(held, {7: 1})
    held.widen(200)  # four planes do not fit beside 4096 entries
    assert held.bytes <= 100_000
    assert (held.entries, len(held.planes), held.find(7)) == (2048, 4, -1)


def test_bytes_are_what_the_arrays_take() -> None:
    held = table.Table(1024, BIG)
    held.widen(100)
    arrays = [held.keys, held.stamps, *held.planes]
    assert held.bytes == sum(each.itemsize * len(each) for each in arrays)


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(errors.SizeError, match="take at least 160"):
        table.Table(8, 100)
