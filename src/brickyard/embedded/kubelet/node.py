"""This machine as a Node object, and the lease that says its agent is alive."""

from __future__ import annotations

import asyncio
import dataclasses
import decimal
import os
import pathlib
import platform
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import psutil

import brickyard
from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import procfs
from brickyard.kube.client import contract as kube
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.objects import conditions, quantities
from brickyard.lib import clock as clocks
from brickyard.lib import logs, timestamps

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RENEW_EVERY = 10.0
STATUS_EVERY = 300.0
"""Seconds between two writes of a Node's status that say nothing but that it is still so."""

MEMORY_LEFT = 100 * 1024 * 1024
"""Bytes of memory below which the machine says that it is short of it."""
DISK_LEFT = 0.05
"""Share of the disk, likewise."""
PIDS_LEFT = 0.05
"""Share of the process numbers, likewise."""
_KIBI = 1024
_PIDS = (pathlib.Path("/proc/sys/kernel/pid_max"), pathlib.Path("/proc/sys/kernel/threads-max"))
_LOAD = pathlib.Path("/proc/loadavg")

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

log = logs.get(__name__)


def capacity(folder: pathlib.Path, max_pods: int, devices: Mapping[str, int]) -> dict[str, str]:
    """The machine's sizes as quantities. Blocks, briefly."""
    return {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{psutil.virtual_memory().total // _KIBI}Ki",
        "ephemeral-storage": f"{shutil.disk_usage(folder).total // _KIBI}Ki",
        "pods": str(max_pods),
        **{name: str(count) for name, count in devices.items()},
    }


def allocatable(sizes: Mapping[str, str]) -> dict[str, str]:
    """What pods can have of a ``capacity``: all but the memory and the disk at whose end the node says that it runs short."""
    memory = quantities.parse(sizes["memory"]) - MEMORY_LEFT
    disk = quantities.parse(sizes["ephemeral-storage"]) * (1 - decimal.Decimal(str(DISK_LEFT)))
    return {
        **sizes,
        "memory": f"{max(0, int(memory)) // _KIBI}Ki",
        "ephemeral-storage": f"{int(disk) // _KIBI}Ki",
    }


@dataclasses.dataclass(frozen=True, slots=True)
class Site:
    """What does not change about the node while its agent runs. ``folder`` is where pods live."""

    name: str
    address: str
    folder: pathlib.Path
    capacity: Mapping[str, str]


class Node:
    """Keeps the Node object and its lease."""

    def __init__(self, client: kube.Client, clock: clocks.Clock, site: Site) -> None:
        self._client = client
        self._clock = clock
        self._site = site
        self._written_at = 0.0
        self._renewed_at = clock.wall()
        self._said: Sequence[conditions.Condition] = ()

    async def run(self) -> None:
        """Register, then say every ten seconds that the agent is alive, until cancelled. No answer from the API ends this."""
        while True:
            try:
                await self.beat()
            except kube_errors.KubeError as error:
                log.warning("heartbeat failed", node=self._site.name, error=error)
            await asyncio.sleep(RENEW_EVERY)

    async def farewell(self) -> None:
        """Say that the agent is not ready any more.

        Raises:
            KubeError: the API did not take it.
        """
        stopped = conditions.Condition("Ready", "False", "KubeletNotReady", "the node agent has been stopped")
        await self._write([*await asyncio.to_thread(pressures, self._site.folder), stopped])

    async def beat(self) -> None:
        """Say once that the agent is alive, and how the node fares where that is news.

        Raises:
            KubeError: the API did not take it.
        """
        ready = conditions.Condition("Ready", "True", "KubeletReady", "kubelet is posting ready status")
        says = [*await asyncio.to_thread(pressures, self._site.folder), ready]
        silent = self._clock.wall() - self._renewed_at > LEASE_SECONDS
        # First the lease: who judges by it must not call a node silent that has just spoken.
        await self._renew()
        now = self._clock.monotonic()
        # After a silence (the API was away, the machine slept) somebody may have said in our stead that nobody knows.
        if silent or says != self._said or now - self._written_at >= STATUS_EVERY:
            await self._write(says)
            self._said, self._written_at = says, now
        self._renewed_at = self._clock.wall()

    async def _write(self, says: Sequence[conditions.Condition]) -> None:
        name = self._site.name
        try:
            held = await self._client.get(resources.NODE, name)
        except kube_errors.NotFound:
            held = await self._client.create(resources.NODE, _object(name))
        now = timestamps.rfc3339(self._clock.wall())
        found: Sequence[Mapping[str, Any]] = (held.get("status") or {}).get("conditions") or ()
        for each in says:
            found = conditions.set_condition(found, each, now)
        status = {
            "capacity": dict(self._site.capacity),
            "allocatable": allocatable(self._site.capacity),
            "conditions": [{**each, "lastHeartbeatTime": now} for each in found],
            "addresses": [
                {"type": "InternalIP", "address": self._site.address},
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": await asyncio.to_thread(_info),
        }
        await self._client.patch(resources.NODE, ("", name), {"status": status}, subresource="status")

    async def _renew(self) -> None:
        name = self._site.name
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": timestamps.rfc3339_micro(self._clock.wall()),
        }
        try:
            await self._client.patch(resources.LEASE, (LEASE_NAMESPACE, name), {"spec": spec})
        except kube_errors.NotFound:
            meta = {"name": name, "namespace": LEASE_NAMESPACE}
            taken = {**spec, "acquireTime": spec["renewTime"]}
            lease = {"apiVersion": resources.LEASE.api_version, "kind": "Lease", "metadata": meta, "spec": taken}
            await self._client.create(resources.LEASE, lease)


def pressures(folder: pathlib.Path) -> list[conditions.Condition]:
    """Whether memory, the disk of ``folder`` or process numbers run short. Blocks, briefly. Told, not acted upon: nothing is evicted."""
    disk = shutil.disk_usage(folder)
    memory_low = psutil.virtual_memory().available < MEMORY_LEFT
    disk_low = disk.free < DISK_LEFT * disk.total
    return [
        conditions.Condition("MemoryPressure", "True", "KubeletHasInsufficientMemory", "memory is running out")
        if memory_low
        else conditions.Condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "there is memory left"),
        conditions.Condition("DiskPressure", "True", "KubeletHasDiskPressure", f"the disk of {folder} is nearly full")
        if disk_low
        else conditions.Condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "there is disk space left"),
        conditions.Condition("PIDPressure", "True", "KubeletHasInsufficientPID", "process numbers are running out")
        if _pids_used() > 1 - PIDS_LEFT
        else conditions.Condition("PIDPressure", "False", "KubeletHasSufficientPID", "there are process numbers left"),
    ]


def _pids_used() -> float:
    """Share of the process numbers that processes and threads have taken; 0 where the kernel does not tell."""
    try:
        threads = int(_LOAD.read_text().split()[3].partition("/")[2])
        return threads / min(int(each.read_text()) for each in _PIDS)
    except (OSError, ValueError, IndexError):
        return 0.0


def _object(name: str) -> resources.Object:
    labels = {names.HOSTNAME_TOPOLOGY: name, "kubernetes.io/os": "linux", "kubernetes.io/arch": _architecture()}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {}}


def _info() -> dict[str, str]:
    version, machine = f"v{brickyard.__version__}+brickyard", _machine_id()
    return {
        "machineID": machine,
        "systemUUID": machine,
        "bootID": procfs.boot_id(),
        "kernelVersion": platform.release(),
        "osImage": _os_image(),
        "containerRuntimeVersion": f"process://{brickyard.__version__}",
        "kubeletVersion": version,
        "kubeProxyVersion": version,
        "operatingSystem": "linux",
        "architecture": _architecture(),
    }


def _architecture() -> str:
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def _machine_id() -> str:
    try:
        return pathlib.Path("/etc/machine-id").read_text().strip()
    except OSError:
        return ""


def _os_image() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"
