"""Replicas that start, serve, drain and end."""

from __future__ import annotations

import math

import pytest

from brickyard.sim.engine.core import params
from brickyard.sim.scaling import engine, errors, fleet

ENGINE = params.Params(timing=params.Timing(step=0.1), max_num_seqs=4, max_model_len=1000, block_size=1, blocks=4000)
BUILD = fleet.Build(ENGINE, cold_start=120.0, grace=60.0)


def until(made: fleet.Fleet, now: float) -> None:
    while made.next_at() <= now:
        made.advance()


def job(at: float, output: int = 10) -> engine.Job:
    return engine.Job(at, 5, output)


def test_each_request_goes_to_who_has_fewest() -> None:
    made = fleet.Fleet(BUILD, 3)
    for _ in range(7):
        made.submit(job(0.0), 0.0)
    assert [each.engine.open for each in made.ready] == [3, 2, 2]
    until(made, 10.0)
    assert made.open == 0


def test_an_ordered_replica_is_ready_after_its_cold_start_and_costs_from_its_order() -> None:
    made = fleet.Fleet(BUILD, 1)
    made.resize(3, 10.0)
    assert (made.replicas, len(made.ready), len(made.starting)) == (3, 1, 2)
    until(made, 129.9)
    assert len(made.ready) == 1
    until(made, 130.0)
    assert (len(made.ready), len(made.starting)) == (3, 0)
    assert made.cost(130.0) == pytest.approx(130 + 2 * 120)


def test_what_starts_is_taken_back_first_and_then_the_latest() -> None:
    made = fleet.Fleet(BUILD, 2)
    made.resize(4, 0.0)
    made.resize(3, 50.0)
    made.resize(1, 60.0)
    assert [each.name for each in made.ready] == ["replica-1"]
    assert not made.starting
    assert made.spent == pytest.approx(50 + 60 + 60)


def test_a_drained_replica_serves_what_it_has_and_takes_nothing_more() -> None:
    made = fleet.Fleet(BUILD, 2)
    jobs = [job(0.0, 100), job(0.0, 100)]
    for each in jobs:
        made.submit(each, 0.0)
    made.resize(1, 1.0)
    late = job(2.0)
    made.submit(late, 2.0)
    assert [each.engine.open for each in made.ready] == [2]
    until(made, 30.0)
    assert all(each.ended > 0 for each in (*jobs, late))
    assert not made.draining
    assert made.spent == pytest.approx(jobs[1].ended)


def test_what_outlasts_the_grace_is_lost() -> None:
    made = fleet.Fleet(BUILD, 1)
    long = job(0.0, 900)
    made.submit(long, 0.0)
    made.resize(0, 5.0)
    until(made, 1000.0)
    assert (long.lost, long.ended, made.lost, made.open) == (True, -1.0, 1, 0)
    assert made.spent == pytest.approx(65.0)
    assert made.next_at() == fleet.NEVER


def test_with_nobody_ready_requests_wait_at_the_gateway_in_order() -> None:
    made = fleet.Fleet(BUILD, 0)
    jobs = [job(float(number)) for number in range(6)]
    for each in jobs:
        made.submit(each, each.arrived)
    assert (made.waiting, made.open, made.most_waiting) == (6, 6, 6)
    made.resize(1, 10.0)
    until(made, 200.0)
    firsts = [each.first_token for each in jobs]
    assert firsts == sorted(firsts)
    assert firsts[0] > 130.0
    assert (made.waiting, made.open) == (0, 0)


def test_who_can_never_run_is_refused_at_once() -> None:
    made = fleet.Fleet(BUILD, 1)
    huge = engine.Job(0.0, 999, 2)
    made.submit(huge, 0.0)
    assert (huge.lost, made.refused, made.open) == (True, 1, 0)


def test_the_most_that_wait_is_kept() -> None:
    made = fleet.Fleet(BUILD, 1)
    for _ in range(9):
        made.submit(job(0.0), 0.0)
    assert made.most_waiting == 8  # the first has begun before the others came
    until(made, 100.0)
    assert (made.waiting, made.most_waiting) == (0, 8)


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_times_that_cannot_be(wrong: float) -> None:
    with pytest.raises(errors.ReplayError):
        fleet.Build(ENGINE, cold_start=wrong)
    with pytest.raises(errors.ReplayError):
        fleet.Build(ENGINE, grace=wrong)
