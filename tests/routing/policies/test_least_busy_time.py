"""least-busy-time: engines believed, leases otherwise."""

from __future__ import annotations

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


def test_ends_that_nobody_began_change_nothing() -> None:
    ledger = busy.BusyLedger()
    made = world(1).choose(testing.request())
    ledger.observe(contract.Finished(made, 1.0))
    assert ledger.facts(testing.request(), testing.snapshot(0), 2.0).shares == [0.0]


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
