"""What a Deployment's status says: the numbers and conditions that ``kubectl rollout status`` and ``kubectl wait`` read.

Reasons and messages are Kubernetes' own. The Progressing condition, judged when a rollout (not a mere change of size) went on:

    | seen                                             | status  | reason                   | lastUpdateTime |
    |--------------------------------------------------|---------|--------------------------|----------------|
    | no progressDeadlineSeconds                       | (the condition is removed)                          |
    | the ReplicaSet was created by this pass          | True    | NewReplicaSetCreated     | now            |
    | no condition yet, the ReplicaSet exists          | True    | FoundNewReplicaSet       | now            |
    | complete                                         | True    | NewReplicaSetAvailable   | now            |
    | more updated, ready or available; fewer old pods | True    | ReplicaSetUpdated        | now            |
    | none of these for progressDeadlineSeconds        | False   | ProgressDeadlineExceeded | now            |
    | paused                                           | Unknown | DeploymentPaused         | now            |
    | no longer paused                                 | Unknown | DeploymentResumed        | now            |
    | the ReplicaSet cannot be created                 | False   | ReplicaSetCreateError    | now            |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import podstate
from brickyard.embedded.builtin.deployment import sizes
from brickyard.kube.objects import conditions, meta
from brickyard.lib import timestamps

PROGRESSING = "Progressing"
AVAILABLE = "Available"
REPLICA_FAILURE = "ReplicaFailure"

CREATED = "NewReplicaSetCreated"
FOUND = "FoundNewReplicaSet"
UPDATED = "ReplicaSetUpdated"
COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"
CREATE_ERROR = "ReplicaSetCreateError"

NO_DEADLINE = 2**31 - 1
"""A ``progressDeadlineSeconds`` that means none."""

Status = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """What the status is computed from. ``new`` may be ``created`` by this very pass and carry no status of its own yet."""

    deployment: resources.Object
    new: resources.Object | None
    old: tuple[resources.Object, ...]
    created: bool = False
    rolling: bool = True

    @property
    def every(self) -> tuple[resources.Object, ...]:
        return self.old if self.new is None else (*self.old, self.new)

    @property
    def subject(self) -> str:
        """What messages about progress speak of."""
        if self.new is None:
            return f'Deployment "{meta.name(self.deployment)}"'
        return f'ReplicaSet "{meta.name(self.new)}"'


def find(status: Status, kind: str) -> Mapping[str, Any] | None:
    """The condition of that type."""
    return conditions.find(status.get("conditions"), kind)


def _without(status: Status, kind: str) -> Status:
    return {**status, "conditions": conditions.remove(status.get("conditions"), kind)}


def _with(status: Status, new: conditions.Condition, now: float, *, touch: bool = False) -> Status:
    """``status`` with the condition. Its lastUpdateTime moves when it says something else than before, or by ``touch``."""
    known = find(status, new.type) or {}
    if not touch and (known.get("status"), known.get("reason"), known.get("message")) == (
        new.status,
        new.reason,
        new.message,
    ):
        return status
    stamp = timestamps.rfc3339(now)
    told = conditions.set_condition(status.get("conditions"), new, stamp)
    return {**status, "conditions": [_stamped(each, stamp) if each["type"] == new.type else each for each in told]}


def _stamped(condition: resources.Object, stamp: str) -> resources.Object:
    return {**condition, "lastUpdateTime": stamp}


def _sum(replica_sets: Iterable[resources.Object], field: str) -> int:
    return sum(int((each.get("status") or {}).get(field) or 0) for each in replica_sets)


def _numbers(view: View) -> Status:
    available = _sum(view.every, "availableReplicas")
    return {
        "observedGeneration": meta.generation(view.deployment),
        "replicas": _sum(view.every, "replicas"),
        "updatedReplicas": 0 if view.new is None else _sum([view.new], "replicas"),
        "readyReplicas": _sum(view.every, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sizes.total(view.every) - available),
        "terminatingReplicas": _sum(view.every, "terminatingReplicas"),
    }


def _availability(view: View, available: int) -> conditions.Condition:
    needed = sizes.wanted(view.deployment) - sizes.limits(view.deployment).unavailable
    if available >= needed:
        message = "Deployment has minimum availability."
        return conditions.Condition(AVAILABLE, "True", "MinimumReplicasAvailable", message)
    message = "Deployment does not have minimum availability."
    return conditions.Condition(AVAILABLE, "False", "MinimumReplicasUnavailable", message)


def deadline(deployment: resources.Object) -> int | None:
    """``spec.progressDeadlineSeconds``; None where a rollout may take for ever."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds is None or int(seconds) == NO_DEADLINE else int(seconds)


def is_complete(deployment: resources.Object, status: Status) -> bool:
    """Every pod is of the newest template and available, and there are no others."""
    goal = sizes.wanted(deployment)
    counts = [int(status.get(field) or 0) for field in ("updatedReplicas", "replicas", "availableReplicas")]
    seen = int(status.get("observedGeneration") or 0) >= meta.generation(deployment)
    return seen and all(count == goal for count in counts)


def _has_progressed(before: Status, after: Status) -> bool:
    def grew(field: str) -> bool:
        return int(after.get(field) or 0) > int(before.get(field) or 0)

    def old_pods(status: Status) -> int:
        return int(status.get("replicas") or 0) - int(status.get("updatedReplicas") or 0)

    return any(map(grew, ("updatedReplicas", "readyReplicas", "availableReplicas"))) or old_pods(after) < old_pods(
        before
    )


def _is_overdue(current: Mapping[str, Any] | None, seconds: int, now: float) -> bool:
    if current is None or current["reason"] in (COMPLETE, TIMED_OUT):
        return current is not None and current["reason"] == TIMED_OUT
    since = podstate.timestamp(current.get("lastUpdateTime"))
    return since is not None and since + seconds < now


def _announced(view: View, status: Status, now: float) -> Status:
    """``status`` with the Progressing condition that an appearing ReplicaSet, a pause or its end brings."""
    current = find(status, PROGRESSING)
    paused = bool(view.deployment["spec"].get("paused"))
    reason = current["reason"] if current is not None else ""
    if paused and reason not in (PAUSED, TIMED_OUT):
        return _with(status, conditions.Condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused"), now)
    if not paused and reason == PAUSED:
        return _with(status, conditions.Condition(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed"), now)
    if view.new is not None and view.created:
        message = f'Created new replica set "{meta.name(view.new)}"'
        return _with(status, conditions.Condition(PROGRESSING, "True", CREATED, message), now)
    if view.new is not None and current is None:
        message = f'Found new replica set "{meta.name(view.new)}"'
        return _with(status, conditions.Condition(PROGRESSING, "True", FOUND, message), now)
    return status


def _judged(view: View, status: Status, seconds: int, now: float) -> Status:
    """``status`` with the Progressing condition that the numbers call for."""
    current = find(status, PROGRESSING)
    finished = current is not None and current["reason"] == COMPLETE
    if finished and status["replicas"] == status["updatedReplicas"]:
        return status
    if is_complete(view.deployment, status):
        message = f"{view.subject} has successfully progressed."
        return _with(status, conditions.Condition(PROGRESSING, "True", COMPLETE, message), now)
    if _has_progressed(view.deployment.get("status") or {}, status):
        return _progressed(view, status, now)
    if _is_overdue(current, seconds, now):
        message = f"{view.subject} has timed out progressing."
        return _with(status, conditions.Condition(PROGRESSING, "False", TIMED_OUT, message), now)
    return status


def _progressed(view: View, status: Status, now: float) -> Status:
    """Each step forward renews lastUpdateTime: the deadline counts from the last one."""
    moving = conditions.Condition(PROGRESSING, "True", UPDATED, f"{view.subject} is progressing.")
    return _with(status, moving, now, touch=True)


def _failure(view: View) -> conditions.Condition | None:
    """The ReplicaFailure of the newest ReplicaSet, else of an old one."""
    newest_first = ([] if view.new is None else [view.new]) + list(view.old)
    found = (find(each.get("status") or {}, REPLICA_FAILURE) for each in newest_first)
    failed = next((each for each in found if each is not None and each["status"] == "True"), None)
    if failed is None:
        return None
    return conditions.Condition(REPLICA_FAILURE, "True", failed.get("reason", ""), failed.get("message", ""))


def compute(view: View, now: float) -> Status:
    """The whole status, from the numbers of the ReplicaSets and the conditions the Deployment already has."""
    before: Status = dict(view.deployment.get("status") or {})
    status = {**before, **_numbers(view), "conditions": list(before.get("conditions") or [])}
    seconds = deadline(view.deployment)
    status = _without(status, PROGRESSING) if seconds is None else _announced(view, status, now)
    status = _with(status, _availability(view, status["availableReplicas"]), now)
    if view.rolling:
        if seconds is not None:
            status = _judged(view, status, seconds, now)
        failed = _failure(view)
        status = _without(status, REPLICA_FAILURE) if failed is None else _with(status, failed, now)
    return {key: value for key, value in status.items() if value != 0 or key == "observedGeneration"}


def creation_failed(status: Status, name: str, message: str, now: float) -> Status:
    """``status`` after the API refused the ReplicaSet ``name``."""
    text = f'Failed to create new replica set "{name}": {message}'
    return _with(status, conditions.Condition(PROGRESSING, "False", CREATE_ERROR, text), now)


def collided(status: Status) -> Status:
    """``status`` after the ReplicaSet's name turned out to belong to somebody else: the next hash is another one."""
    return {**status, "collisionCount": int(status.get("collisionCount") or 0) + 1}


def deadline_in(deployment: resources.Object, status: Status, now: float) -> float | None:
    """Seconds until the rollout is overdue unless something moves; None when nothing has to be waited for."""
    seconds = deadline(deployment)
    current = find(status, PROGRESSING)
    if seconds is None or current is None or deployment["spec"].get("paused"):
        return None
    if current["reason"] in (COMPLETE, TIMED_OUT) or is_complete(deployment, status):
        return None
    since = podstate.timestamp(current.get("lastUpdateTime"))
    # A second more than the deadline, for timestamps are whole seconds.
    return None if since is None else max(0.0, since + seconds - now) + 1.0
