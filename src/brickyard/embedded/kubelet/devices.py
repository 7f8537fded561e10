"""The machine's extended resources: which devices there are, and which container has which.

A container that asks for ``nvidia.com/gpu: 2`` gets two of them and is told by ``CUDA_VISIBLE_DEVICES``; one that asks for none is told
nothing, and sees what the machine shows to everybody.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api import names
from brickyard.embedded.kubelet import errors
from brickyard.lib import settings

NVIDIA_GPU = names.GPU_RESOURCE
VISIBLE = "CUDA_VISIBLE_DEVICES"
_NVIDIA_DRIVER = pathlib.Path("/proc/driver/nvidia/gpus")

Inventory = Mapping[str, Sequence[str]]
"""Resource → ids of its devices."""


def is_extended(resource: str) -> bool:
    """Whether a resource is counted in devices: it has a domain, and not Kubernetes' own."""
    domain, slash, _ = resource.partition("/")
    return bool(slash) and domain != "kubernetes.io" and not domain.endswith(".kubernetes.io")


def detect(environ: Mapping[str, str], driver: pathlib.Path = _NVIDIA_DRIVER) -> dict[str, tuple[str, ...]]:
    """The devices that can be found: NVIDIA GPUs, numbered as CUDA numbers them, or those that ``CUDA_VISIBLE_DEVICES`` leaves us."""
    count = len(list(driver.iterdir())) if driver.is_dir() else 0
    ids = tuple(map(str, range(count)))
    if count and VISIBLE in environ:
        ids = tuple(filter(None, (each.strip() for each in environ[VISIBLE].split(","))))
    return {NVIDIA_GPU: ids} if ids else {}


def parse(text: str) -> dict[str, tuple[str, ...]]:
    """``nvidia.com/gpu=2,example.com/x=1`` as an inventory; ids count from 0.

    Raises:
        SettingError: the text is not that.
    """
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, count = part.partition("=")
        if not is_extended(name) or not count.isdecimal():
            hint = "Write name=count pairs, such as nvidia.com/gpu=2,example.com/x=1."
            raise settings.SettingError(f"{part!r} is no extended resource with its count", hint=hint)
        found[name] = tuple(map(str, range(int(count))))
    return found


def requested(container: Mapping[str, Any]) -> dict[str, int]:
    """Extended resources that a container asks for; limit and request are the same for these."""
    sizes = container.get("resources") or {}
    asked = {**(sizes.get("requests") or {}), **(sizes.get("limits") or {})}
    return {name: int(str(count)) for name, count in asked.items() if is_extended(name) and str(count).isdecimal()}


def variables(held: Inventory) -> dict[str, str]:
    """What tells a process its devices."""
    gpus = [each for name, ids in held.items() if name.partition("/")[0] == "nvidia.com" for each in ids]
    return {VISIBLE: ",".join(gpus), "NVIDIA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}


class Devices:
    """Who has which device. A pod keeps its devices until it is released, over restarts of its containers too."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._held: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}

    @property
    def capacity(self) -> dict[str, int]:
        """Resource → number of devices."""
        return {name: len(ids) for name, ids in self._inventory.items()}

    def restore(self, uid: str, container: str, held: Inventory) -> None:
        """The container had these when an earlier agent wrote it down."""
        if held:
            self._held[uid, container] = {name: tuple(ids) for name, ids in held.items()}

    def held(self, uid: str, container: str) -> dict[str, tuple[str, ...]]:
        """What the container has."""
        return self._held.get((uid, container), {})

    def claim(self, uid: str, container: str, wanted: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
        """The container's devices: those it has, else free ones.

        Raises:
            NotStarted: there are not enough.
        """
        if not wanted or (uid, container) in self._held:
            return self.held(uid, container)
        chosen: dict[str, tuple[str, ...]] = {}
        for name, count in wanted.items():
            taken = {each for held in self._held.values() for each in held.get(name, ())}
            free = [each for each in self._inventory.get(name, ()) if each not in taken]
            if len(free) < count:
                text = f"{count} {name} asked for, {len(free)} free of {self.capacity.get(name, 0)} on this machine"
                raise errors.NotStarted("CreateContainerError", text)
            chosen[name] = tuple(free[:count])
        self._held[uid, container] = chosen
        return chosen

    def release(self, uid: str) -> None:
        """The pod needs its devices no more."""
        self._held = {owner: held for owner, held in self._held.items() if owner[0] != uid}
