"""power-of-two: two by chance, the one with fewer in flight."""

from __future__ import annotations

import collections
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import contract, errors, pipeline, registry, testing
from brickyard.routing.policies import least_request, power_of_two

REGISTRY = registry.Registry([power_of_two.POLICY, least_request.POLICY])
PROFILE = REGISTRY.profile(power_of_two.NAME)


def choose(table: contract.EndpointSnapshot, rng: contract.Random) -> contract.Decision:
    made = pipeline.route(testing.request(), table, PROFILE, 0.0, rng)
    assert isinstance(made, contract.Decision)
    return made


@pytest.mark.parametrize(
    ("rolls", "pod"),
    [
        ((0.0, 0.0), "b"),  # a with 5 and b with 1
        ((0.0, 0.99), "c"),  # a with 5 and c with 3
        ((0.4, 0.5), "b"),  # b with 1 and c with 3
        ((0.99, 0.0), "c"),  # c with 3 and a with 5
    ],
)
def test_the_better_of_the_two_drawn(rolls: tuple[float, ...], pod: str) -> None:
    assert choose(testing.snapshot(5, 1, 3), testing.Dice(rolls)).endpoint.pod == pod


@pytest.mark.parametrize(("rolls", "pod"), [((0.0, 0.0), "a"), ((0.6, 0.0), "b")])
def test_the_first_drawn_when_they_are_equal(rolls: tuple[float, ...], pod: str) -> None:
    assert choose(testing.snapshot(2, 2), testing.Dice(rolls)).endpoint.pod == pod


def test_one_candidate_needs_no_dice() -> None:
    dice = testing.Dice()
    assert choose(testing.snapshot(9), dice).endpoint.pod == "a"
    assert dice.rolls == 0
    assert power_of_two.BetterOfTwo().pick([4], [0.0], dice) == 4


def test_the_two_are_distinct_and_every_pair_is_as_likely() -> None:
    """With distinct counts the worst row never wins, and the best wins whenever it is drawn: in half of 6 pairs of 4 rows."""
    rng = random.Random(9)
    counts = collections.Counter(choose(testing.snapshot(3, 0, 2, 1), rng).endpoint.pod for _ in range(6000))
    assert counts["a"] == 0
    assert abs(counts["b"] - 3000) < 250
    assert abs(counts["d"] - 2000) < 250
    assert abs(counts["c"] - 1000) < 250


@given(st.lists(st.integers(0, 20), min_size=2, max_size=8), st.integers(0, 2**32))
def test_the_busiest_alone_is_never_taken(in_flight: list[int], seed: int) -> None:
    made = choose(testing.snapshot(*in_flight), random.Random(seed))
    if in_flight.count(max(in_flight)) == 1:
        assert in_flight[made.row] < max(in_flight)


def test_it_cannot_be_mixed() -> None:
    with pytest.raises(errors.BadStrategyError, match="'power-of-two' gives no scores"):
        REGISTRY.profile("power-of-two,least-request")
