from __future__ import annotations

from typing import Any

import orjson
import pytest

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.hpa import metrics, proposals, sources
from brickyard.kube.client import testing as clients

NOW = testing.NOW
TEN = proposals.Tolerance()


def pod(name: str, **requests: str) -> dict[str, Any]:
    made = testing.pod(name)
    made["status"]["startTime"] = testing.ago(1000)
    made["spec"]["containers"] = [{"name": "web", "resources": {"requests": requests}}]
    return made


def measured(name: str, **usage: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "containers": [{"name": "web", "usage": usage}, {"name": "side", "usage": usage}],
    }


def resource(kind: str = "Resource", container: str = "", **target: Any) -> dict[str, Any]:
    source = {"name": "cpu", "target": target, **({"container": container} if container else {})}
    return {"type": kind, metrics.FIELDS[kind]: source}


def external(**target: Any) -> dict[str, Any]:
    return {"type": "External", "external": {"metric": {"name": "queue"}, "target": target}}


def test_usage_is_that_of_all_containers_or_of_one() -> None:
    items = [measured("a", cpu="250m"), measured("b", memory="1Gi")]
    assert metrics.usage(items, "cpu") == {"a": 500}
    assert metrics.usage(items, "cpu", "side") == {"a": 250}
    assert metrics.usage(items, "cpu", "other") == {}


def test_a_pod_that_requests_nothing_has_no_share() -> None:
    assert metrics.requests([pod("a", cpu="2")], "cpu") == {"a": 2000}
    with pytest.raises(proposals.UnmeasuredError, match="missing request for cpu in container web of Pod a"):
        metrics.requests([pod("a", memory="1Gi")], "cpu")


def test_a_share_of_the_request() -> None:
    found = metrics.of_pods(resource(averageUtilization=50), [pod("a", cpu="1")], {"a": 800}, (1, NOW), TEN)
    assert found.replicas == 2
    assert found.name == "cpu resource utilization (percentage of request)"
    current = {"averageUtilization": 80, "averageValue": "800m"}
    assert found.current == {"type": "Resource", "resource": {"name": "cpu", "current": current}}


def test_a_value_for_each_pod_needs_no_request() -> None:
    found = metrics.of_pods(resource(averageValue="200m"), [pod("a")], {"a": 800}, (1, NOW), TEN)
    assert (found.replicas, found.name) == (4, "cpu resource")


@pytest.mark.parametrize(
    ("target", "value", "expected", "current"),
    [
        ({"value": "10"}, 30_000, 6, {"value": "30"}),
        ({"averageValue": "10"}, 30_000, 3, {"averageValue": "15"}),
        ({"averageValue": "10"}, 20_000, 2, {"averageValue": "10"}),
    ],
)
def test_a_value_of_the_whole(target: dict[str, str], value: int, expected: int, current: dict[str, str]) -> None:
    found = metrics.of_whole(external(**target), value, ready=2, current=2, tolerance=TEN)
    assert found.replicas == expected
    assert (found.current or {})["external"]["current"] == current


def test_a_failure_says_which_metric() -> None:
    found = metrics.failed(resource(averageUtilization=50), "no answer")
    assert (found.replicas, found.reason) == (None, "FailedGetResourceMetric")
    assert found.why == "failed to get cpu resource utilization (percentage of request): no answer"


# --------------------------------------------------------------------------------------------------------------- sources


def serving(**pages: Any) -> sources.Sources:
    client = clients.MemoryClient()
    client.streams = {path: [orjson.dumps(page)] for path, page in pages.items()}
    return sources.Sources(client)


async def test_resources_come_from_the_metrics_api() -> None:
    found = serving(**{"/apis/metrics.k8s.io/v1beta1/namespaces/default/pods": {"items": [measured("a", cpu="1")]}})
    assert await found.of_pods(resource(averageUtilization=50), "default", "app=web") == {"a": 2000}


async def test_pods_metrics_come_from_the_custom_metrics_api() -> None:
    items = [{"describedObject": {"name": "a"}, "value": "1500m"}]
    found = serving(**{"/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods/*/depth": {"items": items}})
    metric = {"type": "Pods", "pods": {"metric": {"name": "depth"}, "target": {"averageValue": "1"}}}
    assert await found.of_pods(metric, "default", "app=web") == {"a": 1500}


async def test_object_metrics_name_the_object() -> None:
    found = serving(
        **{
            "/apis/apps/v1": {"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]},
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/deployments.apps/web/depth": {
                "items": [{"value": "7"}]
            },
        }
    )
    described = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    source = {"metric": {"name": "depth"}, "describedObject": described, "target": {"value": "1"}}
    assert await found.of_whole({"type": "Object", "object": source}, "default") == 7000


async def test_external_values_are_added_up() -> None:
    path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/queue"
    found = serving(**{path: {"items": [{"value": "2"}, {"value": "3"}]}})
    assert await found.of_whole(external(value="1"), "default") == 5000
    with pytest.raises(proposals.UnmeasuredError):
        await serving(**{path: {"items": []}}).of_whole(external(value="1"), "default")


async def test_what_is_no_object_is_no_answer() -> None:
    client = clients.MemoryClient()
    client.streams = {"/a": [b"[1]"], "/b": [b"{"]}
    for path in client.streams:
        with pytest.raises(proposals.UnmeasuredError):
            await sources.read(client, path)


async def test_an_unknown_kind_is_told() -> None:
    with pytest.raises(proposals.UnmeasuredError, match="no matches for kind 'Thing'"):
        await sources.kind_of(clients.MemoryClient(), {"apiVersion": "x.y/v1", "kind": "Thing"})
