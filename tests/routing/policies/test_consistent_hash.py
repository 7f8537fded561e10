"""consistent-hash: the same key to the same endpoint, and nobody above the bound."""

from __future__ import annotations

import collections
import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import contract, errors, pipeline, registry, testing
from brickyard.routing.policies import consistent_hash

PROFILE = registry.Registry([consistent_hash.POLICY]).profile(consistent_hash.NAME)
COUNTS = st.lists(st.integers(0, 30), min_size=1, max_size=9)


def choose(table: contract.EndpointSnapshot, key: str = "", user: str = "", prompt: bytes = b"") -> contract.Decision:
    asked = dataclasses.replace(testing.request(prompt=prompt), session_key=key, user=user)
    made = pipeline.route(asked, table, PROFILE, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.faults == ()
    return made


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"key": "k", "user": "u", "prompt": b"p"}, {"key": "k", "user": "other", "prompt": b"other"}),
        ({"user": "u", "prompt": b"p"}, {"user": "u", "prompt": b"other"}),
        ({"prompt": b"p" * 1024 + b"x"}, {"prompt": b"p" * 1024 + b"y"}),
    ],
)
def test_what_the_key_is(one: dict[str, str], other: dict[str, str]) -> None:
    table = testing.snapshot(*[0] * 8)
    assert choose(table, **one).row == choose(table, **other).row  # type: ignore[arg-type]  # bytes under one name only


def test_without_any_key_the_fewest_in_flight() -> None:
    assert choose(testing.snapshot(3, 1, 2)).endpoint.pod == "b"


@given(COUNTS, st.text(min_size=1, max_size=9))
def test_nobody_is_pushed_above_the_bound(in_flight: list[int], key: str) -> None:
    made = choose(testing.snapshot(*in_flight), key)
    assert in_flight[made.row] + 1 <= math.ceil(1.25 * (sum(in_flight) + 1) / len(in_flight))
    assert all(0.0 <= score <= 1.0 for score in made.scores[0])


@given(st.text(min_size=1, max_size=9), st.permutations(range(6)))
def test_the_order_of_endpoints_does_not_matter(key: str, order: list[int]) -> None:
    ends = [testing.endpoint(name) for name in "abcdef"]
    one = choose(testing.snapshot(*[0] * 6, endpoints=ends), key)
    other = choose(testing.snapshot(*[0] * 6, endpoints=[ends[at] for at in order]), key)
    assert one.endpoint is other.endpoint


@given(st.text(min_size=1, max_size=9), st.integers(0, 5))
def test_an_endpoint_that_goes_moves_only_its_own_keys(key: str, gone: int) -> None:
    ends = [testing.endpoint(name) for name in "abcdef"]
    before = choose(testing.snapshot(*[0] * 6, endpoints=ends), key)
    left = [each for at, each in enumerate(ends) if at != gone]
    after = choose(testing.snapshot(*[0] * 5, endpoints=left), key)
    assert before.row == gone or after.endpoint is before.endpoint


def test_a_full_endpoint_gives_its_keys_to_the_next_in_their_order() -> None:
    table = testing.snapshot(0, 0, 0, 0)
    home = choose(table, "k").row
    order = sorted(range(4), key=lambda row: -choose(table, "k").scores[0][row])
    assert order[0] == home
    counts = [0] * 4
    counts[home] = 9
    assert choose(testing.snapshot(*counts), "k").row == order[1]


def test_keys_spread_evenly() -> None:
    table = testing.snapshot(*[0] * 5)
    counts = collections.Counter(choose(table, f"key-{at}").row for at in range(4000))
    assert min(counts.values()) > 680
    assert max(counts.values()) < 920


def test_one_hot_key_does_not_sink_its_endpoint() -> None:
    """All requests have one key and none ends: the busiest never has more than the bound allows."""
    in_flight = [0] * 5
    for _ in range(200):
        made = choose(testing.snapshot(*in_flight), "hot")
        in_flight[made.row] += 1
        assert max(in_flight) <= math.ceil(1.25 * sum(in_flight) / 5)
    assert sorted(in_flight)[1:] == [50] * 4


@pytest.mark.parametrize("given_parameters", [{"load_factor": 1.0}, {"load_factor": math.inf}, {"prefix_bytes": -1}])
def test_parameters_out_of_range(given_parameters: dict[str, float]) -> None:
    with pytest.raises(errors.BadParameterError):
        registry.Registry([consistent_hash.POLICY], {"consistent-hash": given_parameters})


def test_a_prompt_need_not_be_a_key() -> None:
    scorer = consistent_hash.Bounded(consistent_hash.ConsistentHashParameters(prefix_bytes=0))
    assert scorer.key(testing.request(prompt=b"x")) is None
    assert "in the key's order" in scorer.describe(testing.snapshot(2), 0)


def test_a_key_stays_where_it_is_through_an_update_of_the_gateway() -> None:
    """The order that endpoints have for a key is a promise: gateways of two versions side by side must agree on it."""
    table = testing.snapshot(*[0] * 8)
    orders = {
        key: "".join(pod for _, pod in sorted(zip(choose(table, key).scores[0], "abcdefgh", strict=True), reverse=True))
        for key in ("alice", "bob", "carol")
    }
    assert orders == {"alice": "behdgfca", "bob": "acgdhfbe", "carol": "defhgbac"}


def test_scores_are_places_in_the_key_s_order() -> None:
    """Evenly from 1 downwards; those that have too much come after all others, in the same order among themselves."""
    free = choose(testing.snapshot(*[0] * 4), "k").scores[0]
    assert sorted(free, reverse=True) == [1.0, 0.75, 0.5, 0.25]
    order = sorted(range(4), key=lambda row: -free[row])
    counts = [0] * 4
    counts[order[0]] = counts[order[2]] = 9
    crowded = choose(testing.snapshot(*counts), "k").scores[0]
    assert [order.index(row) for row in sorted(range(4), key=lambda row: -crowded[row])] == [1, 3, 0, 2]


@pytest.mark.parametrize(
    ("load_factor", "in_flight", "moves"),
    [
        # bound = ceil(factor * (sum + 1) / 4), and whoever is below it has room
        (1.25, 1, False),  # ceil(1.25 * 5 / 4) = 2
        (1.01, 1, False),  # ceil(1.01 * 5 / 4) = 2
        (1.25, 2, True),  # ceil(1.25 * 6 / 4) = 2
        (2.0, 2, False),  # ceil(2 * 6 / 4) = 3
        (2.0, 3, False),  # ceil(2 * 7 / 4) = 4
        (2.0, 5, True),  # ceil(2 * 9 / 4) = 5
    ],
)
def test_the_bound(load_factor: float, in_flight: int, moves: bool) -> None:
    """Three others have one request in flight each, the key's own endpoint ``in_flight``."""
    profile = registry.Registry([consistent_hash.POLICY], {"consistent-hash": {"load_factor": load_factor}}).profile(
        consistent_hash.NAME
    )
    home = choose(testing.snapshot(*[0] * 4), "k").row
    counts = [1] * 4
    counts[home] = in_flight
    asked = dataclasses.replace(testing.request(), session_key="k")
    made = pipeline.route(asked, testing.snapshot(*counts), profile, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert (made.row != home) is moves


def test_texts_that_are_no_unicode_are_keys_too() -> None:
    """Header values may hold any bytes; they arrive as surrogates."""
    assert choose(testing.snapshot(*[0] * 8), "\udcff\udcfe").faults == ()


@given(st.lists(st.integers(0, 12), min_size=2, max_size=9), st.text(min_size=1, max_size=9))
def test_a_choice_is_that_of_the_first_with_room_in_the_idle_order(counts: list[int], key: str) -> None:
    idle = choose(testing.snapshot(*[0] * len(counts)), key).scores[0]
    bound = math.ceil(1.25 * (sum(counts) + 1) / len(counts))
    order = sorted(range(len(counts)), key=lambda row: -idle[row])
    assert choose(testing.snapshot(*counts), key).row == next(row for row in order if counts[row] < bound)
