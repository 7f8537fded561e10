"""least-busy-time: engines believed, leases otherwise."""

from __future__ import annotations

import dataclasses
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api import serving
from brickyard.routing import contract, testing
from brickyard.routing.policies import least_busy_time
from brickyard.routing.policies.least_busy_time import busy


def world(rows: int) -> testing.World:
    return testing.World([least_busy_time.POLICY], rows, random.Random(1))


def shares(there: testing.World) -> list[float]:
    facts = busy.INPUT.of(there.choose(testing.request()).snapshot)
    assert facts is not None
    return list(facts.shares)


def test_nobody_was_busy_yet() -> None:
    assert shares(world(3)) == [0.0, 0.0, 0.0]


def test_a_request_makes_its_endpoint_busy_for_as_long_as_it_lasts() -> None:
    there = world(1)
    made = there.send(testing.request())
    there.now = busy.FADING
    assert shares(there) == pytest.approx([1 - math.exp(-1)])
    there.end(made)
    there.now = 2 * busy.FADING
    assert shares(there) == pytest.approx([(1 - math.exp(-1)) * math.exp(-1)])


def test_an_answer_that_begins_is_not_over() -> None:
    there = world(1)
    made = there.send(testing.request())
    there.now = 10.0
    there.answer(made)
    there.now = busy.FADING
    assert shares(there) == pytest.approx([1 - math.exp(-1)])


def test_the_share_is_of_the_last_minute() -> None:
    assert busy.FADING == 60.0


def test_two_requests_at_a_time_are_no_busier_than_one() -> None:
    there = world(1)
    first = there.send(testing.request())
    there.now = 10.0
    second = there.send(testing.request())
    there.now = 20.0
    there.end(first)
    there.now = 30.0
    there.end(second)
    assert shares(there) == pytest.approx([1 - math.exp(-30 / busy.FADING)])


@pytest.mark.parametrize(
    ("told", "row"),
    [((0.9, 0.2), 1), ((0.2, 0.9), 0), ((None, 0.1), 0), ((0.1, None), 1)],
)
def test_an_engine_that_tells_is_believed(told: tuple[float | None, ...], row: int) -> None:
    there = world(2)
    for at, share in enumerate(told):
        there.hear(at, serving.EngineLoad(busy=share))
    assert there.choose(testing.request()).row == row


def test_without_any_source_chance_decides() -> None:
    assert str(least_busy_time.Shares()(testing.request(), testing.snapshot(0), [0])) == "[nan]"
    assert least_busy_time.words(testing.snapshot(0), 0) == "busy time unknown"


def test_words() -> None:
    table = testing.snapshot(0, loads=[serving.EngineLoad(busy=0.37)])
    assert least_busy_time.words(table, 0) == "busy for 37% of the time"
    seen = {busy.INPUT.name: busy.Busy([0.42, 0.25])}
    both = dataclasses.replace(testing.snapshot(0, 0, loads=[None, *table.loads]), data=seen)
    assert least_busy_time.words(both, 0) == "busy for 42% of the time"
    assert least_busy_time.words(both, 1) == "busy for 37% of the time"


def test_ends_that_nobody_began_change_nothing() -> None:
    ledger = busy.BusyLedger()
    made, again = world(1).choose(testing.request()), world(1).choose(testing.request())
    ledger.observe(contract.Finished(made, 1.0))
    assert ledger.facts(testing.request(), made.snapshot, 2.0).shares == [0.0]
    ledger.observe(contract.Chosen(again, 2.0))
    ledger.observe(contract.Finished(again, 2.0))
    ledger.observe(contract.Finished(again, 3.0))
    assert ledger.facts(testing.request(), made.snapshot, 9.0).shares == [0.0]


def test_rows_tell_the_share_and_it_is_never_old() -> None:
    facts = busy.Busy([0.25, 0.5])
    assert (facts.row(1), facts.age(testing.snapshot(0, 0))) == ({"busy": 0.5}, 0.0)


@given(st.lists(st.tuples(st.floats(0, 50), st.booleans()), max_size=40))
def test_shares_stay_between_0_and_1(steps: list[tuple[float, bool]]) -> None:
    there = world(2)
    under_way: list[contract.Decision] = []
    for step, begins in steps:
        there.now += step
        if begins or not under_way:
            under_way.append(there.send(testing.request()))
        else:
            there.end(under_way.pop(0))
        assert all(0.0 <= share <= 1.0 for share in shares(there))


def test_requests_take_turns() -> None:
    there = world(4)
    for _ in range(40):
        made = there.send(testing.request())
        there.now += 1.0
        there.end(made)
    found = shares(there)
    assert min(found) > 0
    assert max(found) - min(found) < 0.05


def test_those_that_are_busy_or_were_of_late_are_remembered_however_many_there_are() -> None:
    """Forgotten is who has nothing in flight and less than a thousandth of a share."""
    ledger, profile = busy.BusyLedger(), contract.Profile("x", (), (), testing.FakePicker())

    def chosen(name: str, at: float) -> contract.Decision:
        table = testing.snapshot(0, endpoints=[testing.endpoint(name)])
        made = contract.Decision(
            testing.request(), table.endpoints[0], profile, table, (0,), contract.UNJUDGED, {}, at, row=0
        )
        ledger.observe(contract.Chosen(made, at))
        return made

    def share(made: contract.Decision, now: float) -> float:
        return ledger.facts(testing.request(), made.snapshot, now).shares[0]

    faint, late = chosen("faint", 0.0), chosen("late", 0.0)
    for made, seconds in ((faint, 0.05), (late, 0.07)):  # just below a thousandth, just above
        ledger.observe(contract.Finished(made, seconds))
    under_way = chosen("under way", 0.07)
    for at in range(busy.ENDPOINTS_KEPT):
        ledger.observe(contract.Finished(chosen(f"e{at}", 0.07), 0.07))
    assert share(under_way, 60.07) == pytest.approx(1 - math.exp(-1))
    assert share(late, 0.07) > busy.IDLE
    assert share(faint, 0.07) == 0.0


def test_idle_endpoints_are_forgotten_when_there_are_many() -> None:
    ledger, profile = busy.BusyLedger(), contract.Profile("x", (), (), testing.FakePicker())
    for at in range(busy.ENDPOINTS_KEPT + 1):
        table = testing.snapshot(0, endpoints=[testing.endpoint(f"e{at}")])
        made = contract.Decision(
            testing.request(), table.endpoints[0], profile, table, (0,), contract.UNJUDGED, {}, 0.0, row=0
        )
        now = 0.0 if at < busy.ENDPOINTS_KEPT else 9999.0
        ledger.observe(contract.Chosen(made, now))
        ledger.observe(contract.Finished(made, now + 0.1))
    assert len(ledger._endpoints) == 1
