"""throughput: the fewest tokens of late, outstanding ones included."""

from __future__ import annotations

import dataclasses
import random

import pytest

from brickyard.api import serving
from brickyard.routing import contract, testing
from brickyard.routing.ledgers import rates, work
from brickyard.routing.policies import throughput


def world(rows: int) -> testing.World:
    return testing.World([throughput.POLICY], rows, random.Random(1))


def asked(tokens: int = 0) -> contract.Request:
    return contract.Request("r", "demo", "/", prompt_tokens=tokens, max_tokens=0)


def pages(there: testing.World, *tokens: tuple[float, float] | None, seconds: float = 10.0) -> None:
    """Each engine did so many prompt and generated tokens in the last ``seconds``; None: it does not count."""
    for begun in (False, True):
        for row, did in enumerate(tokens):
            counted = (did if begun else (0.0, 0.0)) if did is not None else (None, None)
            there.hear(row, serving.EngineLoad(prompt_tokens_total=counted[0], generation_tokens_total=counted[1]))
        there.choose(asked())
        there.now += 0.0 if begun else seconds


@pytest.mark.parametrize(
    ("tokens", "row"),
    [
        (((100, 0), (0, 100)), 1),  # prompts count twice
        (((100, 0), (0, 300)), 0),
        (((10, 10), (10, 10.0001)), 0),
        ((None, (900, 900)), 1),
        (((5, 5), None, (4, 5)), 2),
        (((0, 0), (1, 1)), 0),
    ],
)
def test_weighted_tokens(tokens: tuple[tuple[float, float] | None, ...], row: int) -> None:
    there = world(len(tokens))
    pages(there, *tokens)
    assert there.choose(asked()).row == row


def test_what_is_measured() -> None:
    """Per minute: prompts twice, and what is outstanding as if it were done within it."""
    facts = rates.Rates(
        [
            rates.Done(30.0, 100.0, 50.0, None, None, None, None),
            rates.Done(60.0, 0.0, 7.0, None, None, None, None),
            rates.Done(60.0, None, 7.0, None, None, None, None),
            rates.Done(60.0, 7.0, None, None, None, None, None),
        ]
    )
    owed = work.Work([10, 0, 0, 0], [3, 4, 0, 0], 0)
    there = dataclasses.replace(testing.snapshot(0, 0, 0, 0), data={rates.NAME: facts, work.NAME: owed})
    found = throughput.measure(asked(), there, range(4))
    assert found[:2] == pytest.approx([(2 * 100 + 50) * 2 + 2 * 10 + 3, 7 + 4])
    assert str(list(found[2:])) == "[nan, nan]"
    assert throughput.words(there, 2) == throughput.words(there, 3) == "throughput unknown"


def test_without_what_is_outstanding_it_goes_by_what_was_done() -> None:
    facts = rates.Rates([rates.Done(60.0, 2.0, 1.0, None, None, None, None), None])
    there = dataclasses.replace(testing.snapshot(0, 0), data={rates.NAME: facts})
    assert str(list(throughput.measure(asked(), there, [1, 0]))) == "[nan, 5.0]"


def test_engines_that_were_watched_for_longer_are_not_at_a_disadvantage() -> None:
    there = world(2)
    there.hear(0, serving.EngineLoad(prompt_tokens_total=0.0, generation_tokens_total=0.0))
    there.choose(asked())
    there.now = 40.0
    there.hear(1, serving.EngineLoad(prompt_tokens_total=0.0, generation_tokens_total=0.0))
    there.choose(asked())
    there.now = 50.0
    there.hear(0, serving.EngineLoad(prompt_tokens_total=500.0, generation_tokens_total=0.0))  # 10 a second
    there.hear(1, serving.EngineLoad(prompt_tokens_total=200.0, generation_tokens_total=0.0))  # 20 a second
    assert there.choose(asked()).row == 0


def test_between_two_looks_requests_do_not_all_run_to_the_same_endpoint() -> None:
    there = world(3)
    pages(there, (100, 0), (90, 0), (110, 0))
    for _ in range(30):
        there.send(asked(50))
    assert min(there.in_flight) >= 9


@pytest.mark.parametrize("rows", [2, 5])
def test_when_nobody_counts_chance_decides(rows: int) -> None:
    there = world(rows)
    pages(there, *[None] * rows)
    assert {there.choose(asked()).row for _ in range(200)} == set(range(rows))


def test_words() -> None:
    there = world(2)
    pages(there, (120, 30), None)
    made = there.choose(asked())
    assert throughput.words(made.snapshot, 0) == "120 prompt and 30 generated tokens in 10 s"
    assert throughput.words(made.snapshot, 1) == "throughput unknown"
    assert throughput.words(testing.snapshot(0), 0) == "throughput unknown"


def test_without_its_ledgers_chance_decides() -> None:
    assert str(throughput.measure(asked(), testing.snapshot(0, 0), [0, 1])) == "[nan, nan]"
