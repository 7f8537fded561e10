"""StatefulSets on an API in memory with a node that starts nothing, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import controllers, testing
from brickyard.kube.client import contract, errors
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import meta, owners
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime

WEB = ("default", "web")
CLAIM = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}


@dataclasses.dataclass
class World:
    client: clients.MemoryClient
    node: testing.FakeKubelet

    async def make(self, **spec: Any) -> None:
        await self.client.create(resources.STATEFUL_SET, testing.unstored(testing.stateful_set(**spec)))

    async def change(self, **spec: Any) -> None:
        await self.client.patch(resources.STATEFUL_SET, WEB, {"spec": spec})

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)

    def rolled_out(self) -> bool:
        """What ``kubectl rollout status`` waits for."""
        (found,) = self.client.all(resources.STATEFUL_SET)
        told = found.get("status") or {}
        return bool(
            told.get("observedGeneration") == meta.generation(found)
            and told.get("readyReplicas", 0) == told.get("updatedReplicas", 0) == found["spec"]["replicas"]
            and told["replicas"] == found["spec"]["replicas"]
            and told["currentRevision"] == told["updateRevision"]
        )

    def names(self, kind: resources.ResourceType = resources.POD) -> list[str]:
        return [meta.name(each) for each in self.client.all(kind)]

    def images(self) -> list[str]:
        return [each["spec"]["containers"][0]["image"] for each in self.client.all(resources.POD)]

    def created(self) -> list[str]:
        return [meta.name(each.body) for each in self.client.wrote("create", resources.POD)]


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[World]:
    client = clients.MemoryClient(testing.LoopClock())
    node = testing.FakeKubelet(client, testing.LoopClock())
    async with tasks.Scope("world") as scope:
        scope.start(node.run(), name="node")
        scope.start(controllers.run(client, testing.LoopClock()), name="controllers")
        yield World(client, node)


async def test_pods_come_one_after_another_and_go_in_reverse() -> None:
    async with world() as it:
        await it.make(replicas=3)
        await it.until(it.rolled_out)
        assert it.created() == ["web-0", "web-1", "web-2"]
        await it.change(replicas=1)
        await it.until(lambda: it.names() == ["web-0"])
        gone = [each.name for each in it.client.wrote("delete", resources.POD)]
        assert list(dict.fromkeys(gone)) == ["web-2", "web-1"]


async def test_at_rest_nothing_is_written() -> None:
    async with world() as it:
        await it.make(replicas=2, volumeClaimTemplates=[CLAIM])
        await it.until(it.rolled_out)
        await asyncio.sleep(10)
        it.client.calls.clear()
        await asyncio.sleep(3600)
        assert it.client.wrote() == []


async def test_an_update_goes_through_the_pods_and_back() -> None:
    async with world() as it:
        await it.make(replicas=3)
        await it.until(it.rolled_out)
        await it.change(template=testing.template("web:2"))
        await it.until(lambda: it.images() == ["web:2"] * 3 and it.rolled_out())
        assert it.created()[3:] == ["web-2", "web-1", "web-0"]
        assert len(it.names(resources.CONTROLLER_REVISION)) == 2
        await it.change(template=testing.template("web:1"))
        await it.until(lambda: it.images() == ["web:1"] * 3 and it.rolled_out())
        assert sorted(each["revision"] for each in it.client.all(resources.CONTROLLER_REVISION)) == [2, 3]


async def test_a_lost_pod_comes_back_under_its_name() -> None:
    async with world() as it:
        await it.make(replicas=2)
        await it.until(it.rolled_out)
        before = {meta.name(each): meta.uid(each) for each in it.client.all(resources.POD)}
        await it.client.delete(resources.POD, ("default", "web-0"))
        await it.until(lambda: before["web-0"] not in {meta.uid(each) for each in it.client.all(resources.POD)})
        await it.until(lambda: it.names() == ["web-0", "web-1"] and it.rolled_out())
        after = {meta.name(each): meta.uid(each) for each in it.client.all(resources.POD)}
        assert after["web-1"] == before["web-1"]


async def test_claims_stay_when_pods_go() -> None:
    async with world() as it:
        await it.make(replicas=2, volumeClaimTemplates=[CLAIM])
        await it.until(it.rolled_out)
        assert it.names(resources.PERSISTENT_VOLUME_CLAIM) == ["data-web-0", "data-web-1"]
        await it.change(replicas=0)
        await it.until(lambda: not it.names())
        assert it.names(resources.PERSISTENT_VOLUME_CLAIM) == ["data-web-0", "data-web-1"]


async def test_claims_follow_a_pod_where_that_is_asked() -> None:
    async with world() as it:
        policy = {"whenScaled": "Delete", "whenDeleted": "Retain"}
        await it.make(replicas=2, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=policy)
        await it.until(it.rolled_out)
        leaving = it.client.all(resources.POD)[1]
        await it.change(replicas=1)
        await it.until(lambda: it.names() == ["web-0"])
        first, second = it.client.all(resources.PERSISTENT_VOLUME_CLAIM)
        assert owners.references(first) == []
        assert owners.is_owned_by(second, leaving)


async def test_a_refused_pod_is_told_and_tried_again() -> None:
    async with world() as it:
        refusal = errors.Invalid("no such thing", reason="Invalid")
        it.client.fail_next(refusal, verb="create", kind=resources.POD)
        await it.make(replicas=1)
        await it.until(it.rolled_out)
        await it.until(lambda: len(it.names(resources.EVENT)) == 2)
        told = {each["reason"]: each["message"] for each in it.client.all(resources.EVENT)}
        assert "no such thing" in told["FailedCreate"]
        assert told["SuccessfulCreate"] == "create Pod web-0 in StatefulSet web successful"


async def test_one_that_is_deleted_meanwhile_is_fine() -> None:
    async with world() as it:
        await it.make(replicas=1)
        await it.until(it.rolled_out)
        await it.client.delete(resources.STATEFUL_SET, WEB, contract.DeleteOptions())
        await asyncio.sleep(5)
        it.client.calls.clear()
        await asyncio.sleep(600)
        assert it.client.wrote() == []
