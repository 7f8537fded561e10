"""When autoscalers are looked at."""

from __future__ import annotations

import collections

import hypothesis
import hypothesis.strategies as st
import pytest

from brickyard.controllers.podautoscaler import timing

times = st.floats(min_value=1e9, max_value=2e9)


@hypothesis.given(st.text(), times, st.floats(min_value=1, max_value=600))
def test_looks_are_a_period_apart_at_ones_own_place(uid: str, now: float, period: float) -> None:
    first = timing.next_look(uid, now, period)
    assert 0.25 * period - 1e-6 <= first <= 1.25 * period + 1e-6
    at = now + first
    assert (at - timing.place(uid, period)) % period == pytest.approx(0, abs=1e-5) or (
        at - timing.place(uid, period)
    ) % period == pytest.approx(period, abs=1e-5)


@hypothesis.given(st.text(), times, st.floats(min_value=0.2, max_value=2))
def test_edges_of_schedules_come_in_between(uid: str, now: float, ahead: float) -> None:
    assert timing.next_look(uid, now, 10, now + ahead) == pytest.approx(ahead, abs=1e-6)
    assert timing.next_look(uid, now, 10, now - ahead) == timing.next_look(uid, now, 10)


def test_of_several_the_first_that_is_to_come_counts() -> None:
    assert timing.next_look("a", 1e9, 10, None, 1e9 + 2, 1e9 + 1.5, 1e9 - 3) == pytest.approx(1.5, abs=1e-6)
    assert timing.next_look("a", 1e9, 10, None, None) == timing.next_look("a", 1e9, 10)


def test_an_edge_that_is_now_is_not_waited_for_forever() -> None:
    assert timing.next_look("a", 1e9, 10, 1e9 + 1e-3) == pytest.approx(0.05)


UP, DOWN = timing.Step(100.0, up=True), timing.Step(100.0, up=False)


@pytest.mark.parametrize(
    ("step", "before", "until"),
    [
        (timing.Step(100.0, up=True), UP, 107.5),
        (timing.Step(107.4, up=True), UP, 107.5),
        (timing.Step(107.5, up=True), UP, None),
        (timing.Step(99.9, up=True), UP, None),
        (timing.Step(101.0, up=False), UP, None),
        (timing.Step(101.0, up=False), DOWN, 107.5),
        (timing.Step(101.0, up=True), None, None),
    ],
)
def test_one_step_of_a_direction_comes_in_a_period(
    step: timing.Step, before: timing.Step | None, until: float | None
) -> None:
    assert timing.waits(step, before, 10.0) == until


def test_many_are_spread_evenly() -> None:
    counts = collections.Counter(int(timing.place(f"uid-{index}", 10)) for index in range(1000))
    assert len(counts) == 10
    assert max(counts.values()) < 150
