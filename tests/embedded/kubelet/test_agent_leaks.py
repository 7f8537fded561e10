"""Two hundred pods come and go, and leave nothing: no process, descriptor, task, file, and no memory to speak of."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import pathlib
import sys

import psutil
import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import agent as agents
from brickyard.embedded.kubelet import procfs
from brickyard.embedded.kubelet.testing import container, pod
from brickyard.embedded.kubelet.testing_agent import House, eventually, phase, ready
from brickyard.kube.objects import meta

GROWTH = 20_000
"""Blocks that two hundred pods may leave (measured: 6800): a pod kept by mistake is hundreds of its own."""


@dataclasses.dataclass(frozen=True)
class Footprint:
    descriptors: int
    tasks: int
    threads: int
    processes: int
    files: int

    @classmethod
    def of(cls, folder: pathlib.Path) -> Footprint:
        """Of this process, in which the agent is, and its data directory."""
        return cls(
            len(os.listdir("/proc/self/fd")),
            len(asyncio.all_tasks()),
            psutil.Process().num_threads(),
            len(psutil.Process().children(recursive=True)),
            sum(1 for _ in folder.rglob("*")),
        )


async def held(house: House) -> int:
    """Blocks of memory that Python's objects hold, without what the API in memory would remember of the past.

    Not the process's resident memory: a kernel that takes idle pages away, and the tests that ran before in this process, move that by
    more than two hundred pods could.
    """
    for each in house.client.all(resources.EVENT):
        await house.client.delete(resources.EVENT, meta.key(each))
    house.client.expire()
    house.client.calls.clear()
    gc.collect()
    return sys.getallocatedblocks()


async def live_and_die(house: House, names: list[str]) -> None:
    """A third runs until it is deleted, a third fails and is restarted, a third ends by itself."""
    endless = container(command=["sh", "-c", "echo up; exec sleep 60"])
    failing = container(command=["sh", "-c", "echo no; exit 3"])
    brief = container(command=["sh", "-c", "echo done"])
    for place, name in enumerate(names):
        kind = (endless, failing, brief)[place % 3]
        await house.create(pod(kind, name=name, restartPolicy="Never" if kind is brief else "Always"))
    for place, name in enumerate(names):
        settled = (ready, lambda obj: "CrashLoopBackOff" in str(obj.get("status")), phase("Succeeded"))[place % 3]
        await house.until(settled, name)
    for name in names:
        await house.delete(name, grace=5)
    await asyncio.gather(*(house.gone(name) for name in names))


async def settled(house: House, one: agents.NodeAgent) -> Footprint:
    await house.settled(one)
    await eventually(lambda: not house.processes() and not procfs.shims(house.uids))
    return Footprint.of(house.settings.folder)


@pytest.mark.slow
async def test_two_hundred_pods_leave_nothing(house: House) -> None:
    async with house.running() as one:
        await live_and_die(house, [f"warm-{number}" for number in range(40)])
        before, memory = await settled(house, one), await held(house)
        for start in range(0, 200, 20):
            await live_and_die(house, [f"p{number}" for number in range(start, start + 20)])
            grown = await held(house) - memory
        after = await settled(house, one)
        assert after == before
        assert grown < GROWTH
