"""Jobs on an API in memory with a node that starts nothing, in virtual time."""

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
from brickyard.kube.objects import conditions, meta
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime

WORK = ("default", "work")


@dataclasses.dataclass
class World:
    client: clients.MemoryClient
    node: testing.FakeKubelet

    async def make(self, **spec: Any) -> None:
        made = testing.job(**spec)
        await self.client.create(resources.JOB, testing.unstored(made))

    async def until(self, condition: Callable[[], object], seconds: float = 3600.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.client.all(resources.JOB)[0].get("status") or {})

    @property
    def pods(self) -> list[dict[str, Any]]:
        return self.client.all(resources.POD)

    def has(self, kind: str) -> Callable[[], bool]:
        return lambda: conditions.is_true(self.status.get("conditions"), kind)

    def reasons(self) -> list[str]:
        return [str(each["reason"]) for each in self.client.all(resources.EVENT)]


@contextlib.asynccontextmanager
async def world(*, latency: float = 0.0, code: int = 0) -> AsyncIterator[World]:
    client = clients.MemoryClient(testing.LoopClock(), latency=latency)
    node = testing.FakeKubelet(client, testing.LoopClock(), testing.Behaviour(ends={"work:1": (2.0, code)}))
    async with tasks.Scope("world") as scope:
        scope.start(node.run(), name="node")
        scope.start(controllers.run(client, testing.LoopClock()), name="controllers")
        yield World(client, node)


@pytest.mark.parametrize("latency", [0.0, 0.3])
async def test_the_work_is_done_as_often_as_asked(latency: float) -> None:
    async with world(latency=latency) as it:
        await it.make(completions=5, parallelism=2)
        await it.until(it.has("Complete"))
        assert (it.status["succeeded"], it.status.get("failed", 0)) == (5, 0)
        assert len(it.pods) == 5
        assert all(not each["metadata"].get("finalizers") for each in it.pods)
        await it.until(lambda: "Completed" in it.reasons())
        it.client.calls.clear()
        await asyncio.sleep(600)
        assert it.client.wrote() == []


@pytest.mark.parametrize("latency", [0.0, 0.3])
async def test_every_index_is_done_once(latency: float) -> None:
    async with world(latency=latency) as it:
        await it.make(completions=4, parallelism=3, completionMode="Indexed")
        await it.until(it.has("Complete"))
        assert it.status["completedIndexes"] == "0-3"
        assert len(it.pods) == 4


async def test_failures_are_repeated_with_growing_pauses_and_then_given_up() -> None:
    async with world(code=3) as it:
        began = asyncio.get_running_loop().time()
        await it.make(backoffLimit=2)
        await it.until(it.has("Failed"))
        took = asyncio.get_running_loop().time() - began
        assert it.status["failed"] == 3
        assert 30 <= took <= 45, "10 s and 20 s between three tries"
        assert (conditions.find(it.status["conditions"], "Failed") or {})["reason"] == "BackoffLimitExceeded"
        await it.until(lambda: "BackoffLimitExceeded" in it.reasons())


async def test_a_finished_pod_that_somebody_deletes_still_counts() -> None:
    async with world() as it:
        await it.make(completions=2)
        await it.until(lambda: it.status.get("succeeded") == 1)
        done = next(each for each in it.pods if (each.get("status") or {}).get("phase") == "Succeeded")
        await it.client.delete(resources.POD, meta.key(done), contract.DeleteOptions(grace_period_seconds=0))
        await it.until(it.has("Complete"))
        assert it.status["succeeded"] == 2
        assert len(it.pods) == 1


async def test_the_deadline_ends_what_works() -> None:
    async with world() as it:
        it.node.behaviour.ends.clear()
        await it.make(activeDeadlineSeconds=20)
        await it.until(it.has("Failed"), 40)
        assert (conditions.find(it.status["conditions"], "Failed") or {})["reason"] == "DeadlineExceeded"
        await it.until(lambda: not it.pods)


async def test_suspended_and_resumed() -> None:
    async with world() as it:
        await it.make(suspend=True)
        await it.until(it.has("Suspended"))
        await asyncio.sleep(60)
        assert it.pods == []
        await it.client.patch(resources.JOB, WORK, {"spec": {"suspend": False}})
        await it.until(lambda: it.status.get("active") == 1)
        await it.client.patch(resources.JOB, WORK, {"spec": {"suspend": True}})
        await it.until(lambda: not it.pods)
        assert it.status.get("failed", 0) == 0
        await it.client.patch(resources.JOB, WORK, {"spec": {"suspend": False}})
        await it.until(it.has("Complete"))
        assert it.status.get("failed", 0) == 0


async def test_it_goes_when_it_was_kept_for_long_enough() -> None:
    async with world() as it:
        await it.make(ttlSecondsAfterFinished=30)
        await it.until(it.has("Complete"))
        await asyncio.sleep(29)
        assert it.client.all(resources.JOB)
        await asyncio.sleep(3)
        assert not it.client.all(resources.JOB)


async def test_pods_of_a_deleted_job_are_let_go() -> None:
    async with world() as it:
        it.node.behaviour.ends.clear()
        await it.make()
        await it.until(lambda: it.pods)
        await it.client.delete(resources.JOB, WORK, contract.DeleteOptions(propagation_policy="Orphan"))
        await it.until(lambda: not it.pods[0]["metadata"].get("finalizers"))


async def test_a_refused_pod_is_told_and_tried_again() -> None:
    async with world() as it:
        it.client.fail_next(errors.Invalid("no such thing", reason="Invalid"), verb="create", kind=resources.POD)
        await it.make()
        await it.until(it.has("Complete"))
        await it.until(lambda: "FailedCreate" in it.reasons())


async def test_the_count_holds_when_the_controllers_start_anew() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    behaviour = testing.Behaviour(ends={"work:1": (2.0, 0)})
    node = testing.FakeKubelet(client, testing.LoopClock(), behaviour)
    it = World(client, node)
    async with tasks.Scope("node") as outer:
        outer.start(node.run(), name="node")
        await it.make(completions=6, parallelism=2)
        for life in range(40):
            async with asyncio.timeout(60), tasks.Scope(f"life-{life}") as scope:
                scope.start(controllers.run(client, testing.LoopClock()), name="controllers")
                await asyncio.sleep(0.7)
            if it.has("Complete")():
                break
        assert it.status["succeeded"] == 6
        assert len(it.pods) == 6
