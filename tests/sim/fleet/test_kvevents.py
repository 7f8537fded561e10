"""A fleet that tells what it holds: the index is right about it, however many requests are under way at once."""

from __future__ import annotations

import dataclasses

import pytest

from brickyard.assembly import engines, routing_policies
from brickyard.kvindex import accuracy
from brickyard.sim.engine.core import presets
from brickyard.sim.fleet import fleet, trace

SMALL = dataclasses.replace(presets.preset("h200/qwen2.5-7b"), block_size=64, blocks=500, max_model_len=64 * 500)


def run(strategy: str, *, kv_events: bool) -> accuracy.Accuracy:
    made = fleet.Fleet(
        fleet.Setup(strategy, SMALL, endpoints=4, kv_events=kv_events), routing_policies.make(), engines.readers()
    )
    made.run(trace.Conversations(seed=5).arrivals()[:250])
    return made.director.prefixes.accuracy


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["prefix-cache", "prefix-and-load"])
def test_precision_with_requests_side_by_side(strategy: str) -> None:
    guessed, told = run(strategy, kv_events=False), run(strategy, kv_events=True)
    assert guessed.precision is not None
    assert told.precision is not None
    assert 1 - told.precision < (1 - guessed.precision) / 5
