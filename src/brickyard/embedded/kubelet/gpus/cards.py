"""A GPU, or a MIG part of one, and what Kubernetes and CUDA call it. Pure.

A card's identity is its UUID: indices change when a card is added or fails. Engines, though, want indices in ``CUDA_VISIBLE_DEVICES``
(vLLM reads a number there and ends on anything else), so that a whole GPU is shown by the index it has on the PCI bus, which
``CUDA_DEVICE_ORDER=PCI_BUS_ID`` makes CUDA's own. As soon as one GPU of the machine is cut by MIG, CUDA counts otherwise than the bus,
and cards are shown by UUID.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from brickyard.api import names

VENDOR = "nvidia.com"
SHARED = f"{names.GPU_RESOURCE}.shared"
"""A GPU that several containers have, as NVIDIA's device plugin names it."""
_REPLICA = "::"


@dataclasses.dataclass(frozen=True, slots=True)
class Card:
    """A device that a container can have.

    Attributes:
        uuid: ``GPU-…`` or ``MIG-…``.
        index: of the GPU on the PCI bus; of a MIG part, that of its GPU.
        name: the product, such as ``NVIDIA H100 80GB HBM3``.
        profile: of a MIG part, such as ``1g.10gb``; "" of a whole GPU.
        memory: bytes; 0 where that is not known.
    """

    uuid: str
    index: int
    name: str
    profile: str = ""
    memory: int = 0

    @property
    def resource(self) -> str:
        """``nvidia.com/gpu``, or ``nvidia.com/mig-1g.10gb``: the names that NVIDIA's device plugin gives (strategy ``mixed``)."""
        return f"{VENDOR}/mig-{self.profile.replace('+', '.')}" if self.profile else names.GPU_RESOURCE


def permitted(cards: Sequence[Card], visible: str | None) -> list[Card]:
    """The cards that our own ``CUDA_VISIBLE_DEVICES`` leaves us, in its order; None leaves them all.

    Like CUDA: entries are indices or the beginning of a UUID, and what comes after one that fits nothing does not count.
    """
    if visible is None:
        return list(cards)
    left: list[Card] = []
    for entry in (each.strip() for each in visible.split(",")):
        found = [each for each in cards if _meant(each, entry)]
        if not found:
            break
        left += [each for each in found if each not in left]
    return left


def _meant(card: Card, entry: str) -> bool:
    if entry.isdecimal():
        return not card.profile and card.index == int(entry)
    return bool(entry) and card.uuid.startswith(entry)


def inventory(cards: Iterable[Card], sharing: int = 1) -> dict[str, tuple[str, ...]]:
    """Resource → ids of its devices. With ``sharing`` above 1, whole GPUs are offered so many times over, as ``nvidia.com/gpu.shared``."""
    found: dict[str, list[str]] = {}
    for each in cards:
        if sharing > 1 and not each.profile:
            # One of every GPU before a second of any: the first ones to come have a GPU to themselves.
            found.setdefault(SHARED, []).append(each.uuid)
        else:
            found.setdefault(each.resource, []).append(each.uuid)
    if SHARED in found:
        found[SHARED] = [f"{uuid}{_REPLICA}{number}" for number in range(sharing) for uuid in found[SHARED]]
    return {name: tuple(ids) for name, ids in found.items()}


def shown(cards: Sequence[Card]) -> dict[str, str]:
    """Device id → what stands for it in ``CUDA_VISIBLE_DEVICES``."""
    cut = any(each.profile for each in cards)
    return {each.uuid: each.uuid if cut else str(each.index) for each in cards}


def uuids(ids: Iterable[str]) -> list[str]:
    """The cards behind device ids, each once."""
    return list(dict.fromkeys(each.partition(_REPLICA)[0] for each in ids))
