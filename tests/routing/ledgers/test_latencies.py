"""The gateway's own clock on requests: means that fade."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import contract, testing
from brickyard.routing.ledgers import latencies
from brickyard.routing.policies import least_latency


def world() -> testing.World:
    return testing.World([least_latency.POLICY], 1, random.Random(3))


def run(there: testing.World, first: float, rest: float, tokens: int | None = 10, *, answer: bool = True) -> None:
    made = there.send(testing.request())
    there.now += first
    if answer:
        there.answer(made)
    there.now += rest
    there.end(made, contract.Usage(5, tokens) if tokens is not None else None)


def seen(there: testing.World) -> latencies.Seen | None:
    made = there.choose(testing.request())
    facts = latencies.INPUT.of(made.snapshot)
    assert facts is not None
    assert made.faults == ()
    return facts.seen[0]


def test_nothing_is_known_at_first() -> None:
    assert seen(world()) is None


def test_one_request() -> None:
    there = world()
    run(there, 0.5, 2.0, 40)
    assert seen(there) == latencies.Seen(0.5, 2.0, 40.0, 2.5)


def test_means_of_requests_that_are_equally_old() -> None:
    there = world()
    first, second = there.send(testing.request()), there.send(testing.request())
    there.now = 1.0
    there.answer(first)
    there.now = 3.0
    there.answer(second)
    there.now = 4.0
    there.end(first, contract.Usage(5, 10))
    there.end(second, contract.Usage(5, 30))
    assert seen(there) == latencies.Seen(2.0, 2.0, 20.0, 4.0)


def test_older_ones_count_less() -> None:
    there = world()
    run(there, 1.0, 2.0, 30)
    there.now += latencies.HALF_LIFE - 9.0
    run(there, 4.0, 5.0, 60)
    found = seen(there)
    assert found is not None
    assert found.first == pytest.approx((1.0 * 0.5 + 4.0) / 1.5)
    assert found.rest == pytest.approx((2.0 * 0.5 + 5.0) / 1.5)
    assert found.output_tokens == pytest.approx((30 * 0.5 + 60) / 1.5)


def test_the_half_life_is_a_minute() -> None:
    assert latencies.HALF_LIFE == 60.0


def test_long_silence_is_ignorance() -> None:
    there = world()
    run(there, 1.0, 1.0)
    there.now += latencies.HALF_LIFE * 5
    assert seen(there) is not None
    there.now += latencies.HALF_LIFE
    assert seen(there) is None


@pytest.mark.parametrize(("tokens", "answer"), [(None, True), (10, False)])
def test_what_failed_or_was_broken_off_says_nothing(tokens: int | None, answer: bool) -> None:
    there = world()
    run(there, 1.0, 1.0, tokens, answer=answer)
    assert seen(there) is None


def test_an_engine_that_tells_half_of_its_usage_says_nothing_either() -> None:
    there = world()
    made = there.send(testing.request())
    there.answer(made)
    there.end(made, contract.Usage(5, None))
    assert seen(there) is None


def test_age_and_rows() -> None:
    facts = latencies.Latencies([latencies.Seen(1.0, 2.0, 3.0, 5.0), None], 9.0)
    assert facts.age(testing.snapshot(0, 0)) == 4.0
    assert facts.row(0) == {"first_byte": 1.0, "rest": 2.0, "output_tokens": 3.0}
    assert facts.row(1) == {}
    both = latencies.Latencies([latencies.Seen(1.0, 2.0, 3.0, 5.0), latencies.Seen(1.0, 2.0, 3.0, 8.0)], 9.0)
    assert both.age(testing.snapshot(0, 0)) == 4.0
    assert latencies.Latencies([None], 9.0).age(testing.snapshot(0)) == math.inf


def test_endpoints_that_say_nothing_any_more_are_dropped() -> None:
    ledger = latencies.LatencyLedger()

    def one(name: str, now: float) -> None:
        snapshot = testing.snapshot(0, endpoints=[testing.endpoint(name)])
        profile = contract.Profile("x", (), (), testing.FakePicker())
        made = contract.Decision(
            testing.request(), snapshot.endpoints[0], profile, snapshot, (0,), contract.UNJUDGED, {}, now, row=0
        )
        ledger.observe(contract.Answered(made, now))
        ledger.observe(contract.Finished(made, now, contract.Usage(1, 1)))

    for at in range(latencies.ENDPOINTS_KEPT):
        one(f"old-{at}", 0.0)
    one("new", 1000.0)
    assert len(ledger._means) == 1


STEPS = st.floats(0.0, 200.0)


@given(st.lists(st.tuples(STEPS, STEPS, STEPS, st.integers(0, 2000)), min_size=1, max_size=25), st.floats(0.0, 700.0))
def test_means_are_those_of_all_requests_by_age(requests: list[tuple[float, float, float, int]], later: float) -> None:
    """Each counts half after a half-life; together they say something while they are worth a fiftieth of a fresh one."""
    there = world()
    ended: list[tuple[float, float, float, int]] = []
    for pause, first, rest, tokens in requests:
        there.now += pause
        run(there, first, rest, tokens)
        ended.append((there.now, first, rest, tokens))
    last = there.now
    there.now += later
    worth = sum(0.5 ** ((there.now - at) / latencies.HALF_LIFE) for at, *_ in ended)
    found = seen(there)
    if abs(worth - latencies.FAINTEST) > 1e-9:
        assert (found is None) is (worth < latencies.FAINTEST)
    if found is None:
        return
    weights = [0.5 ** ((last - at) / latencies.HALF_LIFE) for at, *_ in ended]
    for told, place in ((found.first, 1), (found.rest, 2), (found.output_tokens, 3)):
        mean = math.fsum(w * each[place] for w, each in zip(weights, ended, strict=True)) / math.fsum(weights)
        assert told == pytest.approx(mean, rel=1e-6, abs=1e-6)
    assert found.at == last


def test_endpoints_are_told_apart_whatever_row_they_stand_in() -> None:
    there = testing.World([least_latency.POLICY], 2, random.Random(3))
    made = there.send(testing.request())
    there.now = 2.0
    there.answer(made)
    there.end(made, contract.Usage(5, 10))
    there.endpoints = there.endpoints[::-1]
    facts = latencies.INPUT.of(there.choose(testing.request()).snapshot)
    assert facts is not None
    assert [each is not None for each in facts.seen] == [row == 1 - made.row for row in range(2)]
