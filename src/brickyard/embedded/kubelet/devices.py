"""The machine's extended resources: which devices there are, and which container has which.

A container that asks for ``nvidia.com/gpu: 2`` gets two of them and is told by ``CUDA_VISIBLE_DEVICES``; one that asks for none is told
nothing, and sees what the machine shows to everybody. What an init container had is its pod's to use again, as in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from brickyard.embedded.kubelet import errors
from brickyard.embedded.kubelet.gpus import cards, find
from brickyard.lib import settings

_AMD = "amd.com"

Inventory = Mapping[str, Sequence[str]]
"""Resource → ids of its devices."""


def is_extended(resource: str) -> bool:
    """Whether a resource is counted in devices: it has a domain, and not Kubernetes' own."""
    domain, slash, _ = resource.partition("/")
    return bool(slash) and domain != "kubernetes.io" and not domain.endswith(".kubernetes.io")


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


class Devices:
    """Who has which device. A pod keeps its devices until it is released, over restarts of its containers and of the agent.

    ``shown`` tells what stands for a device in the variables that CUDA reads, where that is not its id.
    """

    def __init__(self, inventory: Inventory, shown: Mapping[str, str] | None = None) -> None:
        self._inventory = inventory
        self._shown = dict(shown or {})
        self._held: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}
        self._passing: set[tuple[str, str]] = set()

    @property
    def capacity(self) -> dict[str, int]:
        """Resource → number of devices."""
        return {name: len(ids) for name, ids in self._inventory.items()}

    def restore(self, uid: str, container: str, held: Inventory, *, init: bool = False) -> None:
        """The container had these when an earlier agent wrote it down."""
        if held:
            self._hold((uid, container), {name: tuple(map(self._id, ids)) for name, ids in held.items()}, init=init)

    def _id(self, written: str) -> str:
        """A device's id today: it may have been written down by the index that stood for it when it could not be identified."""
        return next((each for each, index in self._shown.items() if index == written), written)

    def held(self, uid: str, container: str) -> dict[str, tuple[str, ...]]:
        """What the container has."""
        return self._held.get((uid, container), {})

    def claim(
        self, uid: str, container: str, wanted: Mapping[str, int], *, init: bool = False
    ) -> dict[str, tuple[str, ...]]:
        """The container's devices: those it has, else those that an init container of its pod had, else free ones.

        ``init``: this is an init container, whose devices are its pod's to use again.

        Raises:
            NotStarted: there are not enough.
        """
        if not wanted or (uid, container) in self._held:
            return self.held(uid, container)
        chosen: dict[str, tuple[str, ...]] = {}
        for name, count in wanted.items():
            free = self._free(uid, name)
            if len(free) < count:
                text = f"{count} {name} asked for, {len(free)} free of {self.capacity.get(name, 0)} on this machine"
                raise errors.NotStarted("CreateContainerError", text)
            chosen[name] = tuple(free[:count])
        self._hold((uid, container), chosen, init=init)
        return chosen

    def _free(self, uid: str, name: str) -> list[str]:
        """Ids that a container of the pod may have, its pod's own first."""
        own: list[str] = []
        taken: set[str] = set()
        for owner, held in self._held.items():
            if owner[0] == uid and owner in self._passing:
                own += held.get(name, ())
            else:
                taken.update(held.get(name, ()))
        return [each for each in dict.fromkeys((*own, *self._inventory.get(name, ()))) if each not in taken]

    def _hold(self, owner: tuple[str, str], held: dict[str, tuple[str, ...]], *, init: bool) -> None:
        self._held[owner] = held
        if init:
            self._passing.add(owner)

    def variables(self, held: Inventory) -> dict[str, str]:
        """What tells a process its devices; nothing where it holds none that are told by variables."""
        nvidia = cards.uuids(_of(held, cards.VENDOR))
        env: dict[str, str] = {}
        if nvidia:
            env[find.VISIBLE] = ",".join(self._shown.get(each, each) for each in nvidia)
            env["NVIDIA_VISIBLE_DEVICES"] = ",".join(nvidia)
            # Else CUDA counts from the fastest card, and an index means another one than on the bus.
            env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        if amd := list(_of(held, _AMD)):
            env["HIP_VISIBLE_DEVICES"] = ",".join(amd)
        return env

    def release(self, uid: str) -> None:
        """The pod needs its devices no more."""
        self._held = {owner: held for owner, held in self._held.items() if owner[0] != uid}
        self._passing = {owner for owner in self._passing if owner[0] != uid}


def _of(held: Inventory, vendor: str) -> Iterable[str]:
    return (each for name, ids in held.items() if name.partition("/")[0] == vendor for each in ids)


def of_machine(told: str, sharing: int, environ: Mapping[str, str]) -> Devices:
    """This machine's devices: those of ``told`` (see ``parse``), and the GPUs that are found beside them. Blocks, for seconds at worst.

    Raises:
        SettingError: ``told`` is no inventory.
    """
    named = parse(told)
    found = find.find(environ)
    return Devices({**cards.inventory(found, sharing), **named}, cards.shown(found))
