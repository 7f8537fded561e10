"""What is kept for drawing."""

from __future__ import annotations

import math

import hypothesis
import hypothesis.strategies as st

from brickyard.controllers.podautoscaler import history
from brickyard.scaling import contract


def at(moment: float) -> history.Point:
    return history.Point(moment, 1, 2, 3, 4, 5, 6, 7, 8, 0)


@hypothesis.given(st.integers(1, 20), st.integers(0, 60))
def test_the_latest_are_kept_in_order(limit: int, count: int) -> None:
    kept = history.History(limit)
    for moment in range(count):
        kept.add(at(moment))
    assert len(kept) == min(limit, count)
    assert [each.at for each in kept.points()] == list(range(max(0, count - limit), count))


def verdict(key: str, replicas: int | None, low: float) -> contract.MetricVerdict:
    metric = contract.Metric(key, key, 10.0)
    return contract.MetricVerdict(metric, replicas, "", demand=contract.Span(low, low + 5))


def test_a_point_is_of_the_metric_that_asks_for_most() -> None:
    metrics = (verdict("a", 2, 20), verdict("b", 4, 40), verdict("c", None, 90))
    made = contract.Recommendation(1.0, 3, 4, "kpa", "", 4, metrics, (), 1, 9, panicking_since=0.5)
    assert history.point(made) == (1.0, 40, 45, 10, 4, 4, 3, 1, 9, 1)


def test_what_is_not_known_is_no_number() -> None:
    point = history.point(contract.Recommendation(1.0, 3, None, "kpa", ""))
    assert all(math.isnan(each) for each in (point.demand, point.high, point.target, point.asked, point.desired))
    assert (point.actual, point.panic) == (3, 0)


def test_two_hours_of_five_hundred_fit() -> None:
    kept = history.History()
    for moment in range(2000):
        kept.add(at(moment))
    assert len(kept._values) * kept._values.itemsize < 70_000
