"""least-request: fewest in flight, ties by chance, the same whatever the order of endpoints."""

from __future__ import annotations

import collections
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import capabilities, contract, pipeline, registry, testing
from brickyard.routing.policies import least_request

PROFILE = registry.Registry([least_request.POLICY]).profile(least_request.NAME)
COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=8)


def choose(
    table: contract.EndpointSnapshot, request: contract.Request | None = None, rng: contract.Random | None = None
) -> contract.Decision:
    made = pipeline.route(request or testing.request(), table, PROFILE, 0.0, rng or testing.Dice())
    assert isinstance(made, contract.Decision), made
    return made


@pytest.mark.parametrize(
    ("in_flight", "scores"),
    [
        ((4, 0, 2), [0.0, 1.0, 0.5]),
        ((3, 3), [1.0, 1.0]),
        ((0, 0, 0), [1.0, 1.0, 1.0]),
        ((7,), [1.0]),
        ((0, 100), [1.0, 0.0]),
    ],
)
def test_scores(in_flight: tuple[int, ...], scores: list[float]) -> None:
    table = testing.snapshot(*in_flight)
    assert least_request.SCORER.scores(testing.request(), table, range(len(in_flight))) == scores


def test_scores_are_relative_to_the_rows_that_are_left() -> None:
    table = testing.snapshot(0, 4, 6, 100)
    assert least_request.SCORER.scores(testing.request(), table, [1, 2]) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 requests in flight"), (1, "1 request in flight"), (2, "2 requests in flight")]
)
def test_it_can_say_what_it_saw(count: int, words: str) -> None:
    scorer = least_request.SCORER
    assert isinstance(scorer, capabilities.Describes)
    assert scorer.describe(testing.snapshot(count), 0) == words


@given(COUNTS, st.integers(0, 10**6), st.data())
def test_nobody_with_fewer_is_passed_over(in_flight: list[int], seed: int, data: st.DataObject) -> None:
    table = testing.snapshot(*in_flight)
    out = data.draw(st.sets(st.sampled_from([each.key for each in table.endpoints]), max_size=len(in_flight) - 1))
    made = choose(table, testing.request(excluded=sorted(out)), random.Random(seed))
    allowed = [count for each, count in zip(table.endpoints, in_flight, strict=True) if each.key not in out]
    chosen = table.endpoints.index(made.endpoint)
    assert made.endpoint.key not in out
    assert in_flight[chosen] == min(allowed)


@given(COUNTS)
def test_scores_stay_in_bounds_and_keep_the_order(in_flight: list[int]) -> None:
    table = testing.snapshot(*in_flight)
    scores = least_request.SCORER.scores(testing.request(), table, range(len(in_flight)))
    assert all(0.0 <= score <= 1.0 for score in scores)
    assert max(scores) == 1.0
    for one, first in zip(in_flight, scores, strict=True):
        for other, second in zip(in_flight, scores, strict=True):
            assert (one < other) == (first > second)


def test_equals_share_evenly() -> None:
    """Three of five are equal; with 3000 choices the chance of one of them getting fewer than 850 is below 1e-7."""
    rng, table = random.Random(3), testing.snapshot(1, 5, 1, 1, 9)
    counts = collections.Counter(choose(table, rng=rng).endpoint.pod for _ in range(3000))
    assert set(counts) == {"a", "c", "d"}
    assert min(counts.values()) >= 850


def test_the_order_of_endpoints_does_not_change_the_shares() -> None:
    endpoints = [testing.endpoint(name) for name in "abc"]
    counts = []
    for order in ([0, 1, 2], [2, 0, 1]):
        rng = random.Random(11)
        table = testing.snapshot(
            *([1, 1, 4][index] for index in order), endpoints=[endpoints[index] for index in order]
        )
        counts.append(collections.Counter(choose(table, rng=rng).endpoint.pod for _ in range(4000)))
    assert set(counts[0]) == set(counts[1]) == {"a", "b"}
    assert abs(counts[0]["a"] - counts[1]["a"]) < 400


def test_a_closed_loop_spreads_evenly() -> None:
    """When every choice is counted, no endpoint is ever more than one request ahead of another."""
    rng, in_flight = random.Random(5), [0] * 6
    for _ in range(600):
        table = testing.snapshot(*in_flight)
        in_flight[table.endpoints.index(choose(table, rng=rng).endpoint)] += 1
        assert max(in_flight) - min(in_flight) <= 1
