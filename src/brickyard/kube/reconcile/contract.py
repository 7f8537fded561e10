"""What a reconciler is.

A request names an object and says nothing of what happened to it: a reconciler reads what is, works out what should be, and moves one
step. It must be right however often and in whatever order it is called, must not sleep, and ends in one of three ways:

* ``Result()``: done until something changes;
* ``Result(requeue_after=s)``: done, look again in ``s`` seconds;
* an exception: not done; it is called again with growing delay. ``Conflict`` means that it read something stale: ordinary.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from brickyard.kube.objects import meta


class Request(NamedTuple):
    """Which object to look at. It may be gone. ``namespace`` is "" for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def request_for(obj: Mapping[str, Any]) -> Request:
    """The request that names ``obj``."""
    return Request(*meta.key(obj))


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """How a pass ended. ``requeue_after`` seconds from now it is called again even if nothing changes; None: only on change."""

    requeue_after: float | None = None


class Reconciler(Protocol):
    """Moves one object towards what its spec asks."""

    async def reconcile(self, request: Request) -> Result: ...


class Outcome(enum.Enum):
    """How a pass ended, for those who count."""

    SUCCESS = "success"
    REQUEUE_AFTER = "requeue_after"
    ERROR = "error"


class Observer(Protocol):
    """Told of every pass. Called on the loop; must not block."""

    def pass_ended(self, name: str, outcome: Outcome, seconds: float) -> None:
        """A pass of the controller ``name`` took ``seconds``."""
        ...
