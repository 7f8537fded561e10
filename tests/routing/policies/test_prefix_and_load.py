"""prefix-and-load: one cost in tokens, no cliff, no spiral."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.routing import contract, errors, pipeline, registry, testing
from brickyard.routing.ledgers import prefixes, work
from brickyard.routing.policies import prefix_and_load

PROFILE = registry.Registry([prefix_and_load.POLICY]).profile(prefix_and_load.NAME)
COST = prefix_and_load.Cost(prefix_and_load.PrefixAndLoadParameters())


def table(
    blocks: Sequence[int] | None, prefill: Sequence[int], decode: Sequence[int] | None = None, total: int = 10
) -> contract.EndpointSnapshot:
    made: dict[str, contract.Facts] = {work.NAME: work.Work(prefill, decode or [0] * len(prefill), 1)}
    if blocks is not None:
        made[prefixes.NAME] = prefixes.Matches(blocks, total, 1)
    return dataclasses.replace(testing.snapshot(*[0] * len(prefill)), data=made)


def asked(tokens: int) -> contract.Request:
    return dataclasses.replace(testing.request(), prompt_tokens=tokens)


def choose(tokens: int, snapshot: contract.EndpointSnapshot) -> int:
    made = pipeline.route(asked(tokens), snapshot, PROFILE, 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    assert made.faults == ()
    return made.row


@pytest.mark.parametrize(
    ("tokens", "snapshot", "row"),
    [
        (1000, table([9, 0], [0, 0]), 0),
        (1000, table([9, 0], [899, 0]), 0),  # 899 tokens queued cost less than 900 saved
        (1000, table([9, 0], [901, 0]), 1),
        (1000, table([9, 0], [0, 0], [901, 0]), 1),  # tokens to generate count as well
        (1000, table([9, 4], [600, 0]), 1),  # a nearer second: 500 more saved, 600 queued
        (1000, table(None, [5, 4]), 1),  # no index: load alone
        (3, table([0, 0], [7, 9], total=0), 0),  # no full block
    ],
)
def test_rows(tokens: int, snapshot: contract.EndpointSnapshot, row: int) -> None:
    assert choose(tokens, snapshot) == row


def test_what_work_counts() -> None:
    """Load on all that is outstanding, the decode weight on what is to be generated."""
    given = prefix_and_load.PrefixAndLoadParameters(load=2.0, decode_weight=3.0)
    cost = prefix_and_load.Cost(given)(asked(1000), table([4, 0], [10, 20], [1, 2]), [0, 1])
    assert cost == pytest.approx([2 * 10 + 6 * 1 - 400, 2 * 20 + 6 * 2])


def test_without_its_ledger_chance_decides() -> None:
    assert str(COST(asked(5), testing.snapshot(0, 0), [0, 1])) == "[nan, nan]"
    assert prefix_and_load.words(testing.snapshot(0), 0) == "outstanding work unknown"


ROWS = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 5000), st.integers(0, 5000)), min_size=2, max_size=6)


@given(ROWS, st.integers(0, 20_000), st.data())
def test_there_is_no_cliff(rows: list[tuple[int, int, int]], tokens: int, data: st.DataObject) -> None:
    """A block more or a token of load more moves the cost by just what it is worth, wherever it stands."""
    blocks, prefill, decode = ([row[place] for row in rows] for place in range(3))
    at = data.draw(st.integers(0, len(rows) - 1))
    before = COST(asked(tokens), table(blocks, prefill, decode), range(len(rows)))
    more = list(prefill)
    more[at] += 1
    after = COST(asked(tokens), table(blocks, more, decode), range(len(rows)))
    assert after[at] - before[at] == pytest.approx(1.0, abs=1e-6)
    if blocks[at] < 10:
        more = list(blocks)
        more[at] += 1
        after = COST(asked(tokens), table(more, prefill, decode), range(len(rows)))
        assert before[at] - after[at] == pytest.approx(tokens / 10, abs=1e-6)


@given(ROWS, st.integers(0, 20_000))
def test_what_a_prefix_is_worth_bounds_what_is_waited_for_it(rows: list[tuple[int, int, int]], tokens: int) -> None:
    """Nobody waits behind more work than the prefix saves, compared with the least loaded endpoint."""
    blocks, prefill, decode = ([row[place] for row in rows] for place in range(3))
    row = choose(tokens, table(blocks, prefill, decode))
    queued = [one + other for one, other in zip(prefill, decode, strict=True)]
    saved = tokens * blocks[row] / 10
    assert queued[row] <= min(queued) + saved + 1e-3 * (1 + max(queued) + tokens)


@given(st.integers(100, 4000), st.integers(2, 6), st.integers(20, 80), st.integers(0, 2**32))
def test_a_prefix_that_everybody_shares_does_not_sink_one_endpoint(
    tokens: int, rows: int, requests: int, seed: int
) -> None:
    """No spiral: all prompts are the same and none ends, yet nobody gets ahead by more than the prefix and one request."""
    there = testing.World([prefix_and_load.POLICY], rows, random.Random(seed))
    prompt = b"x" * (4 * tokens)
    there.index.block = len(prompt) // 2
    each = dataclasses.replace(testing.request(prompt=prompt), max_tokens=64)
    for _ in range(requests):
        there.send(each)
    facts = work.INPUT.of(there.choose(each).snapshot)
    assert facts is not None
    total = [one + other for one, other in zip(facts.prefill, facts.decode, strict=True)]
    assert max(total) - min(total) <= 2 * tokens + 64
    enough = requests * 64 > rows * (2 * tokens + 64)
    assert not enough or min(there.in_flight) > 0


def test_conversations_stay_while_load_is_even() -> None:
    there = testing.World([prefix_and_load.POLICY], 4, random.Random(2))
    homes: dict[int, set[int]] = {talk: set() for talk in range(8)}
    texts = {talk: b"conversation %d " % talk * 20 for talk in homes}
    for _ in range(5):
        for talk, rows in homes.items():
            made = there.send(dataclasses.replace(testing.request(prompt=texts[talk]), max_tokens=10))
            there.answer(made)
            there.end(made, contract.Usage(100, 10))
            rows.add(made.row)
            texts[talk] += b"and another turn of it "
    assert all(len(rows) == 1 for rows in homes.values())


def test_words() -> None:
    assert prefix_and_load.words(table([6], [120], [256]), 0) == (
        "60 % of the prompt cached, 120 tokens to prefill and 256 to generate before it"
    )
    assert prefix_and_load.words(table(None, [120], [256]), 0).startswith("cached share unknown")


def test_a_token_is_a_token_unless_told_otherwise() -> None:
    """Computed for this request, queued before it, or still to be generated: each counts one."""
    assert prefix_and_load.PrefixAndLoadParameters() == prefix_and_load.PrefixAndLoadParameters(1.0, 1.0)


@pytest.mark.parametrize(
    "parameters",
    [*({"load": each} for each in (0, -1.0, math.inf)), *({"decode_weight": each} for each in (0, -1.0, math.inf))],
)
def test_parameters_that_would_let_one_endpoint_drown(parameters: dict[str, float]) -> None:
    with pytest.raises(errors.BadParameterError):
        registry.Registry([prefix_and_load.POLICY], {"prefix-and-load": parameters})
