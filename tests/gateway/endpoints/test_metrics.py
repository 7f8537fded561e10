"""Series about endpoints."""

from __future__ import annotations

import dataclasses

import prometheus_client

from brickyard.gateway.endpoints import metrics, pods, table, testing


def test_states_and_spread_by_model() -> None:
    live = table.Table()
    ready = [testing.FakePod(name="a"), testing.FakePod(name="b")]
    for fake in (*ready, testing.FakePod(name="c", ready=False), testing.FakePod(name="d", address="")):
        pod = pods.read(fake.object())
        assert pod is not None
        live.put(pod)
    first, second = live.snapshot("demo", 0.0).endpoints
    for _ in range(4):
        live.enter(first, 0.0)
    for _ in range(3):
        live.failed(second, 5.0)
    registry = prometheus_client.CollectorRegistry(auto_describe=False)
    registry.register(metrics.EndpointMetrics(live, lambda: 5.5, missed=lambda: 7, gateway="gw-0"))
    page = prometheus_client.generate_latest(registry).decode()
    samples = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line[0] != "#"}
    assert samples == {
        'gateway_endpoints{model="demo",state="ready"}': 1.0,
        'gateway_endpoints{model="demo",state="barred"}': 1.0,
        'gateway_endpoints{model="demo",state="unready"}': 2.0,
        'gateway_endpoint_in_flight{model="demo",which="busiest"}': 4.0,
        'gateway_endpoint_in_flight{model="demo",which="idlest"}': 0.0,
        "llm_engine_metrics_query_fail": 7.0,
        **{
            f'model_replicas{{engine_type="vllm",gateway_pod="gw-0",model="demo",model_name="demo",namespace="default",pod="{pod}",'
            'role="",role_replica_index="",roleset=""}': 1.0
            for pod in ("a", "b")
        },
    }


def test_a_model_that_is_gone_leaves_no_series() -> None:
    families = list(metrics.EndpointMetrics(table.Table(), lambda: 0.0).collect())
    assert [sample.name for family in families for sample in family.samples] == ["llm_engine_metrics_query_fail"]


def test_adapters_and_unreadable_profiles() -> None:
    live = table.Table()
    for fake in (testing.FakePod(name="a", annotations={"model.aibrix.ai/config": "{"}), testing.FakePod(name="b")):
        pod = pods.read(fake.object())
        assert pod is not None
        live.put(pod)
    first, second = live.routable()
    live.lists(first, frozenset({"tone", "tale"}))
    live.lists(second, frozenset({"tone"}))
    live.put(dataclasses.replace(live.models()["demo"][0], unready="not ready"))
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.EndpointMetrics(live, lambda: 0.0).collect()
        for sample in family.samples
    }
    assert told["gateway_adapter_endpoints", "demo", "tone"] == 1.0
    assert told["gateway_adapter_endpoints", "demo", "tale"] == 0.0
    assert told["gateway_model_config_errors", "demo"] == 1.0
