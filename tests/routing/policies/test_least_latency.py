"""least-latency: engines' times, the gateway's own where they tell none, and a chance for whoever was not heard of."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import contract, pipeline, registry, testing
from brickyard.routing.ledgers import latencies, rates
from brickyard.routing.policies import least_latency

PROFILE = registry.Registry([least_latency.POLICY]).profile(least_latency.NAME)


def done(
    queue: float | None, prefill: float | None, decode: float | None, prompt: float = 10.0, output: float = 100.0
) -> rates.Done:
    """Means of ten requests."""
    times = [None if each is None else 10 * each for each in (queue, prefill, decode)]
    return rates.Done(60.0, 10 * prompt, 10 * output, 10.0, *times)


def seen(first: float, rest: float, output: float = 100.0) -> latencies.Seen:
    return latencies.Seen(first, rest, output, 0.0)


def table(
    engines: list[rates.Done | None],
    gateway: list[latencies.Seen | None] | None = None,
    in_flight: tuple[int, ...] = (),
) -> contract.EndpointSnapshot:
    rows = len(engines)
    data = {
        rates.NAME: rates.Rates(engines),
        latencies.NAME: latencies.Latencies(gateway or [None] * rows, 0.0),
    }
    return dataclasses.replace(testing.snapshot(*(in_flight or (0,) * rows)), data=data)


def measured(snapshot: contract.EndpointSnapshot) -> list[float]:
    return list(least_latency.Expected()(testing.request(), snapshot, range(len(snapshot.endpoints))))


@pytest.mark.parametrize(
    ("engines", "expected"),
    [
        # queue + prefill + decode, all with typical lengths
        ([done(1, 2, 3), done(0, 1, 1)], [6, 2]),
        # an engine that counts no queue has none
        ([done(None, 2, 3), done(0, 1, 1)], [5, 2]),
        # twice the prompt in twice the time is as fast: scaled to the mean of 15
        ([done(0, 2, 0, prompt=20), done(0, 1, 0, prompt=10)], [1.5, 1.5]),
        # the same for answers: scaled to the mean of 150
        ([done(0, 0, 4, output=200), done(0, 0, 1, output=100)], [3.0, 1.5]),
        # nobody counted tokens: nothing to scale
        ([done(1, 1, 1, prompt=0, output=0), done(0, 1, 1, prompt=0, output=0)], [3, 2]),
    ],
)
def test_expected_seconds(engines: list[rates.Done | None], expected: list[float]) -> None:
    assert measured(table(engines)) == pytest.approx(expected)


@pytest.mark.parametrize("in_flight", [(0, 0, 0), (2, 0, 1), (0, 7, 0)])
def test_each_request_in_flight_takes_as_long_again(in_flight: tuple[int, ...]) -> None:
    """Whether engines tell all it takes, or the gateway stands in for one of them."""
    alone = [6.0, 2.0, 4.0]
    expected = [each * (1 + open_) for each, open_ in zip(alone, in_flight, strict=True)]
    told: list[rates.Done | None] = [done(1, 2, 3), done(0, 1, 1), done(2, 1, 1)]
    assert measured(table(told, in_flight=in_flight)) == pytest.approx(expected)
    assert measured(table([*told[:2], None], [None, None, seen(3, 1)], in_flight)) == pytest.approx(expected)
    some = least_latency.Expected()(testing.request(), table(told, in_flight=in_flight), [2, 0])
    assert list(some) == pytest.approx([expected[2], expected[0]])


def test_what_is_kept_goes_with_the_page_and_not_with_requests() -> None:
    """The same pages and other requests in flight, then another page."""
    kept = least_latency.Expected()
    before = table([done(1, 2, 3), done(0, 1, 1)], in_flight=(1, 1))
    after = table([done(0, 1, 0), done(0, 1, 1)], in_flight=(1, 1))
    for snapshot, expected in (
        (before, [12, 4]),
        (dataclasses.replace(before, in_flight=(0, 3)), [6, 8]),
        (after, [2, 4]),
        (before, [12, 4]),
    ):
        assert list(kept(testing.request(), snapshot, range(2))) == pytest.approx(expected)


def test_the_gateway_stands_in_for_an_engine_that_tells_no_times() -> None:
    without = done(None, None, None)
    assert measured(table([without, done(0, 1, 1)], [seen(2, 3), None])) == pytest.approx([5, 2])
    assert measured(table([None, None], [seen(2, 3), seen(1, 1)])) == pytest.approx([5, 2])
    for half in (done(1, 9, None), done(1, None, 9)):
        assert measured(table([half], [seen(2, 3)])) == pytest.approx([5])


def test_the_engine_is_believed_before_the_gateway() -> None:
    assert measured(table([done(0, 1, 1)], [seen(9, 9)])) == pytest.approx([2])


def test_answers_of_different_lengths_compare() -> None:
    found = measured(table([None, None], [seen(0, 4, 200), seen(0, 1, 100)]))
    assert found == pytest.approx([3.0, 1.5])


def test_lengths_are_the_gateways_where_an_engine_does_not_count_its_tokens() -> None:
    """Its times are believed all the same: 2 s for 200 tokens and 1 s for 100 are as fast, at a mean of 150."""
    uncounted = dataclasses.replace(done(0, 1, 2), generation_tokens=None)
    assert measured(table([uncounted, done(0, 1, 1)], [seen(9, 9, 200), None])) == pytest.approx([2.5, 2.5])
    assert measured(table([uncounted, done(0, 1, 1)])) == pytest.approx([3, 2])


def test_who_was_not_heard_of_counts_as_fast_as_the_fastest() -> None:
    known = done(0, 1, 1)
    assert measured(table([known, None], in_flight=(0, 0))) == pytest.approx([2, 2])
    assert measured(table([known, None], in_flight=(3, 1))) == pytest.approx([8, 4])
    assert measured(table([done(0, 3, 3), None, known])) == pytest.approx([6, 2, 2])


def test_nothing_known_of_anybody_is_left_to_chance() -> None:
    made = pipeline.route(testing.request(), table([None, None]), PROFILE, 0.0, testing.Dice([0.9]))
    assert isinstance(made, contract.Decision)
    assert (made.totals, made.row) == ([0.0, 0.0], 1)


def test_an_engine_without_finished_requests_was_not_heard_of() -> None:
    idle = dataclasses.replace(done(0, 1, 1), finished=0.0)
    assert measured(table([idle, done(0, 2, 2)])) == pytest.approx([4, 4])


def test_a_slow_endpoint_is_found_out_and_tried_again() -> None:
    """The slow one gets little while it is known to be slow; once that is long ago, it is tried again and its recovery noticed."""
    there = testing.World([least_latency.POLICY], 2, random.Random(5))

    def run(seconds: tuple[float, float]) -> int:
        made = there.send(testing.request())
        there.now += seconds[made.row]
        there.answer(made)
        there.end(made, contract.Usage(10, 10))
        return made.row

    slow = [run((4.0, 0.5)) for _ in range(60)]
    assert slow.count(1) >= 58
    # Means do not fade by themselves here: what was slow is unknown again after some half-lives.
    there.now += latencies.HALF_LIFE * 7
    quick = [run((0.1, 0.5)) for _ in range(40)]
    assert quick.count(0) >= 30


ENGINES = st.one_of(
    st.none(), st.builds(done, *[st.one_of(st.none(), st.floats(0, 9))] * 3, st.floats(0, 50), st.floats(0, 50))
)
SEEN = st.one_of(st.none(), st.builds(seen, st.floats(0, 9), st.floats(0, 9), st.floats(0, 50)))


@given(
    st.lists(st.tuples(st.lists(st.tuples(ENGINES, SEEN, st.integers(0, 5)), min_size=1, max_size=4), st.booleans()))
)
def test_what_is_kept_from_request_to_request_changes_nothing(
    moments: list[tuple[list[tuple[rates.Done | None, latencies.Seen | None, int]], bool]],
) -> None:
    kept = least_latency.Expected()
    for rows, again in moments:
        engines, gateway, counts = map(list, zip(*rows, strict=True))
        snapshot = table(engines, gateway, tuple(counts))
        for _ in range(1 + again):
            for left in (range(len(rows)), range(1, len(rows))):
                if left:
                    fresh = least_latency.Expected()(testing.request(), snapshot, left)
                    assert list(kept(testing.request(), snapshot, left)) == pytest.approx(list(fresh), nan_ok=True)


@pytest.mark.parametrize(
    ("snapshot", "words"),
    [
        (table([done(0.1, 0.2, 1.3)]), "0.10 s queued, 0.20 s to prefill and 1.30 s to decode on average"),
        (table([done(None, 0.2, 1.3)]), "0.00 s queued, 0.20 s to prefill and 1.30 s to decode on average"),
        *(
            (table([engine], [seen(0.5, 1.0)]), "0.50 s to the first byte and 1.00 s from there on average")
            for engine in (done(None, None, None), done(0.1, None, 1.3), done(0.1, 0.2, None))
        ),
        (table([None], [seen(0.5, 1.0)]), "0.50 s to the first byte and 1.00 s from there on average"),
        (table([None]), "latency unknown"),
        (testing.snapshot(0), "latency unknown"),
    ],
)
def test_words(snapshot: contract.EndpointSnapshot, words: str) -> None:
    assert least_latency.words(snapshot, 0) == words
