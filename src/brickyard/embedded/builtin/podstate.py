"""What a pod's object tells about its life: pure readings that several controllers share, and the order in which pods die.

``now`` and all times are Unix seconds.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.kube.objects import conditions, meta
from brickyard.lib import timestamps

DELETION_COST = names.POD_DELETION_COST

_PHASE_ORDER = {"Pending": 0, "Unknown": 1, "Running": 2}
_TERMINAL = ("Succeeded", "Failed")


def phase(pod: resources.Object) -> str:
    """``status.phase``; a pod that no node has spoken for is Pending."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def is_terminal(pod: resources.Object) -> bool:
    """Its containers ended and will not be started again."""
    return phase(pod) in _TERMINAL


def is_terminating(pod: resources.Object) -> bool:
    """Somebody asked for its deletion."""
    return meta.is_deleting(pod)


def is_active(pod: resources.Object) -> bool:
    """It counts as a replica: neither ended nor being deleted."""
    return not is_terminal(pod) and not is_terminating(pod)


def timestamp(text: str | None) -> float | None:
    """An object's time; None when it is absent or unreadable."""
    try:
        return timestamps.parse_rfc3339(text) if text else None
    except ValueError:
        return None


def _ready_condition(pod: resources.Object) -> Mapping[str, Any]:
    return conditions.find((pod.get("status") or {}).get("conditions"), "Ready") or {}


def is_ready(pod: resources.Object) -> bool:
    """Its Ready condition is True."""
    return _ready_condition(pod).get("status") == "True"


def available_at(pod: resources.Object, min_ready_seconds: int) -> float | None:
    """When the pod counts as available: ready for ``min_ready_seconds`` without a break. None while it is not ready.

    A ready pod whose condition carries no time is available at once only when nothing has to be waited for, as in Kubernetes.
    """
    if not is_ready(pod):
        return None
    since = timestamp(_ready_condition(pod).get("lastTransitionTime"))
    if min_ready_seconds <= 0:
        return since or 0.0
    return None if since is None else since + min_ready_seconds


def is_available(pod: resources.Object, min_ready_seconds: int, now: float) -> bool:
    """Ready for long enough."""
    at = available_at(pod, min_ready_seconds)
    return at is not None and (min_ready_seconds <= 0 or at <= now)


def restarts(pod: resources.Object) -> int:
    """The highest restart count among its containers."""
    status = pod.get("status") or {}
    all_statuses = [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]
    return max((int(each.get("restartCount") or 0) for each in all_statuses), default=0)


def deletion_cost(pod: resources.Object) -> int:
    """The annotation ``controller.kubernetes.io/pod-deletion-cost``; absent or unreadable means 0."""
    text = meta.annotations(pod).get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0


@functools.total_ordering
@dataclasses.dataclass(frozen=True, slots=True)
class _Later:
    """Sorts the later time first; an unknown time counts as the latest."""

    time: float | None

    def __lt__(self, other: _Later) -> bool:
        if self.time is None or other.time is None:
            return self.time is None and other.time is not None
        return self.time > other.time


# The order in which replicas die; the first row that tells two pods apart decides.
#
#   dies first                     | lives on
#   1  no node assigned            | node assigned
#   2  phase Pending, then Unknown | phase Running
#   3  not ready                   | ready
#   4  lower deletion cost         | higher deletion cost
#   5  ready for a shorter time    | ready for longer
#   6  more restarts               | fewer restarts
#   7  created later               | created earlier
#   8  name later in the alphabet  | (only so that the order is total)
def _death_rank(pod: resources.Object) -> tuple[Any, ...]:
    ready = is_ready(pod)
    ready_since = timestamp(_ready_condition(pod).get("lastTransitionTime")) if ready else None
    return (
        bool((pod.get("spec") or {}).get("nodeName")),
        _PHASE_ORDER.get(phase(pod), 1),
        ready,
        deletion_cost(pod),
        _Later(ready_since) if ready else _Later(None),
        -restarts(pod),
        _Later(timestamp(meta.metadata(pod).get("creationTimestamp"))),
    )


def deletion_order(pods: Iterable[resources.Object]) -> list[resources.Object]:
    """``pods`` with those that a scale-down takes first in front."""
    by_name = sorted(pods, key=meta.name, reverse=True)
    return sorted(by_name, key=_death_rank)
