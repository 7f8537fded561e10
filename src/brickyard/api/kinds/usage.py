"""What containers and the node use: told by the node agent, served by the API server as ``metrics.k8s.io``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class Amount:
    """CPU in cores (a mean over the window it belongs to) and memory in bytes (at its end)."""

    cpu: float
    memory: int


@dataclasses.dataclass(frozen=True, slots=True)
class PodUsage:
    """What a pod's running containers use, by name. ``at`` is Unix seconds, ``window`` the seconds before it that ``cpu`` is of."""

    namespace: str
    name: str
    uid: str
    at: float
    window: float
    containers: dict[str, Amount]


@dataclasses.dataclass(frozen=True, slots=True)
class NodeUsage:
    """What the whole machine uses, whoever it is that uses it."""

    name: str
    at: float
    window: float
    amount: Amount


class Usages(Protocol):
    """Where usage is measured: the node agent, as seen by the API server. A measurement may be some seconds old."""

    async def pods(self) -> Sequence[PodUsage]:
        """Every pod with a container that runs and has been measured."""
        ...

    async def nodes(self) -> Sequence[NodeUsage]:
        """This machine; nothing before it has been measured."""
        ...
