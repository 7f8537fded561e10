"""The HorizontalPodAutoscaler of strategy HPA, and how it is kept."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from brickyard.api.kinds import resources
from brickyard.controllers.podautoscaler import hpa, status, testing
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import conditions, owners, quantities
from brickyard.scaling import settings

HPA = resources.HORIZONTAL_POD_AUTOSCALER
BOUNDS = status.Bounds(1, 5)


def build(bounds: status.Bounds = BOUNDS, **more: Any) -> dict[str, Any]:
    scaler = testing.autoscaler("test-llm-pa", scalingStrategy="HPA", **more)
    scaler["metadata"]["labels"] = {"app": "llm"}
    return hpa.build(scaler, settings.read(scaler)[0], bounds)


def resource(name: str, value: str) -> dict[str, Any]:
    return {"metricSourceType": "resource", "targetMetric": name, "targetValue": value}


def test_h1_metrics_in_order_behaviour_and_owner() -> None:
    sources = [testing.source("50", "gpu_cache_usage_perc"), resource("cpu", "30"), resource("memory", "128")]
    made = build(metricsSources=sources, annotations={"scale-up-tolerance": "0.2"})
    assert made["metadata"]["name"] == "test-llm-pa-hpa"
    assert made["metadata"]["labels"] == {"app": "llm"}
    assert made["metadata"]["annotations"] == {"autoscaling.aibrix.ai/scale-up-tolerance": "0.2"}
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("PodAutoscaler", "test-llm-pa", True)
    spec = made["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 5)
    assert spec["scaleTargetRef"] == testing.target()
    assert spec["metrics"] == [
        {
            "type": "Pods",
            "pods": {
                "metric": {"name": "gpu_cache_usage_perc"},
                "target": {"type": "AverageValue", "averageValue": "50"},
            },
        },
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 30}}},
        {
            "type": "Resource",
            "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "128Mi"}},
        },
    ]
    policy = {"type": "Percent", "periodSeconds": 60}
    assert spec["behavior"] == {
        "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [{**policy, "value": 100}]},
        "scaleDown": {"stabilizationWindowSeconds": 300, "selectPolicy": "Min", "policies": [{**policy, "value": 50}]},
    }


@pytest.mark.parametrize(
    ("source", "kind", "field"),
    [
        ({"metricSourceType": "external"}, "External", "external"),
        ({"metricSourceType": "domain", "endpoint": "optimizer:8080"}, "External", "external"),
        ({"metricSourceType": "custom"}, "Pods", "pods"),
        ({"metricSourceType": "pod"}, "Pods", "pods"),
    ],
)
def test_sources_become_what_they_are(source: dict[str, Any], kind: str, field: str) -> None:
    (metric,) = build(metricsSources=[testing.source("0.5", "latency", **source)])["spec"]["metrics"]
    assert metric["type"] == kind
    assert metric[field] == {"metric": {"name": "latency"}, "target": {"type": "AverageValue", "averageValue": "500m"}}


def test_a_source_without_a_usable_target_is_left_out() -> None:
    assert len(build(metricsSources=[testing.source("50m"), testing.source("5")])["spec"]["metrics"]) == 1


def test_h3_the_least_is_one() -> None:
    assert build(status.Bounds(0, 5))["spec"]["minReplicas"] == 1


def test_sc6_the_bounds_that_hold_are_its_bounds() -> None:
    spec = build(status.Bounds(3, 12, "day"))["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 12)


def test_h4_a_stormservice_as_a_whole() -> None:
    storm = testing.target("pd", "StormService", "orchestration.aibrix.ai/v1alpha1")
    made = build(scaleTargetRef=storm)
    assert made["spec"]["scaleTargetRef"] == storm
    assert made["metadata"]["name"] == "test-llm-pa-hpa"


def test_h5_cooldowns_and_rates_are_its_behaviour() -> None:
    said = {
        "scale-up-cooldown-window": "30s",
        "scale-down-cooldown-window": "2h",
        "max-scale-up-rate": "3",
        "max-scale-down-rate": "4",
    }
    behaviour = build(annotations=said)["spec"]["behavior"]
    assert behaviour["scaleUp"]["stabilizationWindowSeconds"] == 30
    assert behaviour["scaleUp"]["policies"][0]["value"] == 200
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] == 3600, "Kubernetes takes no more than an hour"
    assert behaviour["scaleDown"]["policies"][0]["value"] == 75


def test_an_endpoint_that_it_cannot_read_is_told() -> None:
    scaler = testing.autoscaler(metricsSources=[testing.source(), testing.source(endpoint="host:80")])
    (problem,) = hpa.unseen(scaler)
    assert problem.where == "spec.metricsSources[1].endpoint"


@hypothesis.given(st.floats(min_value=1e-6, max_value=1e12))
def test_a_target_is_never_written_as_nothing(value: float) -> None:
    written = float(quantities.parse(hpa.quantity(value)))
    assert written > 0
    assert written == pytest.approx(value, abs=0.001)


def test_what_a_server_fills_in_is_no_difference() -> None:
    wanted = build()
    live = copy.deepcopy(wanted)
    live["metadata"] |= {"uid": "u", "resourceVersion": "3"}
    live["spec"]["behavior"]["scaleUp"]["tolerance"] = None
    live["spec"]["metrics"][0]["pods"]["target"]["averageValue"] = "10000m"
    assert hpa.is_up_to_date(live, wanted)
    for path, value in ((("maxReplicas",), 6), (("metrics",), []), (("behavior", "scaleUp", "policies"), [])):
        changed = copy.deepcopy(live)
        place = changed["spec"]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        assert not hpa.is_up_to_date(changed, wanted)


# At work.


@contextlib.asynccontextmanager
async def world(**spec: Any) -> AsyncIterator[testing.World]:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.DEPLOYMENT, testing.deployment())
    client.seed(resources.POD_AUTOSCALER, testing.autoscaler(**{"scalingStrategy": "HPA", "maxReplicas": 5, **spec}))
    async with testing.running(client) as it:
        await it.until(it.status)
        yield it


def found(it: testing.World) -> list[resources.Object]:
    return it.client.all(HPA)


@pytest.mark.looptime
async def test_h2_it_is_made_kept_and_follows() -> None:
    async with world() as it:
        (made,) = found(it)
        assert owners.is_controlled_by(made, it.find())
        assert (made["spec"]["minReplicas"], made["spec"]["maxReplicas"]) == (1, 5)
        assert it.condition("AbleToScale") == "True Configured"
        await it.client.patch(
            resources.POD_AUTOSCALER, ("default", "chat"), {"spec": {"minReplicas": 2, "maxReplicas": 10}}
        )
        await it.until(lambda: found(it)[0]["spec"]["maxReplicas"] == 10, 1)
        assert found(it)[0]["spec"]["minReplicas"] == 2
        writes = len(it.client.wrote("apply", HPA))
        await asyncio.sleep(60)
        assert len(it.client.wrote("apply", HPA)) == writes, "it is written only where it differs"
        assert it.dials.asked == [], "who does not decide does not measure"


@pytest.mark.looptime
async def test_h4_a_stormservice_without_a_role_gets_one() -> None:
    storm = testing.target("pd", "StormService", "orchestration.aibrix.ai/v1alpha1")
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.STORM_SERVICE, testing.storm_service(prefill=(1, 1), decode=(2, 1)))
    client.seed(resources.POD_AUTOSCALER, testing.autoscaler("pd", scalingStrategy="HPA", scaleTargetRef=storm))
    async with testing.running(client) as it:
        await it.until(lambda: found(it))
        (made,) = found(it)
        assert (made["metadata"]["name"], made["spec"]["scaleTargetRef"]) == ("pd-hpa", storm)
        assert it.condition("AbleToScale", "pd") == "True Configured"


@pytest.mark.looptime
async def test_a_foreign_hand_is_undone() -> None:
    async with world() as it:
        await it.client.patch(HPA, ("default", "chat-hpa"), {"spec": {"maxReplicas": 99}})
        await it.until(lambda: found(it)[0]["spec"]["maxReplicas"] == 5, 1)
        await it.client.delete(HPA, ("default", "chat-hpa"))
        await it.until(lambda: found(it), 1)


@pytest.mark.looptime
async def test_its_status_is_told_at_once() -> None:
    async with world() as it:
        told = {
            "currentReplicas": 2,
            "desiredReplicas": 4,
            "lastScaleTime": "2026-01-01T00:00:00Z",
            "conditions": [
                {"type": "AbleToScale", "status": "True", "reason": "SucceededRescale", "message": "fine"},
                {"type": "ScalingLimited", "status": "False", "reason": "DesiredWithinRange", "message": "fine"},
            ],
        }
        live = found(it)[0]
        await it.client.update(HPA, {**live, "status": told}, subresource="status")
        await it.until(lambda: it.status().get("desiredScale") == 4, 1)
        assert it.status()["actualScale"] == 2
        assert it.status()["lastScaleTime"] == "2026-01-01T00:00:00Z"
        assert it.condition("AbleToScale") == "True SucceededRescale"
        assert it.condition("ScalingLimited") == "False DesiredWithinRange"
        assert it.condition("Ready") == "False ReconcilingScaleDiff"
        types = [each["type"] for each in it.status()["conditions"]]
        assert len(types) == len(set(types)), "one condition of each type"


@pytest.mark.looptime
@pytest.mark.parametrize("failing", ["AbleToScale", "ScalingActive"])
async def test_one_that_cannot_work_is_not_ready(failing: str) -> None:
    async with world() as it:
        states = {"AbleToScale": "True", "ScalingActive": "True", failing: "False"}
        told = [{"type": kind, "status": state, "reason": f"{kind}{state}"} for kind, state in states.items()]
        sizes = {"currentReplicas": 2, "desiredReplicas": 2}
        live = found(it)[0]
        await it.client.update(HPA, {**live, "status": {**sizes, "conditions": told}}, subresource="status")
        await it.until(lambda: it.condition("Ready") == f"False {failing}False", 1)
        whole = [{**each, "status": "True", "reason": "Fine"} for each in told]
        live = found(it)[0]
        await it.client.update(HPA, {**live, "status": {**sizes, "conditions": whole}}, subresource="status")
        await it.until(lambda: it.condition("Ready") == "True AsExpected", 1)


@pytest.mark.looptime
async def test_another_strategy_takes_it_away() -> None:
    async with world() as it:
        await it.client.patch(
            resources.POD_AUTOSCALER, ("default", "chat"), {"spec": {"scalingStrategy": "APA", "minReplicas": 3}}
        )
        await it.until(lambda: it.replicas() == 3, 1)
        assert found(it) == []
        assert conditions.find(it.status()["conditions"], "ScalingLimited") is None


@pytest.mark.looptime
async def test_who_loses_the_target_takes_it_away() -> None:
    async with world() as it:
        await it.client.patch(resources.POD_AUTOSCALER, ("default", "chat"), {"metadata": {"labels": {"a": "b"}}})
        it.client.seed(resources.POD_AUTOSCALER, testing.autoscaler("older", age=60))
        await it.until(lambda: not found(it), 15)
        assert it.condition("AbleToScale") == "False MultiPodAutoscalerConflict"


@pytest.mark.looptime
async def test_one_of_its_name_that_is_another_s_is_left_alone() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.DEPLOYMENT, testing.deployment())
    other = {"metadata": testing.metadata("chat-hpa"), "spec": {"scaleTargetRef": testing.target("else")}}
    client.seed(HPA, other)
    client.seed(resources.POD_AUTOSCALER, testing.autoscaler(scalingStrategy="HPA"))
    async with testing.running(client) as it:
        await it.until(lambda: it.condition("AbleToScale") == "False FailedUpdateScale")
        assert found(it)[0]["spec"] == other["spec"]
