"""Models at a glance."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson
import pytest

from brickyard.api import serving
from brickyard.gateway import contract
from brickyard.gateway.endpoints import pods, ring, summary, table, testing
from brickyard.routing import contract as routing
from brickyard.routing import pickers, pipeline
from brickyard.routing import testing as routing_testing

OUTCOME = contract.Outcome(status=200, attempts=1, first_byte=0.1, duration=1.0)
PROFILE = routing.Profile("any", (), (), pickers.Best())
YEAR_2026 = 1767225600.0
NOW = 100.0


def live(*fakes: testing.FakePod) -> table.Table:
    made = table.Table()
    for fake in fakes:
        pod = pods.read(fake.object())
        assert pod is not None
        made.put(pod)
    return made


def add(held: ring.Ring, request_id: str, at: float, model: str = "demo", duration: float = 1.0) -> None:
    """A request that was routed at ``at`` and ended ``duration`` seconds later."""
    request = dataclasses.replace(routing_testing.request(), id=request_id, model=model)
    snapshot = routing_testing.snapshot(0, endpoints=[routing_testing.endpoint("a")])
    decision = pipeline.route(request, snapshot, PROFILE, at, routing_testing.Dice())
    held.add(decision, dataclasses.replace(OUTCOME, duration=duration))


def rows(pods_: table.Table, held: ring.Ring) -> dict[str, dict[str, Any]]:
    made = summary.models(pods_, held, NOW, lambda moment: YEAR_2026 + moment)
    assert orjson.loads(orjson.dumps(made)) == made, "it is JSON"
    return {str(each["id"]): each for each in made}


def test_a_quiet_model_has_no_rate_and_no_decision() -> None:
    assert rows(live(testing.FakePod(ready=False)), ring.Ring(4)) == {
        "demo": {
            "id": "demo",
            "requests_per_second": 0.0,
            "endpoints": [],
            "adapters": {},
            "faults": {},
            "asleep": None,
            "last": None,
        }
    }


def test_loads_are_as_the_engine_last_said_and_none_is_not_nothing() -> None:
    world = live(testing.FakePod(name="a"), testing.FakePod(name="b", address="10.0.0.2"))
    first, second = world.routable()
    world.heard(first, serving.EngineLoad(running=2, waiting=3, kv_cache_usage=0.5), NOW - 1.5)
    world.enter(second.endpoint, NOW)
    for _ in range(3):
        world.failed(second.endpoint, NOW)
    heard, silent = rows(world, ring.Ring(4))["demo"]["endpoints"]
    assert heard == {
        "endpoint": "default/demo-a:8000", "in_flight": 0, "barred": None,
        "running": 2, "waiting": 3, "kv_cache_usage": 0.5, "load_age": 1.5,
    } | {"endpoint": first.endpoint.key}  # fmt: skip
    assert (silent["in_flight"], silent["kv_cache_usage"], silent["load_age"]) == (1, None, None)
    assert silent["barred"]


@pytest.mark.parametrize(
    ("ends", "rate"),
    [
        ((), 0.0),
        ((99.0, 95.0, 90.0), 0.3),
        ((99.0, 89.9), 0.1),  # the window is ten seconds
    ],
)
def test_the_rate_is_that_of_the_last_ten_seconds(ends: tuple[float, ...], rate: float) -> None:
    held = ring.Ring(8)
    for number, end in enumerate(sorted(ends)):
        add(held, str(number), end - 1.0)
    assert rows(live(testing.FakePod()), held)["demo"]["requests_per_second"] == rate


def test_a_ring_that_has_forgotten_counts_over_what_it_holds() -> None:
    held = ring.Ring(4)
    for number in range(40):
        add(held, str(number), 90.0 + number / 4, duration=0.0)  # four each second, the last at 99.75
    assert held.dropped == 36
    assert rows(live(testing.FakePod()), held)["demo"]["requests_per_second"] == 4.0


def test_models_are_counted_apart_and_the_latest_decision_is_told() -> None:
    held = ring.Ring(8)
    add(held, "one", 95.0)
    add(held, "two", 96.0, model="other")
    add(held, "three", 97.0, duration=0.5)
    found = rows(live(testing.FakePod(), testing.FakePod(name="o", model="other", address="10.0.0.2")), held)
    assert (found["demo"]["requests_per_second"], found["other"]["requests_per_second"]) == (0.2, 0.1)
    assert found["demo"]["last"] == {
        "id": "three", "sentence": "a chosen by any: the only endpoint of demo",
        "decided_at": "2026-01-01T00:01:37.000000Z", "status": 200,
    }  # fmt: skip
    assert found["other"]["last"]["id"] == "two"


def test_what_is_no_longer_served_is_not_shown() -> None:
    held = ring.Ring(8)
    add(held, "one", 99.0, model="gone")
    assert list(rows(live(testing.FakePod()), held)) == ["demo"]


def test_adapters_stand_with_their_model_and_have_rates_of_their_own() -> None:
    world = live(testing.FakePod(name="a"), testing.FakePod(name="b", address="10.0.0.2"))
    first, second = world.routable()
    world.lists(first, frozenset({"tone", "tale"}))
    world.lists(second, frozenset({"tone"}))
    held = ring.Ring(8)
    for number in range(3):
        add(held, f"r{number}", NOW - 2.0, model="tone")
    (row,) = rows(world, held).values()
    assert row["adapters"] == {
        "tale": {"ready": 1, "requests_per_second": 0.0},
        "tone": {"ready": 2, "requests_per_second": 0.3},
    }
    assert (row["id"], row["requests_per_second"], row["last"]) == ("demo", 0.0, None)


def test_profiles_that_cannot_be_read_are_told_by_pod() -> None:
    world = live(testing.FakePod(name="a", annotations={"model.aibrix.ai/config": "{"}), testing.FakePod(name="b"))
    (row,) = rows(world, ring.Ring(4)).values()
    assert row["faults"].keys() == {"default/a"}
    assert "model.aibrix.ai/config" in row["faults"]["default/a"]


def test_models_that_sleep_have_a_row() -> None:
    told = {"autoscalers": ["default/nap"], "held": 2}
    made = summary.models(live(testing.FakePod()), ring.Ring(4), NOW, lambda moment: moment, {"nap": told})
    assert [(each["id"], each["asleep"], each["endpoints"] == []) for each in made] == [
        ("demo", None, False),
        ("nap", told, True),
    ]
