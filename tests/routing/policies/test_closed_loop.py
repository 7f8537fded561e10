"""Strategies at work: a queue of single servers in virtual time, conversations with growing prompts, users of different greed.

Each endpoint computes what of a prompt it does not hold, then generates, one request after the other. What strategies promise must
show against ``random`` in the same world with the same requests.
"""

from __future__ import annotations

import dataclasses
import heapq
import random
import statistics

import pytest

from brickyard.assembly import routing_policies
from brickyard.routing import contract, testing

PREFILL = 0.001
DECODE = 0.005
"""Seconds per token."""


@dataclasses.dataclass
class Outcome:
    """Seconds to the first token of each request, and tokens of prompts in all and found cached."""

    waits: list[float]
    tokens: int = 0
    cached: int = 0

    @property
    def hit_rate(self) -> float:
        return self.cached / self.tokens


def run(strategy: str, seed: int = 3, requests: int = 600, rows: int = 6, pace: float = 0.08) -> Outcome:
    rng = random.Random(seed)
    policy = next(each for each in routing_policies.BUILT_IN if each.name == strategy)
    world = testing.World([policy], rows, random.Random(seed + 1))
    world.index.block = 64
    held: list[set[bytes]] = [set() for _ in range(rows)]
    free_at, outcome, seen = [0.0] * rows, Outcome([]), 0
    talks = [b"system %02d " % talk * 60 for talk in range(24)]
    events: list[tuple[float, int, contract.Decision, contract.Usage | None]] = []
    for at in range(requests):
        world.now += rng.expovariate(1 / pace)
        while events and events[0][0] <= world.now:
            _end(world, heapq.heappop(events))
        talk, output = rng.randrange(len(talks)), rng.choice([4, 8, 120])
        prompt = talks[talk] = talks[talk][-6000:] + b"turn %04d of it " % at * 4
        made = world.send(contract.Request(f"r{at}", "demo", "/", prompt, f"u{talk % 5}", max_tokens=output))
        blocks = [prompt[:end] for end in range(64, len(prompt) + 1, 64)]
        cached = 64 // 4 * sum(1 for each in blocks if each in held[made.row])
        tokens = -(-len(prompt) // 4)
        held[made.row].update(blocks)
        answered = max(world.now, free_at[made.row]) + PREFILL * (tokens - cached)
        free_at[made.row] = answered + DECODE * output
        outcome.waits.append(answered - world.now)
        outcome.tokens, outcome.cached = outcome.tokens + tokens, outcome.cached + cached
        heapq.heappush(events, (answered, seen, made, None))
        heapq.heappush(events, (free_at[made.row], seen + 1, made, contract.Usage(tokens, output, cached)))
        seen += 2
    while events:
        _end(world, heapq.heappop(events))
    assert world.in_flight == [0] * rows
    return outcome


def _end(world: testing.World, event: tuple[float, int, contract.Decision, contract.Usage | None]) -> None:
    at, _, made, usage = event
    before, world.now = world.now, at
    if usage is None:
        world.answer(made)
    else:
        world.end(made, usage)
    world.now = max(before, at)


RANDOM = run("random")


@pytest.mark.parametrize("strategy", ["prefix-cache", "prefix-cache-preble", "prefix-and-load"])
def test_conversations_find_their_prefix_again(strategy: str) -> None:
    found = run(strategy)
    assert found.hit_rate > RANDOM.hit_rate + 0.15
    assert statistics.fmean(found.waits) < 0.55 * statistics.fmean(RANDOM.waits)


@pytest.mark.parametrize(
    "strategy", ["least-request", "power-of-two", "least-tokens", "consistent-hash", "least-latency", "vtc-basic"]
)
def test_who_looks_at_load_waits_less_than_who_does_not(strategy: str) -> None:
    assert statistics.fmean(run(strategy).waits) < statistics.fmean(RANDOM.waits)


def test_random_passes_a_chi_square_test_at_one_percent() -> None:
    """15.09 is the 99 % point of chi-square with five degrees of freedom."""
    world = testing.World([each for each in routing_policies.BUILT_IN if each.name == "random"], 6, random.Random(21))
    counts = [0] * 6
    for _ in range(6000):
        counts[world.choose(testing.request()).row] += 1
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 15.09
