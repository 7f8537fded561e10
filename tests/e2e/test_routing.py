"""Where requests go before two real engines: conversations, sessions, wishes in headers, labels and a limit in a model's configuration."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.e2e import yard as yards

from brickyard.assembly import routing_policies

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MODEL = "model.aibrix.ai/name=smollm2"
STORY = "Once there was a wall of bricks, and every brick carried the ones above it. " * 16
"""Longer than the beginning of a prompt that consistent hashing takes for its key."""


def ask(yard: yards.Yard, messages: list[dict[str, str]] | None = None, **headers: str) -> httpx2.Response:
    body = {
        "model": "smollm2", "messages": messages or [{"role": "user", "content": "Hi."}], "max_tokens": 8, "temperature": 0,
    }  # fmt: skip
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.post(f"{yard.gateway}/v1/chat/completions", json=body, headers=named, trust_env=False, timeout=60)


def pods(yard: yards.Yard) -> list[str]:
    return [pod["metadata"]["name"] for pod in yard.objects("pods", MODEL)]


@pytest.mark.parametrize("strategy", ["prefix-cache", "prefix-and-load", "prefix-cache-preble", "consistent-hash"])
def test_a_chat_of_five_turns_stays_where_its_prefix_is_cached(shared: yards.Yard, strategy: str) -> None:
    messages = [{"role": "user", "content": f"{strategy}. {STORY}"}]
    seen: list[str] = []
    cached: list[int] = []
    for turn in range(5):
        answer = ask(shared, messages, routing_strategy=strategy)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        seen.append(answer.headers["target-pod"])
        cached.append(told["usage"]["prompt_tokens_details"]["cached_tokens"])
        said = told["choices"][0]["message"]["content"]
        messages += [
            {"role": "assistant", "content": said},
            {"role": "user", "content": f"And then, for the {turn}th time?"},
        ]
    assert len(set(seen)) == 1, seen
    assert min(cached[1:]) > 60, cached


def test_a_session_stays_where_its_first_answer_came_from(shared: yards.Yard) -> None:
    first = ask(shared, routing_strategy="session-affinity")
    session = first.headers["x-session-id"]
    for _ in range(6):
        answer = ask(shared, routing_strategy="session-affinity", x_session_id=session)
        assert (answer.headers["target-pod"], answer.headers["x-session-id"]) == (first.headers["target-pod"], session)


def test_every_strategy_and_mixes_serve(shared: yards.Yard) -> None:
    known = routing_policies.make().names()
    assert len(known) >= 20
    for strategy in (*known, "least-request:2,prefix-cache:1", "slo-least-load-pulling"):
        answer = ask(shared, routing_strategy=strategy)
        assert answer.status_code == 200, (strategy, answer.text)
        assert answer.headers["target-pod"] in pods(shared), strategy


def test_an_unknown_strategy_is_refused_with_the_nearest(shared: yards.Yard) -> None:
    answer = ask(shared, routing_strategy="prefix-cash")
    assert (answer.status_code, answer.headers["x-error-routing"]) == (400, "true")
    assert "prefix-cache" in answer.json()["error"]["message"]


@contextlib.contextmanager
def changed(yard: yards.Yard, how: str, name: str, value: str, *which: str) -> Iterator[None]:
    """Labels or annotations of pods, for a while."""
    for pod in which:
        yard.kubectl(how, "pod", pod, f"{name}={value}")
    try:
        yield
    finally:
        for pod in which:
            yard.kubectl(how, "pod", pod, f"{name}-")


def test_a_filter_of_labels_leaves_those_that_match(shared: yards.Yard) -> None:
    (chosen, _) = pods(shared)
    with changed(shared, "label", "colour", "blue", chosen):
        yards.until(lambda: ask(shared, external_filter="colour=blue").status_code == 200, what="the label arrives")
        for strategy in ("random", "least-request", "prefix-cache") * 2:
            answer = ask(shared, external_filter="colour=blue", routing_strategy=strategy)
            assert answer.headers["target-pod"] == chosen
    nobody = ask(shared, external_filter="colour=green", routing_strategy="random")
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (503, "service_unavailable")


def test_a_model_s_own_limit_and_strategy(shared: yards.Yard) -> None:
    """Of two requests in one second one is served; the configuration stands on the pods, as AIBrix has it."""
    config = json.dumps({"profiles": {"default": {"routingStrategy": "power-of-two", "requestsPerSecond": 1}}})
    with changed(shared, "annotate", "model.aibrix.ai/config", config, *pods(shared)):
        yards.until(
            lambda: ask(shared).headers.get("routing-strategy") == "power-of-two", what="the configuration arrives"
        )
        for _ in range(3):
            time.sleep(1.05 - time.time() % 1)  # a window is a second of the clock
            with concurrent.futures.ThreadPoolExecutor(2) as both:
                answers = list(both.map(lambda _: ask(shared), range(2)))
            assert sorted(each.status_code for each in answers) == [200, 429]
        (refused,) = [each for each in answers if each.status_code == 429]
        assert refused.headers["x-error-model-rps-exceeded"] == "true"
        assert int(refused.headers["retry-after"]) >= 1
    yards.until(lambda: ask(shared).headers.get("routing-strategy") == "least-request", what="the configuration goes")
