from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies

from brickyard.kube.client import bucket


def test_a_burst_then_a_rate() -> None:
    found = bucket.Bucket(rate=10, burst=3)
    assert [found.reserve(0.0) for _ in range(5)] == [0, 0, 0, 0.1, 0.2]
    assert found.reserve(0.3) == 0.0  # what was borrowed is paid back
    assert found.reserve(100.0) == 0.0


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    found = bucket.Bucket(rate=1, burst=1)
    assert found.reserve(10.0) == 0.0
    assert found.reserve(0.0) == 1.0


@hypothesis.given(strategies.lists(strategies.floats(0, 5), min_size=1, max_size=200), strategies.integers(1, 20))
def test_never_more_than_burst_and_rate_allow(gaps: list[float], burst: int) -> None:
    found, now, turns = bucket.Bucket(rate=2.0, burst=burst), 0.0, list[float]()
    for gap in gaps:
        now += gap
        turns.append(now + found.reserve(now))
    assert turns == sorted(turns)
    for index, start in enumerate(turns):
        for count, end in enumerate(turns[index:], 1):
            assert count <= burst + 2.0 * (end - start) + 1e-6


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 1)])
def test_an_impossible_bucket_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="rate > 0"):
        bucket.Bucket(rate, burst)
