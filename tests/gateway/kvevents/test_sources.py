"""Where events come from, by labels, settings and ranks."""

from __future__ import annotations

import dataclasses

import pytest

from brickyard.api import names
from brickyard.gateway.kvevents import settings, sources
from brickyard.routing import contract, testing

GIVEN = settings.KvEventSettings()


def endpoint(port: int = 8000, address: str = "10.0.0.7", **labels: str) -> contract.Endpoint:
    called = {
        "on": names.KV_EVENTS_ENABLED,
        "first": names.MODEL_PORT,
        "events": names.KV_EVENTS_PORT,
        "replay": names.KV_REPLAY_PORT,
    }
    made = {called[name]: value for name, value in {"on": "true", **labels}.items()}
    return dataclasses.replace(testing.endpoint("a"), port=port, address=address, labels=made)


@pytest.mark.parametrize("said", ["", "false", "1", "yes"])
def test_who_does_not_say_so_does_not_publish(said: str) -> None:
    assert sources.source(endpoint(on=said), GIVEN) is None


@pytest.mark.parametrize(
    ("there", "given", "events", "replays"),
    [
        (endpoint(), GIVEN, "10.0.0.7:5557", ["10.0.0.7:5558", "10.0.0.7:5559"]),
        (endpoint(on="True", address="fd00::1"), GIVEN, "[fd00::1]:5557", ["[fd00::1]:5558", "[fd00::1]:5559"]),
        (endpoint(events="6000", replay="6100"), GIVEN, "10.0.0.7:6000", ["10.0.0.7:6100"]),
        (endpoint(events="0", replay="x"), GIVEN, "10.0.0.7:5557", ["10.0.0.7:5558", "10.0.0.7:5559"]),
        (endpoint(), settings.KvEventSettings(port=1, replay_port=2), "10.0.0.7:1", ["10.0.0.7:2"]),
        (endpoint(events="5558"), GIVEN, "10.0.0.7:5558", ["10.0.0.7:5559"]),
        (endpoint(8002, first="8000", replay="6100"), GIVEN, "10.0.0.7:5559", ["10.0.0.7:6102"]),
        (endpoint(8000, first="8000"), GIVEN, "10.0.0.7:5557", ["10.0.0.7:5558", "10.0.0.7:5559"]),
    ],
)  # fmt: skip
def test_where(there: contract.Endpoint, given: settings.KvEventSettings, events: str, replays: list[str]) -> None:
    found = sources.source(there, given)
    assert found is not None
    assert found.events == f"tcp://{events}"
    assert list(found.replays) == [f"tcp://{each}" for each in replays]
    assert (found.key, found.model, found.engine) == (there.key, there.model, there.engine)
