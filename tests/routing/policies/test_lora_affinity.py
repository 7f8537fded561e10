"""lora-affinity: where the adapter is, then where there is room."""

from __future__ import annotations

import pytest

from brickyard.api import serving
from brickyard.routing import contract, pipeline, registry, testing
from brickyard.routing.policies import least_request, lora_affinity

REGISTRY = registry.Registry([lora_affinity.POLICY, least_request.POLICY])


def load(running: str = "", waiting: str = "", slots: float | None = 4) -> serving.EngineLoad:
    return serving.EngineLoad(
        loras_running=tuple(running.split()), loras_waiting=tuple(waiting.split()), lora_slots=slots
    )


RUNS = load("demo other")
ROOM = load("x")
WAITS = load("x y", "demo z", 4)
FULL = load("x y", "z", 3)
SILENT = serving.EngineLoad()


@pytest.mark.parametrize(
    ("told", "score"),
    [
        (RUNS, 1.0),
        (load("demo", slots=1), 1.0),
        (ROOM, 0.8),
        (load("", slots=1), 0.8),
        (WAITS, 0.6),
        (FULL, 0.0),
        (load("x", slots=None), 0.0),
        (load("x", "x", slots=2), 0.8),  # one adapter, told twice
        (serving.EngineLoad(loras_running=("x",), lora_slots=2), 0.8),  # it does not tell who waits
        (serving.EngineLoad(loras_running=("x",), lora_slots=1), 0.0),
        (serving.EngineLoad(loras_waiting=("demo",), lora_slots=2), 0.0),  # nor who runs
        (SILENT, 0.0),
        (None, 0.0),
    ],
)
def test_table(told: serving.EngineLoad | None, score: float) -> None:
    table = testing.snapshot(0, loads=[told])
    assert lora_affinity.Adapter().scores(testing.request(), table, [0]) == [score]


def choose(*rows: tuple[int, serving.EngineLoad | None]) -> str:
    table = testing.snapshot(*(count for count, _ in rows), loads=[told for _, told in rows])
    made = pipeline.route(testing.request(), table, REGISTRY.profile("lora-affinity"), 0.0, testing.Dice())
    assert isinstance(made, contract.Decision)
    return made.endpoint.pod


def test_load_decides_between_equals_only() -> None:
    assert choose((0, ROOM), (50, RUNS), (0, WAITS)) == "b"
    assert choose((7, ROOM), (3, ROOM), (0, WAITS)) == "b"
    assert choose((50, WAITS), (0, FULL), (0, SILENT)) == "a"
    assert choose((5, SILENT), (2, None)) == "b"


def test_a_mix_takes_the_adapter_alone() -> None:
    mixed = REGISTRY.profile("lora-affinity,least-request")
    assert [scorer.name for scorer, _ in mixed.scorers] == ["lora-affinity", "least-request"]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (RUNS, "adapters demo, other at work"),
        (load(), "no adapter at work"),
        (SILENT, "adapters unknown"),
        (None, "adapters unknown"),
    ],
)
def test_words(told: serving.EngineLoad | None, words: str) -> None:
    assert lora_affinity.Adapter().describe(testing.snapshot(0, loads=[told]), 0) == words
