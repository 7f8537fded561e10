"""The controllers together, on an API in memory with a node that starts nothing, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import controllers, testing
from brickyard.kube.client import testing as clients
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime


class LoopClock:
    """The loop's virtual time."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return testing.NOW + self.monotonic()


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[tuple[clients.MemoryClient, testing.FakeKubelet]]:
    client = clients.MemoryClient(LoopClock())
    node = testing.FakeKubelet(client, LoopClock())
    async with tasks.Scope("world") as scope:
        scope.start(node.run(), name="node")
        scope.start(controllers.run(client, LoopClock()), name="controllers")
        yield client, node


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


async def test_a_deployment_gets_its_pods() -> None:
    async with world() as (client, _):
        await client.create(resources.DEPLOYMENT, testing.unstored(testing.deployment()))
        await until(lambda: len(client.all(resources.POD)) == 3)
        await until(lambda: client.all(resources.DEPLOYMENT)[0]["status"].get("availableReplicas") == 3)
        await asyncio.sleep(5)
        print(client.all(resources.DEPLOYMENT)[0]["status"])
        print([(c.verb, c.kind.kind, c.name, c.subresource) for c in client.wrote()])
        print([(e["reason"], e["message"], e["count"]) for e in client.all(resources.EVENT)])
