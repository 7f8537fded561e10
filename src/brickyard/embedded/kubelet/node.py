"""This machine as a Node object, and the lease that says its agent is alive."""

from __future__ import annotations

import asyncio
import os
import pathlib
import platform
import shutil
from collections.abc import Mapping
from typing import Any

import psutil

import brickyard
from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import procfs
from brickyard.kube.client import contract as kube
from brickyard.kube.client import errors as kube_errors
from brickyard.lib import clock as clocks
from brickyard.lib import logs

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RENEW_EVERY = 10.0
STATUS_EVERY = 300.0
"""Seconds between two writes of a Node's status that say nothing but that it is still so."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

log = logs.get(__name__)


def capacity(folder: pathlib.Path, max_pods: int, devices: Mapping[str, int]) -> dict[str, str]:
    """The machine's sizes as quantities. Blocks, briefly."""
    kibi = 1024
    return {
        "cpu": str(os.cpu_count() or 1),
        "memory": f"{psutil.virtual_memory().total // kibi}Ki",
        "ephemeral-storage": f"{shutil.disk_usage(folder).total // kibi}Ki",
        "pods": str(max_pods),
        **{name: str(count) for name, count in devices.items()},
    }


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


class Node:
    """Keeps the Node object and its lease."""

    def __init__(
        self, client: kube.Client, clock: clocks.Clock, name: str, address: str, capacity: Mapping[str, str]
    ) -> None:
        self._client = client
        self._clock = clock
        self._name = name
        self._address = address
        self._capacity = dict(capacity)
        self._written: float | None = None

    async def run(self) -> None:
        """Register, then say every ten seconds that the agent is alive, until cancelled. No answer from the API ends this."""
        while True:
            try:
                await self._beat()
            except kube_errors.KubeError as error:
                log.warning("heartbeat failed", node=self._name, error=error)
            await asyncio.sleep(RENEW_EVERY)

    async def farewell(self) -> None:
        """Say that the agent is not ready any more.

        Raises:
            KubeError: the API did not take it.
        """
        await self._write(ready=False)

    async def _beat(self) -> None:
        now = self._clock.monotonic()
        if self._written is None or now - self._written >= STATUS_EVERY:
            await self._write(ready=True)
            self._written = now
        await self._renew()

    async def _write(self, ready: bool) -> None:
        try:
            held = await self._client.get(resources.NODE, self._name)
        except kube_errors.NotFound:
            held = await self._client.create(resources.NODE, self._object())
        old = (held.get("status") or {}).get("conditions") or ()
        await self._client.patch(
            resources.NODE, ("", self._name), {"status": self._status(ready, old)}, subresource="status"
        )

    def _object(self) -> resources.Object:
        arch = _ARCHITECTURES.get(platform.machine(), platform.machine())
        labels = {"kubernetes.io/hostname": self._name, "kubernetes.io/os": "linux", "kubernetes.io/arch": arch}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self._name, "labels": labels},
            "spec": {},
        }

    def _status(self, ready: bool, old: Any) -> dict[str, Any]:
        now = clocks.rfc3339(self._clock.wall())
        before = {each["type"]: each for each in old}
        facts = [
            ("MemoryPressure", False, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ("DiskPressure", False, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", False, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ("Ready", True, "KubeletReady", "kubelet is posting ready status")
            if ready
            else ("Ready", False, "KubeletNotReady", "the node agent has been stopped"),
        ]
        conditions = []
        for kind, holds, reason, message in facts:
            was, said = before.get(kind, {}), "True" if holds else "False"
            since = was.get("lastTransitionTime") if was.get("status") == said else None
            conditions.append(
                {
                    "type": kind,
                    "status": said,
                    "reason": reason,
                    "message": message,
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": since or now,
                }
            )
        return {
            "capacity": self._capacity,
            "allocatable": self._capacity,
            "conditions": conditions,
            "addresses": [
                {"type": "InternalIP", "address": self._address},
                {"type": "Hostname", "address": self._name},
            ],
            "nodeInfo": self._info(),
        }

    def _info(self) -> dict[str, str]:
        version = f"v{brickyard.__version__}+brickyard"
        machine = _machine_id()
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
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        }

    async def _renew(self) -> None:
        spec = {
            "holderIdentity": self._name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": clocks.rfc3339_micro(self._clock.wall()),
        }
        try:
            await self._client.patch(resources.LEASE, (LEASE_NAMESPACE, self._name), {"spec": spec})
        except kube_errors.NotFound:
            meta = {"name": self._name, "namespace": LEASE_NAMESPACE}
            await self._client.create(
                resources.LEASE,
                {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec},
            )
