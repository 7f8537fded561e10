"""Pickers: the best wins, chance is fair, nothing outside the offer is ever picked."""

from __future__ import annotations

import collections
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import pickers, testing

BELOW_ONE = 1 - 2**-53
"""The largest float that ``random()`` returns."""


class TestBest:
    def test_the_highest_total(self) -> None:
        assert pickers.Best().pick([4, 7, 9], [0.1, 0.9, 0.3], testing.Dice()) == 7

    def test_a_clear_winner_costs_no_randomness(self) -> None:
        dice = testing.Dice()
        pickers.Best().pick([0, 1], [0.1, 0.9], dice)
        assert dice.rolls == 0

    @pytest.mark.parametrize(("roll", "row"), [(0.0, 1), (0.49, 1), (0.5, 3), (BELOW_ONE, 3)])
    def test_equals_are_decided_by_the_roll(self, roll: float, row: int) -> None:
        assert pickers.Best().pick([0, 1, 2, 3], [0.2, 0.8, 0.5, 0.8], testing.Dice([roll])) == row

    def test_totals_that_differ_in_the_last_bits_are_equal(self) -> None:
        assert pickers.Best().pick([0, 1], [0.3, 0.1 + 0.2], testing.Dice([0.0])) == 0

    def test_totals_that_differ_by_more_are_not(self) -> None:
        assert pickers.Best().pick([0, 1], [0.3, 0.3 + 1e-6], testing.Dice([0.0])) == 1

    @given(
        st.lists(st.floats(0, 1), min_size=1, max_size=9),
        st.floats(0, 1, exclude_max=True),
    )
    def test_nobody_better_is_passed_over(self, totals: list[float], roll: float) -> None:
        rows = [row * 2 for row in range(len(totals))]
        row = pickers.Best().pick(rows, totals, testing.Dice([roll]))
        assert totals[rows.index(row)] >= max(totals) - pickers.TIE


class TestLeast:
    @pytest.mark.parametrize(
        ("numbers", "roll", "at"),
        [
            ([4], 0.9, 0),
            ([3, 1, 2], 0.0, 1),
            ([3, 1, 2], BELOW_ONE, 1),
            ([5, 2, 9, 2, 2], 0.0, 1),
            ([5, 2, 9, 2, 2], 0.34, 3),
            ([5, 2, 9, 2, 2], 0.67, 4),
            ([5, 2, 9, 2, 2], BELOW_ONE, 4),
            ([0, 0], 0.49, 0),
            ([0, 0], 0.5, 1),
        ],
    )
    def test_equals_are_decided_by_the_roll(self, numbers: list[int], roll: float, at: int) -> None:
        assert pickers.least(numbers, testing.Dice([roll])) == at

    def test_one_that_stands_alone_costs_no_randomness(self) -> None:
        dice = testing.Dice()
        pickers.least([3, 1, 2], dice)
        assert dice.rolls == 0

    @given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.floats(0, 1, exclude_max=True))
    def test_it_is_the_best_where_the_least_is_best(self, numbers: list[int], roll: float) -> None:
        """The same row for the same roll as ``Best`` takes by totals that fall with the numbers."""
        totals = [1 - number / 5 for number in numbers]
        best = pickers.Best().pick(range(len(numbers)), totals, testing.Dice([roll]))
        assert pickers.least(numbers, testing.Dice([roll])) == best


@given(st.integers(1, 2000), st.floats(0, 1, exclude_max=True) | st.just(BELOW_ONE))
def test_any_row_is_the_row_that_uniform_picks(size: int, roll: float) -> None:
    table = testing.snapshot(*[0] * size, endpoints=[testing.endpoint("a")] * size)
    row = pickers.any_row(testing.request(), table, testing.Dice([roll]))
    assert row == pickers.Uniform().pick(range(size), [0.0] * size, testing.Dice([roll]))


class TestUniform:
    @given(st.integers(1, 2000), st.floats(0, 1, exclude_max=True) | st.just(BELOW_ONE))
    def test_every_roll_picks_an_offered_row(self, size: int, roll: float) -> None:
        rows = range(10, 10 + size)
        assert pickers.Uniform().pick(rows, [0.0] * size, testing.Dice([roll])) in rows

    def test_nobody_starves(self) -> None:
        """With 8 rows and 8000 picks the chance of any row getting fewer than 800 is below 1e-9."""
        rng = random.Random(7)
        counts = collections.Counter(pickers.Uniform().pick(range(8), [0.0] * 8, rng) for _ in range(8000))
        assert sorted(counts) == list(range(8))
        assert min(counts.values()) >= 800

    def test_totals_do_not_matter(self) -> None:
        assert pickers.Uniform().pick([3, 5], [1.0, 0.0], testing.Dice([0.9])) == 5
