"""What a ReplicaSet's status says. Pure; the numbers are those of the pods as they were before the pass acted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import podstate
from brickyard.embedded.builtin.replicaset import plan as planning
from brickyard.kube.objects import conditions, meta
from brickyard.lib import timestamps

REPLICA_FAILURE = "ReplicaFailure"
FAILED_CREATE = "FailedCreate"
FAILED_DELETE = "FailedDelete"


def compute(
    replica_set: resources.Object, step: planning.Plan, now: float, failure: tuple[str, str] | None = None
) -> dict[str, Any]:
    """The whole status. ``failure`` is the (reason, message) of a creation or deletion that the API refused in this pass.

    ``replicas``, ``fullyLabeledReplicas``, ``readyReplicas`` and ``availableReplicas`` count active pods; zeros are left out, but for
    ``replicas``, as Kubernetes leaves them out.
    """
    numbers = {
        "fullyLabeledReplicas": _fully_labeled(replica_set, step.active),
        "readyReplicas": sum(map(podstate.is_ready, step.active)),
        "availableReplicas": _available(replica_set, step.active, now),
        "terminatingReplicas": step.terminating,
    }
    status: dict[str, Any] = {
        "observedGeneration": meta.generation(replica_set),
        "replicas": len(step.active),
        **{key: number for key, number in numbers.items() if number},
    }
    told = _conditions((replica_set.get("status") or {}).get("conditions"), failure, now)
    return {**status, "conditions": told} if told else status


def _fully_labeled(replica_set: resources.Object, pods: Sequence[resources.Object]) -> int:
    labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return sum(labels.items() <= meta.labels(pod).items() for pod in pods)


def _available(replica_set: resources.Object, pods: Sequence[resources.Object], now: float) -> int:
    delay = int(replica_set["spec"].get("minReadySeconds") or 0)
    return sum(podstate.is_available(pod, delay, now) for pod in pods)


def _conditions(
    before: Sequence[resources.Object] | None, failure: tuple[str, str] | None, now: float
) -> list[resources.Object]:
    if failure is None:
        return conditions.remove(before, REPLICA_FAILURE)
    failed = conditions.Condition(REPLICA_FAILURE, "True", *failure)
    return conditions.set_condition(before, failed, timestamps.rfc3339(now))
