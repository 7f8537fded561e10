"""Prefix strategies over the real index: who was sent a prompt gets its next turn, until it is gone."""

from __future__ import annotations

import random

from brickyard.assembly import routing_policies
from brickyard.gateway.endpoints import director, pods, prefixes
from brickyard.gateway.endpoints import settings as endpoint_settings
from brickyard.kvindex import settings
from brickyard.lib import clock
from brickyard.routing import contract as routing
from brickyard.routing import testing

FIRST = b'"messages":[{"role":"user","content":"' + b"tell me of the sea " * 100
TURN = FIRST + b'"},{"role":"assistant","content":"it is wide"},{"role":"user","content":"how wide?"}]'
NAMES = "abcdefgh"


def made(strategy: str = "prefix-cache") -> director.StaticDirector:
    return director.StaticDirector(
        [testing.endpoint(name) for name in NAMES],
        routing_policies.make(),
        endpoint_settings.EndpointSettings(strategy=strategy),
        time=clock.ManualClock(1000.0),
        rng=random.Random(7),
    )


def ask(chooser: director.StaticDirector, prompt: bytes, usage: routing.Usage | None = None) -> str:
    decision = chooser.choose(testing.request(prompt=prompt))
    assert isinstance(decision, routing.Decision)
    chooser.lease(decision).release(usage)
    return decision.endpoint.key


def test_the_next_turn_goes_where_the_first_went() -> None:
    for strategy in ("prefix-cache", "prefix-cache-preble", "prefix-and-load"):
        chooser = made(strategy)
        first = ask(chooser, FIRST)
        assert [ask(chooser, TURN) for _ in range(5)] == [first] * 5, strategy


def test_who_is_gone_is_forgotten_and_its_successor_starts_empty() -> None:
    chooser = made()
    first = ask(chooser, FIRST)
    index = chooser.prefixes.index
    assert index is not None
    assert index.size().endpoints == 1
    chooser.table.remove(first)
    assert index.size().endpoints == 0
    assert ask(chooser, TURN) != first


def test_another_pod_of_the_same_name_starts_empty_and_an_updated_one_does_not() -> None:
    chooser = made()
    first = ask(chooser, FIRST)
    endpoint = next(slot.endpoint for slot in chooser.table.routable() if slot.endpoint.key == first)
    index = chooser.prefixes.index
    assert index is not None
    chooser.table.put(pods.ModelPod(first, "", endpoint.model, 5.0, "unready for a while", (endpoint,)))
    assert index.size().endpoints == 1
    chooser.table.put(pods.ModelPod(first, "a successor", endpoint.model, 6.0, "", (endpoint,)))
    assert index.size().endpoints == 0


def test_predictions_are_compared_with_what_engines_tell() -> None:
    chooser = made()
    ask(chooser, FIRST, routing.Usage(500, 10, 0))
    ask(chooser, TURN, routing.Usage(520, 10, 480))
    sums = chooser.prefixes.accuracy
    assert sums.requests == 2
    assert sums.actual == 480
    assert 400 < sums.predicted <= 520
    assert sums.precision is not None
    assert sums.precision > 0.9
    page = {
        metric.name: metric.samples[0].value
        for metric in prefixes.PrefixMetrics(chooser.prefixes).collect()
        if metric.samples
    }
    assert page["gateway_prefix_index_precision"] == sums.precision
    assert page["gateway_prefix_index_recall"] == sums.recall
    assert page["gateway_cached_tokens_actual"] == 480
    assert page["gateway_prefix_index_endpoints"] == 1


def test_nothing_is_made_before_somebody_asks() -> None:
    chooser = made("random")
    ask(chooser, FIRST)
    assert chooser.prefixes.index is None
    names = {metric.name for metric in prefixes.PrefixMetrics(chooser.prefixes).collect()}
    assert "gateway_prefix_index_bytes" not in names
    assert prefixes.Prefixes(settings.PrefixSettings()).index is None


def test_decisions_are_counted_by_how_much_the_chosen_endpoint_held() -> None:
    chooser = made()
    ask(chooser, FIRST)
    ask(chooser, FIRST)
    ask(chooser, FIRST + b"and now for something quite different " * 100)
    (family,) = (
        metric
        for metric in prefixes.PrefixMetrics(chooser.prefixes).collect()
        if metric.name == "aibrix_prefix_cache_routing_decisions"
    )
    told = {sample.labels["match_percent_bucket"]: sample.value for sample in family.samples if sample.value}
    assert told == {"0": 1, "100": 1, "26-50": 1}
    assert {sample.labels["using_kv_sync"] for sample in family.samples} == {"false"}
