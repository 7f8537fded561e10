"""When a node's agent counts as gone, and what is said of the node then. Pure.

    last sign of life                                     Ready        next look
    at most 50 s ago                                      as it says   50 s after it
    longer ago                                            Unknown      when something changes

A sign of life is the lease, which the agent renews every ten seconds, or the heartbeat in the node's status, whichever is later: they
are watched apart, and a status that has just been written must not be judged by a lease of yesterday. Of a node without either it is its
making. The node is not tainted and its pods stay as they are: there is no other machine to go to, and containers outlive their agent.
"""

from __future__ import annotations

import dataclasses

from brickyard.api.kinds import resources
from brickyard.kube.objects import conditions, paths
from brickyard.lib import timestamps

GRACE = 50.0
"""Seconds of silence, as long as Kubernetes waits."""
AGENTS_OWN = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
REASON = "NodeStatusUnknown"


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """New conditions, None where they may stay; when to look again."""

    conditions: list[resources.Object] | None = None
    requeue_after: float | None = None


def plan(node: resources.Object, lease: resources.Object | None, now: float) -> Plan:
    """What is to be said of ``node``. ``lease`` is its own, None where there is none; ``now`` in Unix seconds."""
    left = _sign_of_life(node, lease) + GRACE - now
    if left >= 0:
        return Plan(requeue_after=left + 1.0)
    told = (node.get("status") or {}).get("conditions")
    ready = conditions.find(told, "Ready")
    if ready is not None and ready.get("status") == "Unknown":
        return Plan()
    for kind in AGENTS_OWN:
        if kind == "Ready" or conditions.find(told, kind) is not None:
            unknown = conditions.Condition(kind, "Unknown", REASON, "Kubelet stopped posting node status.")
            told = conditions.set_condition(told, unknown, timestamps.rfc3339(now))
    return Plan(list(told or ()))


def _sign_of_life(node: resources.Object, lease: resources.Object | None) -> float:
    ready = conditions.find((node.get("status") or {}).get("conditions"), "Ready") or {}
    told = [paths.get(lease or {}, "spec.renewTime"), ready.get("lastHeartbeatTime")]
    texts = list(filter(None, told)) or list(filter(None, [node["metadata"].get("creationTimestamp")]))
    return max(map(timestamps.parse_rfc3339, texts), default=0.0)
