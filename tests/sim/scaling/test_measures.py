"""What an autoscaler could read of a fleet."""

from __future__ import annotations

import math

import pytest

from brickyard.scaling import contract
from brickyard.sim.engine.core import params
from brickyard.sim.scaling import engine, errors, fleet, measures

ENGINE = params.Params(timing=params.Timing(step=0.1), max_num_seqs=2, max_model_len=1000, block_size=1, blocks=100)


def loaded() -> fleet.Fleet:
    made = fleet.Fleet(fleet.Build(ENGINE), 1)
    made.resize(2, 0.0)
    for _ in range(3):
        made.submit(engine.Job(0.0, 10, 20), 0.0)
    return made


def look(name: str, made: fleet.Fleet, now: float) -> contract.Observation:
    return measures.Meter(1000.0).look((measures.metric(name, 1.0),), made, now).observations[0]


def test_gauges_of_pods_and_those_that_are_not_ready() -> None:
    made = loaded()
    while made.next_at() <= 1.05:
        made.advance()
    waiting = look("num_requests_waiting", made, 1.05)
    assert [(each.health, each.value) for each in waiting.pods] == [
        (contract.Health.READY, 1.0),
        (contract.Health.UNREADY, 0.0),
    ]
    assert waiting.pods[0].at == 1001.05
    assert look("num_requests_running", made, 1.05).pods[0].value == 2.0
    usage = look("kv_cache_usage_perc", made, 1.05).pods[0].value
    assert 0.2 < usage < 0.6
    assert look("gpu_cache_usage_perc", made, 1.05).pods[0].value == usage


def test_rates_are_since_the_last_look() -> None:
    made = fleet.Fleet(fleet.Build(ENGINE), 1)
    meter = measures.Meter(0.0)
    metrics = tuple(measures.metric(each, 1.0) for each in (*measures.COUNTERS, measures.ARRIVALS))
    assert [each.pods[0].value for each in meter.look(metrics, made, 0.0).observations[:3]] == [0.0, 0.0, 0.0]
    made.submit(engine.Job(0.0, 10, 20), 0.0)
    meter.arrived = 1
    while made.next_at() <= 10.0:
        made.advance()
    first = meter.look(metrics, made, 10.0).observations
    assert [each.pods[0].value for each in first[:3]] == [1.0, 2.0, 0.1]
    assert first[3].whole == 0.1
    second = meter.look(metrics, made, 20.0).observations
    assert [each.pods[0].value for each in second[:3]] == [0.0, 0.0, 0.0]
    assert second[3].whole == 0.0


def test_of_the_whole_what_is_held_counts() -> None:
    made = fleet.Fleet(fleet.Build(ENGINE), 0)
    made.submit(engine.Job(0.0, 10, 20), 0.0)
    assert look("gateway_in_flight_requests", made, 0.0).whole == 1.0
    assert measures.metric("gateway_in_flight_requests", 2).form is contract.Form.WHOLE


def test_a_snapshot_counts_what_is_ordered() -> None:
    assert measures.Meter(0.0).look((), loaded(), 0.0).replicas == 2


@pytest.mark.parametrize("target", [0.0, -1.0, math.nan])
def test_metrics_that_cannot_be(target: float) -> None:
    with pytest.raises(errors.ReplayError, match="above 0"):
        measures.metric("num_requests_running", target)
    with pytest.raises(errors.ReplayError, match="num_requests_waiting"):
        measures.metric("queue", 1.0)
