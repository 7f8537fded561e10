"""Annotations with routing profiles: who decides, and what is told of those that cannot be read."""

from __future__ import annotations

import logging

import pytest

from brickyard.gateway.endpoints import pods, profiles, testing

GOOD = '{"profiles": {"default": {"routingStrategy": "random"}}}'
LOCKED = '{"lockedRoutingStrategy": "least-request"}'
BROKEN = '{"profiles": {"default": {"requestsPerSecond": "many"}}}'
EMPTY = "{}"


def pod(name: str, config: str = "", label: str = "") -> pods.ModelPod:
    labels = {"model.aibrix.ai/routing-strategy": label} if label else {}
    made = pods.read(testing.FakePod(name=name, annotations={"model.aibrix.ai/config": config}, labels=labels).object())
    assert made is not None
    return made


def test_the_first_that_can_be_read_and_says_something_decides() -> None:
    config, wrong = profiles.Reader().chosen([pod("d", GOOD), pod("c", LOCKED), pod("b", EMPTY), pod("a", BROKEN)])
    assert config is not None
    assert config.locked == "least-request"
    assert list(wrong) == ["default/a"]


def test_a_label_is_for_models_without() -> None:
    config, _ = profiles.Reader().chosen([pod("a", label="random"), pod("b", GOOD, label="throughput")])
    assert config is not None
    assert config.profiles["default"].strategy == "random"
    config, _ = profiles.Reader().chosen([pod("a", BROKEN), pod("b", label="throughput")])
    assert config is not None
    assert config.profiles["default"].strategy == "throughput"


def test_nothing_is_nothing() -> None:
    assert profiles.Reader().chosen([pod("a"), pod("b", EMPTY)]) == (None, {})


def test_what_is_wrong_says_where() -> None:
    _, wrong = profiles.Reader().chosen([pod("a", BROKEN), pod("b", "{")])
    assert "requestsPerSecond" in wrong["default/a"]
    assert "model.aibrix.ai/config" in wrong["default/b"]


def test_it_is_logged_once_for_each_text(caplog: pytest.LogCaptureFixture) -> None:
    reader = profiles.Reader()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            reader.chosen([pod("a", BROKEN), pod("b", BROKEN)])
        assert len(caplog.records) == 1
        reader.chosen([pod("a", "{"), pod("b", BROKEN)])
    assert len(caplog.records) == 2


def test_what_is_remembered_is_bounded_and_forgets_nothing_that_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "REMEMBERED", 2)
    reader = profiles.Reader()
    texts = [f'{{"lockedRoutingStrategy": "s{n}"}}' for n in range(5)]
    for text in texts * 2:
        config, _ = reader.chosen([pod("a", text)])
        assert config is not None
        assert text == f'{{"lockedRoutingStrategy": "{config.locked}"}}'
