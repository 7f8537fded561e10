"""A history, decided again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest

from brickyard.api.kinds.podautoscaler import schedules
from brickyard.scaling import contract
from brickyard.sim.scaling import errors, recording

FIELDS = ["at", "demand", "high", "target", "asked", "desired", "actual", "minimum", "maximum", "panic"]


def page(demands: Sequence[float | None], actual: int = 2) -> dict[str, Any]:
    points = [[1000.0 + 10 * row, each, None, 10.0, 1, 1, actual, 1, 9, 0] for row, each in enumerate(demands)]
    return {"history": {"fields": FIELDS, "points": points}}


def plan(cold_start: float = 60.0) -> recording.Plan:
    metric = contract.Metric("k", "any", 5.0)
    settings = contract.Settings(
        contract.Strategy.KPA, (metric,), schedules.Bounds(1, 9), stable_window=30, panic_window=10, down_window=0
    )
    return recording.Plan("tried", settings, cold_start)


def test_the_same_demand_is_decided_again() -> None:
    found = recording.run(recording.read(page([20.0] * 10 + [60.0] * 20), "x"), plan())
    assert found.start == 1000.0
    assert found.period == pytest.approx(10.0)
    assert [each.load for each in found.samples[8:11]] == [2.0, 2.0, 6.0]
    assert found.samples[9].wanted == 2
    assert found.samples[-1].wanted == found.samples[-1].ready == 6
    ordered = next(each.at for each in found.samples if each.wanted > 2)
    arrived = next(each.at for each in found.samples if each.ready > 2)
    assert arrived - ordered == 60.0
    assert (found.figures.oscillations, found.figures.requests) == (0, 0)
    assert found.figures.under > 0
    assert math.isnan(found.figures.missed)


def test_replica_hours_are_from_orders_on() -> None:
    steady = recording.run(recording.read(page([20.0] * 361), "x"), plan()).figures
    assert steady.replica_hours == pytest.approx(2.0)
    assert steady.mean == pytest.approx(2.0)
    assert steady.events == 0


def test_what_goes_down_is_taken_from_the_starting_first() -> None:
    found = recording.run(recording.read(page([20.0] * 5 + [80.0] * 3 + [20.0] * 30), "x"), plan(cold_start=3600.0))
    assert max(each.wanted for each in found.samples) > 2
    assert {each.ready for each in found.samples} == {2}
    assert found.samples[-1].wanted == 2


def test_silent_pods_stay_silent() -> None:
    """Of four pods two say nothing for five minutes: what was known then takes no replica away, and neither does what is known of it."""
    demands = [40.0] * 10 + [20.0] * 30
    told = page(demands, actual=4)
    places = {name: place for place, name in enumerate(FIELDS)}
    for row in told["history"]["points"][10:]:
        row[places["high"]] = 40.0
    held = recording.run(recording.read(told, "x"), plan())
    assert {each.wanted for each in held.samples} == {4}
    gone = recording.run(recording.read(page(demands, actual=4), "x"), plan())
    assert gone.samples[-1].wanted == 2


def test_what_was_not_measured_is_left_out() -> None:
    assert len(recording.read(page([20.0, None, 30.0]), "x").points) == 2


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "holds no history"),
        ([], "holds no history"),
        ({"history": {"fields": ["at"], "points": []}}, "holds no history"),
        ({"history": {"fields": FIELDS, "points": [[1]]}}, "holds no history"),
        (page([]), "0 looks"),
        (page([1.0, None]), "1 looks"),
    ],
)
def test_what_is_no_history(document: Any, said: str) -> None:
    with pytest.raises(errors.ReplayError, match=said):
        recording.read(document, "x")


def test_which_documents_are_pages() -> None:
    assert recording.of_page(page([]))
    assert not recording.of_page({"timestamp": 1})
    assert not recording.of_page([])
