"""least-gpu-cache, least-kv-cache, least-utilization: what engines say of themselves, and what happens when they do not."""

from __future__ import annotations

import collections
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api import serving
from brickyard.assembly import routing_policies
from brickyard.routing import capabilities, contract, pipeline, testing

REGISTRY = routing_policies.make()
NAMES = ["least-gpu-cache", "least-kv-cache", "least-utilization"]


def loads(name: str, *values: float | None) -> list[serving.EngineLoad | None]:
    """One load per value, with only the field that the policy reads."""
    if name == "least-utilization":
        return [serving.EngineLoad(utilization=value) for value in values]
    return [serving.EngineLoad(kv_cache_usage=value) for value in values]


def choose(
    name: str, given_loads: list[serving.EngineLoad | None], rng: contract.Random | None = None
) -> contract.Decision:
    table = testing.snapshot(*[0] * len(given_loads), loads=given_loads, ages=[0.5] * len(given_loads))
    made = pipeline.route(testing.request(), table, REGISTRY.profile(name), 0.0, rng or testing.Dice())
    assert isinstance(made, contract.Decision)
    return made


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("values", "pod"),
    [
        ((0.5, 0.1, 0.9), "b"),
        ((0.5, None, 0.9), "a"),
        ((None, None, 0.99), "c"),
        ((0.0, 0.1), "a"),
        ((0.3,), "a"),
    ],
)
def test_the_least_used_of_those_that_tell(name: str, values: tuple[float | None, ...], pod: str) -> None:
    assert choose(name, loads(name, *values)).endpoint.pod == pod


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("values", [(0.2, 0.2, 0.2), (None, None, None)])
def test_equals_and_engines_that_do_not_tell_share_by_chance(name: str, values: tuple[float | None, ...]) -> None:
    rng = random.Random(4)
    counts = collections.Counter(choose(name, loads(name, *values), rng).endpoint.pod for _ in range(900))
    assert min(counts[pod] for pod in "abc") > 220


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_that_was_never_heard_is_none_that_does_not_tell(name: str) -> None:
    assert choose(name, [None, *loads(name, 0.9)]).endpoint.pod == "b"


@pytest.mark.parametrize("name", NAMES)
@given(values=st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=8))
def test_nobody_with_less_is_passed_over(name: str, values: list[float | None]) -> None:
    made = choose(name, loads(name, *values))
    known = [value for value in values if value is not None]
    chosen = values[made.row]
    assert not known or (chosen is not None and chosen <= min(known) + 1e-8)


@pytest.mark.parametrize(
    ("device", "memory", "score"),
    [
        ((0.5, 0.4), (0.0, 0.2), 0),
        ((0.5, 0.4), (None, 0.2), 0),
        ((0.5, 0.4), (None, None), 1),
        ((0.5, None), (0.4, 0.0), 0),
    ],
)
def test_least_kv_cache_adds_up_both_kinds(
    device: tuple[float | None, ...], memory: tuple[float | None, ...], score: int
) -> None:
    both = [
        serving.EngineLoad(kv_cache_usage=here, cpu_cache_usage=there)
        for here, there in zip(device, memory, strict=True)
    ]
    assert choose("least-kv-cache", list(both)).row == score


@pytest.mark.parametrize(
    ("name", "told", "words"),
    [
        ("least-gpu-cache", serving.EngineLoad(kv_cache_usage=0.37), "37% of the KV cache in use"),
        ("least-gpu-cache", None, "use of the KV cache unknown"),
        ("least-kv-cache", serving.EngineLoad(kv_cache_usage=0.37), "37% of the KV cache in use"),
        (
            "least-kv-cache",
            serving.EngineLoad(kv_cache_usage=0.37, cpu_cache_usage=0.05),
            "37% of the KV cache in use, 5% of that in memory",
        ),
        ("least-kv-cache", serving.EngineLoad(cpu_cache_usage=0.05), "use of the KV cache unknown"),
        ("least-kv-cache", None, "use of the KV cache unknown"),
        ("least-utilization", serving.EngineLoad(utilization=0.37), "utilised to 37%"),
        ("least-utilization", serving.EngineLoad(), "utilisation unknown"),
        ("least-utilization", None, "utilisation unknown"),
    ],
)
def test_words(name: str, told: serving.EngineLoad | None, words: str) -> None:
    scorer = REGISTRY.profile(name).scorers[0][0]
    assert isinstance(scorer, capabilities.Describes)
    assert scorer.describe(testing.snapshot(0, loads=[told]), 0) == words
