"""A node whose agent falls silent and comes back, in virtual time, with the agent's own node part."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Callable

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import controllers, testing
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import conditions
from brickyard.lib import tasks, timestamps

pytestmark = pytest.mark.looptime
LEASES = "kube-node-lease"


def ready(client: clients.MemoryClient) -> str:
    (node,) = client.all(resources.NODE)
    found = conditions.find(node["status"]["conditions"], "Ready")
    assert found is not None
    return f"{found['status']} {found['reason']}"


async def until(what: Callable[[], bool]) -> float:
    """The time at which it holds."""
    async with asyncio.timeout(300):
        while not what():
            await asyncio.sleep(0.5)
    return asyncio.get_running_loop().time()


async def test_an_agent_that_falls_silent(tmp_path: pathlib.Path) -> None:
    client, clock = clients.MemoryClient(), testing.LoopClock()
    told = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "here"}}
    made = await client.create(resources.NODE, node)
    await client.update(resources.NODE, {**made, "status": {"conditions": [told]}}, subresource="status")
    lease = {"metadata": {"name": "here", "namespace": LEASES}}
    await client.create(resources.LEASE, {**lease, "apiVersion": resources.LEASE.api_version, "kind": "Lease"})

    async def renew() -> None:
        spec = {"renewTime": timestamps.rfc3339_micro(clock.wall())}
        await client.patch(resources.LEASE, (LEASES, "here"), {"spec": spec})

    async with tasks.Scope("test") as scope:
        running = scope.start(controllers.run(client, clock), name="controllers")
        for _ in range(20):
            await renew()
            await asyncio.sleep(10)
        assert ready(client) == "True KubeletReady"
        spoke = asyncio.get_running_loop().time() - 10
        silent = await until(lambda: ready(client) == "Unknown NodeStatusUnknown")
        assert 50 < silent - spoke < 55
        await until(lambda: bool(client.all(resources.EVENT)))
        assert [each["reason"] for each in client.all(resources.EVENT)] == ["NodeNotReady"]
        # It stays so, without another write, until the agent speaks again.
        calls = len(client.calls)
        await asyncio.sleep(200)
        assert len(client.calls) == calls
        running.cancel()
