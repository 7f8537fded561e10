"""What a StatefulSet's status says. Pure; the numbers are those of the pods as they were before the pass acted."""

from __future__ import annotations

from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import podstate
from brickyard.embedded.builtin.statefulset import identity
from brickyard.embedded.builtin.statefulset import plan as planning
from brickyard.kube.objects import meta


def compute(stateful_set: resources.Object, step: planning.Plan, now: float) -> dict[str, Any]:
    """The whole status. A rolling update that has reached every pod makes its revision the current one."""
    pods = step.pods
    delay = int(stateful_set["spec"].get("minReadySeconds") or 0)
    ready = [pod for pod in pods if podstate.phase(pod) == "Running" and podstate.is_ready(pod)]
    staying = [identity.revision_of(pod) for pod in pods if not podstate.is_terminating(pod)]
    current, update = meta.name(step.revisions.current), meta.name(step.revisions.update)
    updated = staying.count(update)
    if planning.rolls(stateful_set) and updated == len(pods) == len(ready) and updated == identity.wanted(stateful_set):
        current = update
    status: dict[str, Any] = {
        "observedGeneration": meta.generation(stateful_set),
        "replicas": len(pods),
        "readyReplicas": len(ready),
        "availableReplicas": sum(podstate.is_available(pod, delay, now) for pod in ready),
        "currentReplicas": staying.count(current),
        "updatedReplicas": updated,
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": int((stateful_set.get("status") or {}).get("collisionCount") or 0),
    }
    kept = ("replicas", "availableReplicas", "collisionCount", "observedGeneration")
    told = {key: value for key, value in status.items() if value or key in kept}
    conditions = (stateful_set.get("status") or {}).get("conditions")
    return {**told, "conditions": conditions} if conditions else told
