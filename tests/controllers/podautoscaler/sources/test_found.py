"""Numbers out of what pages say, over time. Pure."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.controllers.podautoscaler.sources import found
from brickyard.engines import contract as engines


def told(answer: found.Number) -> str:
    assert isinstance(answer, found.Absent)
    return answer.why


def steps(*each: tuple[found.Found, float]) -> list[found.Number]:
    track = found.Track()
    return [track.step(what, at) for what, at in each]


def counted(**counts: float) -> found.Counter:
    return found.Counter(counts)


def spread(
    total: float, sum_: float, *, quantile: float | None = None, idle: bool = False, counts: tuple[float, ...] = ()
) -> found.Distribution:
    bounds = (0.1, 1.0, 10.0)[: len(counts)]
    return found.Distribution({"m": engines.Histogram(bounds, counts, total, sum_)}, quantile, idle)


class TestGauges:
    def test_samples_are_added_up(self) -> None:
        assert steps((found.Gauge((3.0, 4.0)), 0.0)) == [7.0]

    def test_shares_are_averaged(self) -> None:
        assert steps((found.Gauge((0.5, 1.0), mean=True), 0.0)) == [0.75]

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (math.nan, "NaN"),
            (math.inf, "infinite"),
            (-math.inf, "infinite"),
            (-3.0, "negative (-3)"),
        ],
    )
    def test_what_is_no_demand_is_missing(self, value: float, why: str) -> None:
        assert why in told(steps((found.Gauge((value,)), 0.0))[0])
        assert why in told(steps((found.Gauge((100.0, value)), 0.0))[0])

    def test_it_is_there_at_once_and_as_often_as_asked(self) -> None:
        assert steps((found.Gauge((3.0,)), 0.0), (found.Gauge((4.0,)), 0.1)) == [3.0, 4.0]


class TestCounters:
    def test_the_first_reading_tells_no_rate(self) -> None:
        first, second = steps((counted(a=100.0), 0.0), (counted(a=150.0), 10.0))
        assert "first time" in told(first)
        assert second == 5.0

    def test_series_are_added_up(self) -> None:
        assert steps((counted(a=0.0, b=10.0), 0.0), (counted(a=10.0, b=30.0), 10.0))[1] == 3.0

    def test_one_that_began_again_counts_from_nothing(self) -> None:
        assert steps((counted(a=1000.0, b=10.0), 0.0), (counted(a=20.0, b=20.0), 10.0))[1] == 3.0

    def test_a_series_that_was_not_there_began_at_nothing(self) -> None:
        assert steps((counted(a=10.0), 0.0), (counted(a=10.0, b=50.0), 10.0))[1] == 5.0

    def test_one_that_went_away_does_no_harm(self) -> None:
        assert steps((counted(a=10.0, b=50.0), 0.0), (counted(a=20.0), 10.0))[1] == 1.0

    def test_a_reading_that_comes_too_soon_repeats_the_answer_and_costs_no_increase(self) -> None:
        answers = steps(
            (counted(a=0.0), 0.0), (counted(a=50.0), 10.0), (counted(a=60.0), 10.5), (counted(a=100.0), 20.0)
        )
        assert answers[1:] == [5.0, 5.0, 5.0]

    def test_a_long_silence_makes_the_next_reading_the_first(self) -> None:
        answers = steps(
            (counted(a=0.0), 0.0), (counted(a=9.0), found.LONGEST + 1), (counted(a=19.0), found.LONGEST + 11)
        )
        assert "first time" in told(answers[1])
        assert answers[2] == 1.0

    def test_a_page_that_failed_in_between_costs_nothing(self) -> None:
        answers = steps((counted(a=0.0), 0.0), (found.Absent("gone"), 10.0), (counted(a=40.0), 20.0))
        assert told(answers[1]) == "gone"
        assert answers[2] == 2.0

    def test_nan_is_missing_and_no_baseline(self) -> None:
        answers = steps((counted(a=math.nan), 0.0), (counted(a=10.0), 10.0), (counted(a=20.0), 20.0))
        assert "NaN" in told(answers[0])
        assert "first time" in told(answers[1])
        assert answers[2] == 1.0

    @given(st.lists(st.dictionaries(st.sampled_from("abc"), st.floats(0, 1e15), min_size=1), min_size=2, max_size=8))
    def test_a_rate_is_never_negative_whatever_counters_do(self, pages: list[dict[str, float]]) -> None:
        track = found.Track()
        answers = [track.step(found.Counter(counts), 10.0 * index) for index, counts in enumerate(pages)]
        assert isinstance(answers[0], found.Absent)
        assert all(isinstance(each, float) and each >= 0 for each in answers[1:])

    @given(st.lists(st.floats(0, 1e6), min_size=2, max_size=10), st.floats(1.0, 30.0))
    def test_rates_times_seconds_give_the_whole_increase(self, increases: list[float], seconds: float) -> None:
        track, count, total = found.Track(), 0.0, 0.0
        track.step(counted(a=0.0), 0.0)
        for index, increase in enumerate(increases, 1):
            count += increase
            rate = track.step(counted(a=count), seconds * index)
            assert isinstance(rate, float)
            total += rate * seconds
        assert total == pytest.approx(count, abs=1e-3)


class TestDistributions:
    def test_the_mean_of_what_was_observed_in_between(self) -> None:
        first, second = steps((spread(100, 50.0), 0.0), (spread(110, 80.0), 10.0))
        assert "first time" in told(first)
        assert second == 3.0

    def test_over_a_minute_since_requests_end_seldom(self) -> None:
        answers = steps((spread(0, 0.0), 0.0), (spread(1, 4.0), 30.0), (spread(1, 4.0), 40.0), (spread(1, 4.0), 95.0))
        assert answers[1:3] == [4.0, 4.0]
        assert "nothing was observed in 55 s" in told(answers[3])

    def test_a_quantile_is_interpolated_as_promql_does(self) -> None:
        before = spread(10, 1.0, quantile=0.5, counts=(10.0, 10.0, 10.0))
        after = spread(20, 6.0, quantile=0.5, counts=(10.0, 20.0, 20.0))
        assert steps((before, 0.0), (after, 10.0))[1] == pytest.approx(0.55)

    def test_no_quantile_without_buckets(self) -> None:
        why = told(steps((spread(0, 0.0, quantile=0.9), 0.0), (spread(5, 5.0, quantile=0.9), 10.0))[1])
        assert "take its mean" in why

    def test_nothing_observed_on_an_idle_engine_is_nobody_waiting(self) -> None:
        assert steps((spread(5, 5.0, idle=True), 0.0), (spread(5, 5.0, idle=True), 10.0)) == [0.0, 0.0]

    def test_nothing_observed_on_a_busy_engine_is_unknown(self) -> None:
        assert "nothing was observed" in told(steps((spread(5, 5.0), 0.0), (spread(5, 5.0), 10.0))[1])

    def test_what_ended_before_an_engine_went_idle_counts(self) -> None:
        assert steps((spread(5, 5.0), 0.0), (spread(6, 8.0, idle=True), 10.0))[1] == 3.0

    def test_a_restarted_engine_counts_from_nothing(self) -> None:
        assert steps((spread(100, 900.0), 0.0), (spread(2, 4.0), 10.0))[1] == 2.0

    def test_models_are_averaged_by_their_requests(self) -> None:
        def page(a: float, b: float) -> found.Distribution:
            return found.Distribution(
                {"a": engines.Histogram((), (), a, a * 1.0), "b": engines.Histogram((), (), b, b * 4.0)}
            )

        assert steps((page(0, 0), 0.0), (page(2, 1), 10.0))[1] == 2.0

    def test_models_whose_bounds_differ_keep_their_mean(self) -> None:
        models = {"a": engines.Histogram((1.0,), (2.0,), 2, 2.0), "b": engines.Histogram((5.0,), (2.0,), 2, 6.0)}
        none = {name: engines.Histogram(each.bounds, (0.0,), 0, 0.0) for name, each in models.items()}
        answers = steps((found.Distribution(none), 0.0), (found.Distribution(models), 10.0))
        assert answers[1] == 2.0

    def test_an_infinite_sum_is_missing(self) -> None:
        assert "infinite" in told(steps((spread(0, 0.0), 0.0), (spread(1, math.inf), 10.0))[1])
