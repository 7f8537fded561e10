"""Ranges and histograms."""

from __future__ import annotations

import itertools

import hypothesis
import pytest
from hypothesis import strategies

from brickyard.gateway import distributions


def test_ranges_are_called_as_aibrix_calls_them() -> None:
    assert distributions.TOKEN_RANGES == (
        "0-256", "256-512", "512-1024", "1024-2048", "2048-4096", "4096-8192", "8192-16384", "16384-32768", "32768+",
    )  # fmt: skip
    assert distributions.DELAY_RANGES[:3] == ("0-1ms", "1-2ms", "2-5ms")
    assert distributions.DELAY_RANGES[-2:] == ("2000-5000ms", "5000ms+")
    assert distributions.TOTAL_RANGES[0] == "0-100ms"
    assert distributions.TOTAL_RANGES[-1] == "60000ms+"


@pytest.mark.parametrize(
    ("value", "name"),
    [(-3, "0-256"), (0, "0-256"), (255, "0-256"), (256, "256-512"), (32767, "16384-32768"), (32768, "32768+")],
)
def test_a_range_begins_at_its_border(value: int, name: str) -> None:
    assert distributions.TOKEN_RANGES[distributions.place(distributions.TOKENS, value)] == name


@hypothesis.given(strategies.lists(strategies.floats(0, 2000)))
def test_a_histogram_is_cumulative_and_counts_everything_once(values: list[float]) -> None:
    histogram = distributions.Histogram()
    for value in values:
        histogram.observe(value)
    rows = histogram.buckets()
    assert rows[-1][0] == "+Inf"
    assert rows[-1][1] == len(values)
    assert all(low[1] <= high[1] for low, high in itertools.pairwise(rows))
    for bound, count in rows[:-1]:
        assert count == sum(1 for value in values if value <= float(bound))
    assert histogram.total == pytest.approx(sum(values))
