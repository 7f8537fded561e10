"""What pods were asked, under AIBrix' names."""

from __future__ import annotations

from collections.abc import Iterable

import hypothesis
import prometheus_client
import pytest
from hypothesis import strategies
from prometheus_client import core

from brickyard.api import names
from brickyard.gateway import distributions, metrics, traffic
from brickyard.gateway.usage import contract as usage
from brickyard.routing import contract as routing

WHO = 'engine_type="vllm",gateway_pod="gw-0",model="tiny",namespace="default",pod="a",role="decode",role_replica_index="3",roleset="rs"'


def endpoint(name: str = "a", port: int = 8000) -> routing.Endpoint:
    labels = {names.ROLE_SET_NAME: "rs", names.ROLE_NAME: "decode", names.ROLE_REPLICA_INDEX: "3"}
    return routing.Endpoint(f"default/{name}:{port}", "default", name, "10.0.0.1", port, "tiny", "vllm", labels)


def samples(families: Iterable[core.Metric]) -> dict[str, float]:
    """Every sample as the page writes it, labels by name."""
    found: dict[str, float] = {}
    for family in families:
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_tokens_and_times_of_a_pod() -> None:
    seen = traffic.Traffic()
    seen.of(endpoint()).used(usage.Usage(900, 101, 1001), 2.1, 0.1)
    seen.of(endpoint()).used(usage.Usage(256, 0, 256), 0.05, None)
    told = samples(traffic.tokens(seen.pods(), "gw-0"))
    assert told == {
        f"gateway_input_tokens_total{{{WHO}}}": 1156,
        f"gateway_output_tokens_total{{{WHO}}}": 101,
        f"gateway_requests_with_usage_total{{{WHO}}}".replace('gw-0"', 'gw-0",has_usage="true"'): 2,
        **{
            f'gateway_{name}_bucket_total{{bucket="{bucket}",{WHO}}}': 1
            for name, bucket in (
                ("prompt_token", "512-1024"),
                ("prompt_token", "256-512"),
                ("completion_token", "0-256"),
                ("ttft", "100-200ms"),
                ("tpot", "10-20ms"),
                ("total_time", "1000-5000ms"),
                ("total_time", "0-100ms"),
            )
        },
        f'gateway_completion_token_bucket_total{{bucket="0-256",{WHO}}}': 2,
    }


@hypothesis.given(strategies.lists(strategies.integers(0, 2**53 - 1), min_size=1))
def test_bit_lengths_fall_on_the_borders_of_ranges(counts: list[int]) -> None:
    pod = traffic.PodCounts(endpoint())
    expected = dict.fromkeys(distributions.TOKEN_RANGES, 0)
    for count in counts:
        pod.used(usage.Usage(count, 0, count), 0.0, None)
        expected[distributions.TOKEN_RANGES[distributions.place(distributions.TOKENS, count)]] += 1
    told = samples(traffic.tokens([pod], ""))
    for name, number in expected.items():
        found = [
            value
            for key, value in told.items()
            if key.startswith(f'gateway_prompt_token_bucket_total{{bucket="{name}"')
        ]
        assert sum(found) == number, name


def test_ports_of_one_pod_count_together() -> None:
    seen = traffic.Traffic()
    assert seen.of(endpoint(port=8000)) is seen.of(endpoint(port=8001))
    assert seen.of(endpoint("b")) is not seen.of(endpoint())


def test_a_pod_that_is_gone_leaves_no_series_and_its_successor_starts_at_zero() -> None:
    seen, here = traffic.Traffic(), {"default/a:8000", "default/b:8000"}
    seen.present = lambda: here
    for name in "ab":
        seen.of(endpoint(name)).ended(200, broken=False)
    here.discard("default/a:8000")
    assert [counts.endpoint.pod for counts in seen.pods()] == ["b"]
    here.add("default/a:8000")
    assert seen.of(endpoint("a")).statuses == {}


def test_pods_are_bounded_also_where_nobody_scrapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "MAX_PODS", 3)
    seen, here = traffic.Traffic(), {"default/0:8000"}
    seen.present = lambda: here
    for turn in range(20):
        here.add(f"default/{turn}:8000")
        seen.of(endpoint(str(turn))).ended(200, broken=False)
        here.discard(f"default/{turn}:8000")
    assert len(list(seen.pods())) == 0
    here.update(f"default/{turn}:8000" for turn in range(5))
    for turn in range(5):
        seen.of(endpoint(str(turn))).ended(200, broken=False)
    assert [counts.endpoint.pod for counts in seen.pods()] == ["0", "1", "2", ""]


def test_how_requests_ended() -> None:
    pod = traffic.PodCounts(endpoint())
    for status, broken in ((200, False), (200, False), (200, True), (499, False), (503, False), (0, False)):
        pod.ended(status, broken=broken)
    told = samples(traffic.outcomes([pod], {"tiny": {429: 2, 499: 1}, "unknown": {404: 7}}, ""))

    def line(outcome: str, model: str, who: str, word: str, code: int) -> str:
        labels = f'gateway_pod="",model="{model}",pod_name="{who}",status="{word}",status_code="{code}"'
        return f"gateway_request_model_{outcome}_total{{{labels}}}"

    assert told == {
        line("success", "tiny", "a", "gateway_rsp_body_success", 200): 2,
        line("fail", "tiny", "a", "gateway_rsp_body_fail", 200): 1,
        line("fail", "tiny", "a", "client_cancelled_eof", 499): 1,
        line("fail", "tiny", "a", "gateway_rsp_headers_fail", 503): 1,
        line("fail", "tiny", "a", "gateway_rsp_headers_fail", 0): 1,
        line("fail", "tiny", "", "gateway_req_body_fail", 429): 2,
        line("fail", "tiny", "", "client_cancelled_eof", 499): 1,
        line("fail", "unknown", "", "gateway_req_body_fail", 404): 7,
    }


def test_models_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_MODELS", 2)
    counted = metrics.GatewayMetrics()
    for name in "abcd":
        counted.model(name).statuses[200] = 1
    assert set(counted.models()) == {"a", "b", "other"}


def test_no_family_stands_on_the_page_twice_and_every_label_set_is_fixed() -> None:
    counted = metrics.GatewayMetrics("gw-0")
    for name in ("a", "b"):
        counts = counted.model(name)
        counts.statuses[200] = counts.unrouted[429] = 1
        counted.traffic.of(endpoint(name)).used(usage.Usage(1, 2, 3), 1.0, 0.5)
        counted.traffic.of(endpoint(name)).ended(200, broken=False)
    registry = prometheus_client.CollectorRegistry(auto_describe=False)
    registry.register(counted)
    heads = [
        line for line in prometheus_client.generate_latest(registry).decode().splitlines() if line.startswith("# TYPE")
    ]
    assert len(heads) == len(set(heads))
    for family in counted.collect():
        sets = {(sample.name, tuple(sorted(sample.labels))) for sample in family.samples}
        assert len(sets) == len({name for name, _ in sets}), family.name
