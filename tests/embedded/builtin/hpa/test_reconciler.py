"""Autoscalers on an API in memory, in virtual time. The scale and the metrics are pages that the test writes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import controllers, testing
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import conditions, meta
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime

SCALE = "/apis/apps/v1/namespaces/default/deployments/web/scale"
USAGE = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods"


@dataclasses.dataclass
class World:
    client: clients.MemoryClient

    def serve(self, path: str, page: Any) -> None:
        self.client.streams[path] = [orjson.dumps(page)]

    def load(self, cpu: str) -> None:
        """Every pod uses as much."""
        names = [meta.name(each) for each in self.client.all(resources.POD)]
        items = [{"metadata": {"name": name}, "containers": [{"name": "web", "usage": {"cpu": cpu}}]} for name in names]
        self.serve(USAGE, {"items": items})

    async def follow(self) -> None:
        """The scale page shows what the Deployment asks for."""
        while True:
            replicas = self.client.all(resources.DEPLOYMENT)[0]["spec"]["replicas"]
            status = {"replicas": replicas, "selector": "app=web"}
            self.serve(SCALE, {"spec": {"replicas": replicas}, "status": status})
            await asyncio.sleep(0.1)

    async def until(self, condition: Callable[[], object], seconds: float = 600.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)

    @property
    def replicas(self) -> int:
        return int(self.client.all(resources.DEPLOYMENT)[0]["spec"]["replicas"])

    def condition(self, kind: str) -> str:
        (found,) = self.client.all(resources.HORIZONTAL_POD_AUTOSCALER)
        told = conditions.find((found.get("status") or {}).get("conditions"), kind) or {}
        return f"{told.get('status')} {told.get('reason')}"


def autoscaler(**spec: Any) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": 50}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1,
            "maxReplicas": 8,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            **spec,
        },
    }


@contextlib.asynccontextmanager
async def world(replicas: int = 2) -> AsyncIterator[World]:
    client = clients.MemoryClient(testing.LoopClock())
    node = testing.FakeKubelet(client, testing.LoopClock())
    made = testing.deployment(replicas=replicas)
    made["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
    await client.create(resources.DEPLOYMENT, testing.unstored(made))
    it = World(client)
    it.serve("/apis/apps/v1", {"resources": [{"name": "deployments", "kind": "Deployment", "namespaced": True}]})
    async with tasks.Scope("world") as scope:
        scope.start(node.run(), name="node")
        scope.start(it.follow(), name="scale")
        scope.start(controllers.run(client, testing.LoopClock()), name="controllers")
        await it.until(lambda: len(client.all(resources.POD)) == replicas)
        for each in client.all(resources.POD):
            # As after a long life: a young pod's CPU says nothing.
            stamp = {"startTime": testing.ago(1000)}
            await it.until(lambda: all("status" in pod for pod in client.all(resources.POD)))
            await client.patch(resources.POD, meta.key(each), {"status": stamp}, subresource="status")
        yield it


async def test_it_follows_the_load_up_and_slowly_down() -> None:
    async with world(2) as it:
        it.load("1")
        await it.client.create(resources.HORIZONTAL_POD_AUTOSCALER, autoscaler())
        await it.until(lambda: it.replicas == 4, 30)
        assert it.condition("ScalingActive") == "True ValidMetricFound"
        it.load("100m")
        began = asyncio.get_running_loop().time()
        await it.until(lambda: it.replicas < 4)
        assert asyncio.get_running_loop().time() - began >= 280, "five minutes after the last high recommendation"
        told = [each["message"] for each in it.client.all(resources.EVENT) if each["reason"] == "SuccessfulRescale"]
        assert told[0].startswith("New size: 4; reason: cpu resource utilization")


async def test_without_metrics_nothing_moves_and_it_says_why() -> None:
    async with world(2) as it:
        await it.client.create(resources.HORIZONTAL_POD_AUTOSCALER, autoscaler())
        await it.until(lambda: it.condition("ScalingActive") == "False FailedGetResourceMetric")
        await asyncio.sleep(120)
        assert it.replicas == 2
        assert any(each["reason"] == "FailedGetResourceMetric" for each in it.client.all(resources.EVENT))


async def test_a_target_that_is_not_there() -> None:
    async with world(2) as it:
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "absent"}
        await it.client.create(resources.HORIZONTAL_POD_AUTOSCALER, autoscaler(scaleTargetRef=reference))
        await it.until(lambda: it.condition("AbleToScale") == "False FailedGetScale")


async def test_it_looks_every_fifteen_seconds_and_at_once_when_its_spec_changes() -> None:
    async with world(2) as it:
        it.load("500m")
        await it.client.create(resources.HORIZONTAL_POD_AUTOSCALER, autoscaler())
        await it.until(lambda: it.condition("AbleToScale") == "True ReadyForNewScale")
        it.load("1")
        await asyncio.sleep(5)
        assert it.replicas == 2
        await it.client.patch(resources.HORIZONTAL_POD_AUTOSCALER, ("default", "web"), {"spec": {"minReplicas": 3}})
        await it.until(lambda: it.replicas == 3, 2)
