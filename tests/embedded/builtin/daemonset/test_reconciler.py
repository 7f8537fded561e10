"""DaemonSets on an API in memory with a node that starts nothing, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import controllers, testing
from brickyard.kube.client import contract
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import meta
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime

WEB = ("default", "web")


@dataclasses.dataclass
class World:
    client: clients.MemoryClient
    node: testing.FakeKubelet

    async def make(self, **spec: Any) -> None:
        await self.client.create(resources.DAEMON_SET, testing.unstored(testing.daemon_set(**spec)))

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)

    def images(self) -> list[str]:
        return [each["spec"]["containers"][0]["image"] for each in self.client.all(resources.POD)]

    def rolled_out(self) -> bool:
        """What ``kubectl rollout status`` waits for."""
        (found,) = self.client.all(resources.DAEMON_SET)
        told = found.get("status") or {}
        goal = told.get("desiredNumberScheduled")
        counts = [told.get(key, 0) for key in ("updatedNumberScheduled", "numberAvailable")]
        return told.get("observedGeneration") == meta.generation(found) and counts == [goal, goal] and bool(goal)


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[World]:
    client = clients.MemoryClient(testing.LoopClock())
    client.seed(resources.NODE, testing.node())
    node = testing.FakeKubelet(client, testing.LoopClock())
    async with tasks.Scope("world") as scope:
        scope.start(node.run(), name="node")
        scope.start(controllers.run(client, testing.LoopClock()), name="controllers")
        yield World(client, node)


async def test_the_node_gets_its_pod_and_a_new_one_with_a_new_template() -> None:
    async with world() as it:
        await it.make()
        await it.until(it.rolled_out)
        assert it.images() == ["web:1"]
        await it.client.patch(resources.DAEMON_SET, WEB, {"spec": {"template": testing.template("web:2")}})
        await it.until(lambda: it.rolled_out() and it.images() == ["web:2"])
        numbers = sorted(each["revision"] for each in it.client.all(resources.CONTROLLER_REVISION))
        assert numbers == [1, 2]


async def test_a_pod_that_fails_is_replaced() -> None:
    async with world() as it:
        await it.make()
        await it.until(it.rolled_out)
        (pod,) = it.client.all(resources.POD)
        await it.client.patch(resources.POD, meta.key(pod), {"status": {"phase": "Failed"}}, subresource="status")
        await it.until(lambda: [meta.name(each) for each in it.client.all(resources.POD)] not in ([], [meta.name(pod)]))
        await it.until(it.rolled_out)
        assert "FailedDaemonPod" in {each["reason"] for each in it.client.all(resources.EVENT)}


async def test_a_node_that_comes_to_fit_gets_its_pod() -> None:
    async with world() as it:
        template = testing.template()
        template["spec"]["nodeSelector"] = {"disk": "ssd"}
        await it.make(template=template)
        await testing.quiet(it.client)
        assert it.client.all(resources.POD) == []
        await it.client.patch(resources.NODE, ("", "here"), {"metadata": {"labels": {"disk": "ssd"}}})
        await it.until(it.rolled_out)
        await it.client.patch(resources.NODE, ("", "here"), {"metadata": {"labels": {"disk": None}}})
        await it.until(lambda: it.client.all(resources.POD) == [])


async def test_an_update_with_surge_never_leaves_the_node_without_a_pod() -> None:
    async with world() as it:
        surge = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
        await it.make(updateStrategy=surge)
        await it.until(it.rolled_out)
        await it.client.patch(resources.DAEMON_SET, WEB, {"spec": {"template": testing.template("web:2")}})
        seen: set[tuple[str, ...]] = set()

        def over() -> bool:
            seen.add(tuple(sorted(it.images())))
            return it.images() == ["web:2"]

        await it.until(over)
        assert ("web:1", "web:2") in seen
        assert () not in seen


async def test_what_goes_takes_nothing_else_along() -> None:
    async with world() as it:
        await it.make()
        await it.until(it.rolled_out)
        await it.client.delete(resources.DAEMON_SET, WEB, contract.DeleteOptions())
        await testing.quiet(it.client)
        assert it.client.all(resources.DAEMON_SET) == []
