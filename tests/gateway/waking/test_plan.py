"""The table of the module, row by row, and what holds whatever happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.gateway.waking import plan

KEEP, TELL, RETRACT = plan.Step.KEEP, plan.Step.TELL, plan.Step.RETRACT
NOTHING, HELD, OPEN = plan.Demand(), plan.Demand(held=2), plan.Demand(open=3)
BOTH = plan.Demand(held=1, open=1)


@pytest.mark.parametrize(
    ("held", "now", "after", "wanted"),
    [
        # nothing told before
        (None, NOTHING, 0, KEEP),
        (None, HELD, 0, TELL),
        (None, OPEN, 0, TELL),
        # open, then held; held, then open: at once, but no sooner than a second later
        (0, HELD, 0.9, KEEP),
        (0, HELD, 1.0, TELL),
        (0, BOTH, 1.0, TELL),
        (4, OPEN, 0.9, KEEP),
        (4, OPEN, 1.0, TELL),
        # the same again
        (4, HELD, 4.9, KEEP),
        (4, HELD, 5.0, TELL),
        (0, OPEN, 14.9, KEEP),
        (0, OPEN, 15.0, TELL),
        # over
        (4, NOTHING, 4.9, KEEP),
        (4, NOTHING, 5.0, RETRACT),
        (0, NOTHING, 14.9, KEEP),
        (0, NOTHING, 15.0, RETRACT),
    ],
)
def test_rows(held: int | None, now: plan.Demand, after: float, wanted: plan.Step) -> None:
    told = None if held is None else plan.Told(held, 100.0)
    assert plan.step(told, now, 100.0 + after) is wanted


demands = st.builds(plan.Demand, st.integers(0, 3), st.integers(0, 3))


@given(st.lists(st.tuples(demands, st.floats(0.05, 20)), max_size=60))
def test_who_waits_is_told_of_soon_and_nobody_is_told_too_often(course: list[tuple[plan.Demand, float]]) -> None:
    told: plan.Told | None = None
    now, last = 0.0, -10.0
    for demand, pause in course:
        now += pause
        step = plan.step(told, demand, now)
        if step is not KEEP:
            assert now - last >= plan.SOONEST or told is None
            last = now
        if step is TELL:
            assert demand.busy
            told = plan.Told(demand.held, now)
        elif step is RETRACT:
            assert not demand.busy
            told = None
        if demand.held:
            assert told is not None
            assert (told.held > 0 and now - told.at < plan.HELD_EVERY) or now - told.at < plan.SOONEST


@pytest.mark.parametrize(("demand", "every"), [(HELD, plan.HELD_EVERY), (OPEN, plan.OPEN_EVERY)])
def test_a_word_outlives_one_that_is_lost(demand: plan.Demand, every: float) -> None:
    assert plan.lasts(demand) > 3 * every
