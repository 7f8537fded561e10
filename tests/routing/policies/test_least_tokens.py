"""least-tokens: work counted in tokens."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import contract, errors, pipeline, registry, testing
from brickyard.routing.ledgers import work
from brickyard.routing.policies import least_tokens


def asked(tokens: int, most: int) -> contract.Request:
    return dataclasses.replace(testing.request(), prompt_tokens=tokens, max_tokens=most)


def world(rows: int, **parameters: object) -> testing.World:
    return testing.World([least_tokens.POLICY], rows, random.Random(1), {"least-tokens": parameters})


def test_one_long_request_weighs_more_than_many_short_ones() -> None:
    there = world(2)
    long = there.send(asked(10_000, 100)).row
    for _ in range(20):
        assert there.send(asked(20, 20)).row == 1 - long


def test_the_prompt_no_longer_counts_once_the_answer_begins() -> None:
    there = world(2)
    long = there.send(asked(10_000, 10))
    there.send(asked(100, 100))
    assert there.choose(asked(1, 1)).row != long.row
    there.answer(long)
    assert there.choose(asked(1, 1)).row == long.row


@pytest.mark.parametrize(("parameters", "row"), [({}, 1), ({"decode_weight": 0.5}, 0), ({"prefill_weight": 0}, 1)])
def test_weights(parameters: dict[str, float], row: int) -> None:
    facts = work.Work((0, 150), (100, 0), 1)  # generating 100 against computing 150
    table = dataclasses.replace(testing.snapshot(0, 0), data={work.NAME: facts})
    profile = registry.Registry([least_tokens.POLICY], {"least-tokens": parameters}).profile("least-tokens")
    made = pipeline.route(testing.request(), table, profile, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.row == row


@pytest.mark.parametrize("parameters", [{"prefill_weight": -1}, {"prefill_weight": 0, "decode_weight": 0}])
def test_weights_out_of_range(parameters: dict[str, float]) -> None:
    with pytest.raises(errors.BadParameterError, match="weights"):
        registry.Registry([least_tokens.POLICY], {"least-tokens": parameters})


def test_weights_by_themselves() -> None:
    given = least_tokens.LeastTokensParameters()
    assert (given.prefill_weight, given.decode_weight) == (1.0, 2.0)
    assert least_tokens.LeastTokensParameters(1.0, 1.0).decode_weight == 1.0
    assert least_tokens.LeastTokensParameters(1.0, 0.0).decode_weight == 0.0


def test_without_its_ledger_chance_decides() -> None:
    profile = registry.Registry([least_tokens.POLICY]).profile("least-tokens")
    made = pipeline.route(testing.request(), testing.snapshot(9, 0), profile, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert (made.totals, made.faults, str(made.measures[0])) == ([0.0, 0.0], (), "[nan, nan]")
    assert least_tokens.words(made.snapshot, 0) == "outstanding work unknown"


def test_words() -> None:
    table = dataclasses.replace(testing.snapshot(0), data={work.NAME: work.Work((5,), (6,), 7)})
    assert least_tokens.words(table, 0) == "5 tokens to prefill and 6 to generate"


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 5000)), min_size=1, max_size=40), st.integers(2, 5))
def test_nobody_is_ahead_by_more_than_one_request(requests: list[tuple[int, int]], rows: int) -> None:
    """The greedy rule's own bound: two endpoints never differ by more than the largest request."""
    there = world(rows)
    for tokens, most in requests:
        there.send(asked(tokens, most))
    facts = work.INPUT.of(there.choose(asked(1, 1)).snapshot)
    assert facts is not None
    total = [prefill + 2 * decode for prefill, decode in zip(facts.prefill, facts.decode, strict=True)]
    assert max(total) - min(total) <= max(tokens + 2 * min(most, work.EXPECTED) for tokens, most in requests)
