"""The node: its sizes, what it is short of, and what it says when it has been silent."""

from __future__ import annotations

import asyncio
import pathlib
import shutil
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import node
from brickyard.kube.client import errors, testing
from brickyard.kube.objects import conditions, quantities
from brickyard.lib import clock

GIBI = 2**30


def test_sizes(tmp_path: pathlib.Path) -> None:
    sizes = node.capacity(tmp_path, 250, {"nvidia.com/gpu": 2})
    assert sizes["pods"] == "250"
    assert sizes["nvidia.com/gpu"] == "2"
    assert abs(int(quantities.parse(sizes["memory"])) - psutil.virtual_memory().total) < 1024
    assert set(sizes) == {"cpu", "memory", "ephemeral-storage", "pods", "nvidia.com/gpu"}


def test_what_pods_can_have_of_them() -> None:
    sizes = {"cpu": "4", "memory": f"{4 * 1024 * 1024}Ki", "ephemeral-storage": "1000Ki", "pods": "9", "a.b/c": "1"}
    assert node.allocatable(sizes) == {**sizes, "memory": f"{(4096 - 100) * 1024}Ki", "ephemeral-storage": "950Ki"}
    assert node.allocatable({**sizes, "memory": "5Mi"})["memory"] == "0Ki"


# Bytes of memory that are available, share of the disk that is free, threads of 1000 → what is short.
@pytest.mark.parametrize(
    ("memory", "disk", "threads", "short"),
    [
        (GIBI, 0.5, 100, []),
        (node.MEMORY_LEFT, 0.05, 950, []),
        (node.MEMORY_LEFT - 1, 0.5, 100, ["MemoryPressure"]),
        (GIBI, 0.049, 100, ["DiskPressure"]),
        (GIBI, 0.5, 951, ["PIDPressure"]),
        (0, 0.0, 1000, ["MemoryPressure", "DiskPressure", "PIDPressure"]),
    ],
)
def test_pressures(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, memory: int, disk: float, threads: int, short: list[str]
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=memory))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=disk * 1000, total=1000))
    (tmp_path / "load").write_text(f"0.10 0.20 0.30 2/{threads} 4711\n")
    for name, most in (("pids", 4000), ("threads", 1000)):
        (tmp_path / name).write_text(f"{most}\n")
    monkeypatch.setattr(node, "_LOAD", tmp_path / "load")
    monkeypatch.setattr(node, "_PIDS", (tmp_path / "pids", tmp_path / "threads"))
    found = node.pressures(tmp_path)
    assert [each.type for each in found] == ["MemoryPressure", "DiskPressure", "PIDPressure"]
    assert [each.type for each in found if each.status == "True"] == short


def test_a_kernel_that_does_not_tell(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "_LOAD", tmp_path / "none")
    assert [each.status for each in node.pressures(tmp_path)][2] == "False"


class Bench:
    """A node's part of an agent, and the API it speaks to."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.client = testing.MemoryClient()
        self.clock = clock.ManualClock()
        sizes = {"cpu": "4", "memory": "4Gi", "ephemeral-storage": "10Gi", "pods": "9"}
        self.one = node.Node(self.client, self.clock, node.Site("here", "127.0.0.1", folder, sizes))

    def node(self) -> Any:
        (found,) = self.client.all(resources.NODE)
        return found

    def ready(self) -> str:
        found = conditions.find(self.node()["status"]["conditions"], "Ready")
        assert found is not None
        return str(found["status"])

    async def beat(self, later: float = 0.0) -> None:
        """One heartbeat, so many seconds after the last."""
        self.clock.advance(later)
        await self.one.beat()

    async def doubted(self) -> None:
        """Somebody says that nobody knows."""
        unknown = conditions.Condition("Ready", "Unknown", "NodeStatusUnknown")
        told = conditions.set_condition(self.node()["status"]["conditions"], unknown, "2023-11-14T22:13:20Z")
        await self.client.patch(resources.NODE, ("", "here"), {"status": {"conditions": told}}, subresource="status")


async def test_what_a_node_says(tmp_path: pathlib.Path) -> None:
    bench = Bench(tmp_path)
    await bench.beat()
    status = bench.node()["status"]
    assert bench.ready() == "True"
    assert status["capacity"]["memory"] == "4Gi"
    assert status["allocatable"]["memory"] == f"{(4096 - 100) * 1024}Ki"
    assert {each["type"] for each in status["conditions"]} == {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"}
    (lease,) = bench.client.all(resources.LEASE)
    assert lease["spec"]["holderIdentity"] == "here"
    taken = lease["spec"]["acquireTime"]
    await bench.beat(10)
    (lease,) = bench.client.all(resources.LEASE)
    assert lease["spec"]["acquireTime"] == taken < lease["spec"]["renewTime"]


# Seconds between two beats → whether the second says everything anew.
@pytest.mark.parametrize(("later", "anew"), [(10.0, False), (40.0, False), (41.0, True), (3600.0, True)])
async def test_after_a_silence_it_says_everything_anew(tmp_path: pathlib.Path, later: float, anew: bool) -> None:
    bench = Bench(tmp_path)
    await bench.beat()
    await bench.doubted()
    await bench.beat(later)
    assert bench.ready() == ("True" if anew else "Unknown")


async def test_a_farewell(tmp_path: pathlib.Path) -> None:
    bench = Bench(tmp_path)
    await bench.beat()
    await bench.one.farewell()
    assert bench.ready() == "False"


async def test_an_api_that_is_away_ends_nothing(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path)

    async def away(*_: object, **__: object) -> Any:
        raise errors.Unreachable("away")

    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    with monkeypatch.context() as broken:
        broken.setattr(bench.client, "patch", away)
        broken.setattr(asyncio, "sleep", sleep)
        with pytest.raises(asyncio.CancelledError):
            await bench.one.run()
    assert pauses == [10.0] * 3
    await bench.beat()
    assert bench.ready() == "True"
