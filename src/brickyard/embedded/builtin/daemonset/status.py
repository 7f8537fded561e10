"""What a DaemonSet's status says. Pure; the numbers are those of the pods as they were before the pass acted."""

from __future__ import annotations

from typing import Any

from brickyard.api import names as keys
from brickyard.embedded.builtin import podstate
from brickyard.embedded.builtin.daemonset import plan as planning
from brickyard.kube.objects import meta


def compute(daemon_set: dict[str, Any], step: planning.Plan, now: float) -> dict[str, Any]:
    """The whole status. Nodes are counted, not pods: one with two pods, during an update, counts once."""
    delay = int(daemon_set["spec"].get("minReadySeconds") or 0)
    digest = meta.labels(step.revisions.update)[keys.CONTROLLER_HASH]
    found = step.by_node.values()
    available = sum(any(podstate.is_available(pod, delay, now) for pod in pods) for pods in found)
    numbers = {
        "updatedNumberScheduled": sum(any(planning.is_updated(pod, digest) for pod in pods) for pods in found),
        "numberAvailable": available,
        "numberUnavailable": len(step.by_node) - available,
    }
    before = daemon_set.get("status") or {}
    kept = {key: before[key] for key in ("conditions", "collisionCount") if before.get(key)}
    return {
        "currentNumberScheduled": sum(bool(pods) for pods in found),
        "numberMisscheduled": step.misplaced,
        "desiredNumberScheduled": len(step.by_node),
        "numberReady": sum(any(podstate.is_ready(pod) for pod in pods) for pods in found),
        "observedGeneration": meta.generation(daemon_set),
        **{key: number for key, number in numbers.items() if number},
        **kept,
    }
