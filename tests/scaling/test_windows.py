"""Windows: buckets, what they keep, and when they may be trusted."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.scaling import contract, windows


def point(value: float) -> contract.Span:
    return contract.Span(value, value)


def series(*rows: tuple[float, float], width: float = 1.0) -> windows.Series:
    found = windows.Series(width)
    for at, value in rows:
        found.record(at, point(value))
    return found


def lows(found: windows.Series, duration: float, now: float) -> list[float]:
    return [each.low for each in found.values(duration, now)]


# MW1: seconds, value, the buckets of a window of two minutes in buckets of one.
MW1 = [
    (0, 10, [10]),
    (30, 20, [20]),
    (60, 30, [20, 30]),
    (90, 40, [20, 40]),
    (120, 50, [20, 40, 50]),
    (150, 60, [20, 40, 60]),
    (180, 70, [40, 60, 70]),
    (210, 80, [40, 60, 80]),
]


class TestBuckets:
    def test_mw1_buckets_of_a_minute(self) -> None:
        found = windows.Series(60)
        for at, value, wanted in MW1:
            found.record(at, point(value))
            found.forget(120, at)
            assert lows(found, 120, at) == wanted, at
            assert len(found) == len(wanted)

    def test_mw2_mean_and_extremes(self) -> None:
        found = series((0, 20), (60, 30), (120, 40), width=60)
        assert len(found) == 3
        assert found.mean(120, 120) == point(30)
        assert found.extremes(120, 120) == contract.Span(20, 40)

    def test_mw5_two_windows_over_one_series(self) -> None:
        found = series((0, 10), (60, 70))
        assert found.mean(90, 60) == point(40)
        assert found.mean(30, 60) == point(70)
        assert found.mean(120, 60) == point(40)

    def test_exactly_as_old_as_the_window_counts(self) -> None:
        found = series((0, 10), (30, 20))
        assert found.mean(30, 30) == point(15)
        assert found.mean(30, 31) == point(20)

    def test_they_expire_when_read(self) -> None:
        found = series((0, 10))
        assert found.mean(30, 30.9) == point(10)
        assert found.mean(30, 31) is None
        assert found.extremes(30, 31) is None
        assert found.values(30, 31) == ()
        assert found.covered(30, 31) == 0
        assert len(found) == 1

    def test_empty_is_not_zero(self) -> None:
        assert windows.Series().mean(60, 0) is None

    def test_the_later_value_of_a_second_counts(self) -> None:
        assert lows(series((5.1, 1), (5.9, 2), (6.0, 3)), 10, 6) == [2, 3]

    def test_what_comes_late_is_not_taken(self) -> None:
        found = series((5, 1), (4, 9))
        assert lows(found, 10, 5) == [1]

    def test_intervals_stay_intervals(self) -> None:
        found = windows.Series()
        found.record(0, contract.Span(10, 20))
        found.record(10, contract.Span(20, 60))
        assert found.mean(60, 10) == contract.Span(15, 40)
        assert found.extremes(60, 10) == contract.Span(10, 60)

    def test_means_are_exact(self) -> None:
        found = series(*[(n, 0.1) for n in range(100)])
        assert found.mean(100, 99) == point(0.1)

    def test_huge_values_have_a_mean(self) -> None:
        found = series(*[(n, 1.7e308) for n in range(3600)])
        mean = found.mean(3600, 3599)
        assert mean is not None
        assert math.isfinite(mean.high)

    def test_covered_is_the_age_of_the_oldest(self) -> None:
        found = series((100, 1), (140, 1))
        assert found.covered(180, 150) == 50
        assert found.covered(30, 150) == 10
        assert found.covered(180, 100) == 0


class TestMemoryOfIt:
    def test_a_bucket_for_each_second_and_no_more(self) -> None:
        found = windows.Series()
        for n in range(20_000):
            found.record(n / 4, point(n))
            found.forget(180, n / 4)
            assert len(found) <= 181
        assert len(found) == 181

    def test_a_copy_shares_nothing(self) -> None:
        found = series((0, 1))
        other = found.copied()
        other.record(1, point(2))
        other.shift(5)
        assert (len(found), found.last) == (1, 0)


class TestYoung:
    """Nothing was missed since ``since``."""

    def test_it_begins_with_the_first_value(self) -> None:
        found = series((100, 1))
        assert not found.spans(180, 279)
        assert found.spans(180, 280)

    def test_nothing_recorded_spans_nothing(self) -> None:
        assert not windows.Series().spans(1, 1e9)

    def test_forgetting_shortens_it(self) -> None:
        found = series(*[(n * 10, 1) for n in range(100)])
        found.forget(180, 990)
        assert found.spans(180, 990)
        assert not found.spans(181, 990)

    @pytest.mark.parametrize(("pause", "young"), [(10, False), (60, False), (61, True), (3600, True)])
    def test_a_pause_over_a_minute_interrupts(self, pause: float, young: bool) -> None:
        found = series(*[(n * 10, 1) for n in range(100)])
        found.record(990 + pause, point(1))
        assert found.spans(180, 990 + pause) is not young

    def test_a_slow_rhythm_is_no_interruption(self) -> None:
        found = series(*[(n * 120, 1) for n in range(10)])
        assert found.spans(900, 9 * 120)

    def test_windows_shorter_than_the_rhythm_grow_up(self) -> None:
        found = series(*[(n * 10, 1) for n in range(3)])
        found.forget(5, 20)
        assert found.spans(5, 20)
        assert found.mean(5, 20) == point(1)

    @pytest.mark.parametrize(
        ("pause", "before", "is_one"),
        [(60, 0, False), (60.1, 0, True), (60.1, 20, True), (61, 21, False), (179, 60, False), (181, 60, True)],
    )
    def test_rows(self, pause: float, before: float, is_one: bool) -> None:
        assert windows.interrupted(pause, before) is is_one


class TestShift:
    @pytest.mark.parametrize("by", [-3600.0, -7.0, 3600.0])
    def test_everything_keeps_its_age(self, by: float) -> None:
        found = series((100, 1), (110, 2), (120, 3))
        before = (found.mean(15, 120), found.covered(60, 120), found.spans(20, 120), found.spans(21, 120))
        found.shift(by)
        now = 120 + by
        assert (found.mean(15, now), found.covered(60, now), found.spans(20, now), found.spans(21, now)) == before

    def test_the_next_value_is_taken(self) -> None:
        found = series((100, 1))
        found.shift(-50)
        found.record(51, point(3))
        assert lows(found, 60, 51) == [1, 3]

    def test_empty(self) -> None:
        found = windows.Series()
        found.shift(5)
        assert (found.since, found.last) == (None, None)


class Naive:
    """The same, by the words of the specification."""

    def __init__(self) -> None:
        self.buckets: dict[int, float] = {}

    def record(self, at: float, value: float) -> None:
        bucket = math.floor(at)
        if not self.buckets or bucket >= max(self.buckets):
            self.buckets[bucket] = value

    def mean(self, duration: float, now: float) -> float | None:
        kept = [each for bucket, each in self.buckets.items() if bucket >= math.floor(now - duration)]
        return math.fsum(kept) / len(kept) if kept else None


class TestAgainstTheWords:
    @given(
        gaps=st.lists(st.floats(0, 40), min_size=1, max_size=60),
        durations=st.lists(st.integers(1, 120), min_size=1, max_size=3),
        seed=st.integers(0, 1000),
    )
    def test_same_means(self, gaps: list[float], durations: list[int], seed: int) -> None:
        rng = random.Random(seed)
        found, naive, now = windows.Series(), Naive(), 1000.0
        longest = max(durations)
        for gap in gaps:
            now += gap
            value = rng.uniform(0, 100)
            found.record(now, point(value))
            naive.record(now, value)
            found.forget(longest, now)
            for duration in durations:
                mean = found.mean(duration, now + gap)
                wanted = naive.mean(duration, now + gap) if duration + gap <= longest else None
                if duration + gap <= longest:
                    assert (mean.low if mean else None) == (pytest.approx(wanted) if wanted is not None else None)

    @given(gaps=st.lists(st.floats(0, 100), min_size=1, max_size=50), duration=st.integers(1, 300))
    def test_the_mean_lies_between_the_extremes(self, gaps: list[float], duration: int) -> None:
        found, now = windows.Series(), 0.0
        for index, gap in enumerate(gaps):
            now += gap
            found.record(now, contract.Span(index % 7, index % 7 + index % 3))
            mean, extremes = found.mean(duration, now), found.extremes(duration, now)
            assert mean is not None
            assert extremes is not None
            assert extremes.low <= mean.low <= mean.high <= extremes.high
