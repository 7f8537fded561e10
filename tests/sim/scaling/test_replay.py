"""The loop."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from brickyard.api.kinds.podautoscaler import schedules
from brickyard.scaling import contract
from brickyard.sim.engine.core import params, presets
from brickyard.sim.scaling import errors, fleet, measures, replay, workload

ENGINE = presets.preset("a10/llama-3.1-8b")
SHAPE = workload.Shape(seconds=1800, prompt=1000, output=200)


def plan(strategy: contract.Strategy = contract.Strategy.KPA, **given: Any) -> replay.Plan:
    metric = measures.metric("num_requests_running", 12.0)
    scaled = contract.Settings(strategy, (metric,), schedules.Bounds(1, 20))
    return replay.Plan(strategy.value, dataclasses.replace(scaled, **given), fleet.Build(ENGINE))


def fixed(replicas: int | None) -> replay.Decide:
    def decide(settings: contract.Settings, seen: contract.Snapshot, now: float) -> contract.Recommendation:
        return contract.Recommendation(now, seen.replicas, replicas, "kpa", "as told", minimum=1, maximum=9)

    return decide


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [contract.Strategy.KPA, contract.Strategy.APA])
@pytest.mark.parametrize("rate", [3, 4, 5])
def test_a_constant_load_moves_nothing_more_than_once_an_hour(strategy: contract.Strategy, rate: int) -> None:
    """With the defaults: arrivals vary by chance, and that is no reason."""
    load = workload.make(f"constant:{rate}", dataclasses.replace(SHAPE, seconds=2.5 * 3600))
    metric = measures.metric("gateway_request_total", 1.0)
    found = replay.run(load, plan(strategy, metrics=(metric,)))
    assert sum(each.at > 1800 for each in found.moves) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("strategy", list(contract.Strategy))
@pytest.mark.parametrize(("metric", "target"), [("gateway_request_total", 1.0), ("num_requests_running", 10.0)])
@pytest.mark.parametrize("rate", [0.7, 3.0])
def test_a_load_without_chance_moves_nothing_once_it_is_met(
    strategy: contract.Strategy, metric: str, target: float, rate: float
) -> None:
    """Equal requests at equal distances: a cold start and a cooldown after the beginning, replicas stay as they are."""
    seconds = 5400.0
    even = [workload.Arrival(number / rate, 1000, 200) for number in range(int(rate * seconds))]
    found = replay.run(
        workload.Load("even", even, 0.0, seconds), plan(strategy, metrics=(measures.metric(metric, target),))
    )
    assert [each.at for each in found.moves if each.at > 1800] == []
    assert found.figures.missed == 0


@pytest.mark.parametrize(("strategy", "period"), [("KPA", 10.0), ("APA", 10.0), ("HPA", 15.0)])
def test_each_strategy_looks_as_often_as_it_does_in_a_cluster(strategy: str, period: float) -> None:
    found = replay.run(
        workload.make("constant:1", dataclasses.replace(SHAPE, seconds=60)), plan(contract.Strategy(strategy))
    )
    assert found.period == period
    assert [each.at for each in found.samples] == [period * number for number in range(1, int(60 / period) + 1)]


def test_a_rush_is_answered_after_the_cold_start() -> None:
    load = workload.make("step:1,8,600", SHAPE)
    found = replay.run(load, plan(metrics=(measures.metric("gateway_request_total", 1.0),)))
    first = next(each for each in found.moves if each.at > 600)
    assert 600 < first.at <= 660
    assert first.desired is not None
    assert first.desired > first.current
    helped = next(each.at for each in found.samples if each.at > first.at and each.ready >= first.desired)
    assert helped == pytest.approx(first.at + 120, abs=10)
    assert found.figures.oscillations <= 2
    assert found.figures.lost == 0


def test_equal_replays_are_equal_and_other_seeds_are_not() -> None:
    once, again = (replay.run(workload.make("sine:1,6,900", SHAPE), plan()) for _ in range(2))
    assert once == again
    other = replay.run(workload.make("sine:1,6,900", dataclasses.replace(SHAPE, seed=1)), plan())
    assert other.figures != once.figures


def test_side_by_side_is_one_after_the_other() -> None:
    load = workload.make("constant:2", dataclasses.replace(SHAPE, seconds=300))
    plans = [plan(each) for each in contract.Strategy]
    assert replay.side_by_side(load, plans, jobs=2) == replay.side_by_side(load, plans, jobs=1)


def test_the_first_replicas_are_those_that_the_beginning_needs() -> None:
    load = workload.make("constant:4", SHAPE)
    begun = replay.Replay(load, plan(), fixed(None)).run()
    assert begun.samples[0].ready == begun.samples[-1].ready == 3
    few = replay.Replay(load, dataclasses.replace(plan(), replicas=2), fixed(None)).run()
    assert few.samples[-1].ready == 2
    most = replay.Replay(load, plan(bounds=schedules.Bounds(1, 3)), fixed(None)).run()
    assert most.samples[0].ready == 3


def test_figures_of_a_fleet_that_never_changes() -> None:
    load = workload.make("constant:1", SHAPE)
    found = replay.Replay(load, dataclasses.replace(plan(), replicas=2), fixed(2)).run().figures
    assert found.replica_hours == pytest.approx(1.0)
    assert found.mean == pytest.approx(2.0)
    assert (found.events, found.oscillations, found.lost, found.missed) == (0, 0, 0, 0.0)
    assert 0.1 < found.p50 < 1.0
    assert found.under == 0


def test_too_few_replicas_are_late_and_too_few() -> None:
    load = workload.make("constant:4", SHAPE)
    found = replay.Replay(load, dataclasses.replace(plan(), replicas=1), fixed(1)).run().figures
    assert found.missed > 0.9
    assert found.under > 1700
    assert found.most_waiting > 1000


def test_with_no_replica_ever_everybody_is_lost() -> None:
    load = workload.make("constant:1", dataclasses.replace(SHAPE, seconds=100))
    none = plan(bounds=schedules.Bounds(0, 3))
    found = replay.Replay(load, dataclasses.replace(none, replicas=0), fixed(None)).run().figures
    assert found.lost == found.requests > 50
    assert found.missed == 1.0
    assert math.isnan(found.p50)


def test_a_load_without_requests() -> None:
    found = replay.Replay(workload.Load("nobody", (), 0.0, 60.0), plan(), fixed(1)).run().figures
    assert found.requests == 0
    assert math.isnan(found.missed)


def test_work_is_what_saturates_an_engine() -> None:
    """What ``Work`` says is about what it can do: three fifths of it are served quickly, a third more never is."""
    shape = dataclasses.replace(SHAPE, seconds=3600)
    load = workload.make("constant:1", shape)
    mean = sum(map(replay.Work(ENGINE, load).seconds, load.arrivals)) / len(load.arrivals)
    alone = dataclasses.replace(plan(), replicas=1)
    below = replay.Replay(workload.make(f"constant:{0.6 / mean}", shape), alone, fixed(1)).run()
    above = replay.Replay(workload.make(f"constant:{1.3 / mean}", shape), alone, fixed(1)).run()
    assert below.figures.p99 < 10
    assert above.samples[-1].waiting > 100


@pytest.mark.parametrize("wrong", [{"period": 0.0}, {"period": math.inf}, {"limit": 0.0}, {"limit": math.nan}])
def test_plans_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(errors.ReplayError):
        dataclasses.replace(plan(), **wrong)


def test_a_plan_by_a_metric_that_is_not_there() -> None:
    strange = contract.Metric("m", "time_to_first_token", 1.0)
    with pytest.raises(errors.ReplayError, match="num_requests_running"):
        replay.Plan("x", dataclasses.replace(plan().settings, metrics=(strange,)), fleet.Build(params.Params()))
