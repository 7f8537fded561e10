from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.deployment import status

NOW = testing.NOW


def counted(name: str, spec: int = 0, *, actual: int = 0, ready: int = 0, available: int = 0) -> dict[str, Any]:
    found = testing.replica_set(name, spec)
    found["status"] = {"replicas": actual, "readyReplicas": ready, "availableReplicas": available}
    return found


def full(name: str, size: int) -> dict[str, Any]:
    return counted(name, size, actual=size, ready=size, available=size)


def progressing(reason: str, value: str = "True", age: float = 30, message: str = "") -> dict[str, Any]:
    stamp = testing.ago(age)
    return {
        "type": "Progressing",
        "status": value,
        "reason": reason,
        "message": message,
        "lastUpdateTime": stamp,
        "lastTransitionTime": stamp,
    }


def deployment(*conditions: dict[str, Any], replicas: int = 3, **spec: Any) -> dict[str, Any]:
    found = testing.deployment(replicas=replicas, **spec)
    found["status"] = {"conditions": list(conditions)}
    return found


def view(found: dict[str, Any], new: dict[str, Any] | None, *old: dict[str, Any], **more: bool) -> status.View:
    return status.View(found, new, old, **more)


def judged(seen: status.View) -> Mapping[str, Any]:
    condition = status.find(status.compute(seen, NOW), "Progressing")
    assert condition is not None
    return condition


def test_each_number_counts_its_own() -> None:
    found = status.compute(
        view(
            deployment(),
            counted("new", 2, actual=2, ready=1, available=1),
            counted("old", 3, actual=4, ready=3, available=2),
        ),
        NOW,
    )
    numbers = {key: value for key, value in found.items() if key != "conditions"}
    assert numbers == {
        "observedGeneration": 1,
        "replicas": 6,
        "updatedReplicas": 2,
        "readyReplicas": 4,
        "availableReplicas": 3,
        "unavailableReplicas": 2,
    }


def test_zeros_are_left_out() -> None:
    found = status.compute(view(deployment(replicas=0), None), NOW)
    assert set(found) == {"observedGeneration", "conditions"}


@pytest.mark.parametrize(
    ("available", "unavailable", "value", "reason"),
    [
        (3, 0, "True", "MinimumReplicasAvailable"),
        (2, 0, "False", "MinimumReplicasUnavailable"),
        (2, 1, "True", "MinimumReplicasAvailable"),
        (1, 1, "False", "MinimumReplicasUnavailable"),
    ],
)
def test_available_means_all_but_as_many_as_may_be_missing(
    available: int, unavailable: int, value: str, reason: str
) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": unavailable}}
    seen = view(deployment(strategy=strategy), counted("new", 3, actual=3, available=available))
    condition = status.find(status.compute(seen, NOW), "Available")
    assert condition is not None
    assert (condition["status"], condition["reason"]) == (value, reason)
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"] == testing.ago(0)


# ---------------------------------------------------------------------------------------------------------- Progressing

WAITING = counted("new", 3, actual=1)

ROWS = [
    # conditions before, what is seen → status, reason, renewed
    pytest.param([], {"created": True}, counted("new", 3), ("True", "NewReplicaSetCreated", True), id="created"),
    pytest.param(
        [progressing("NewReplicaSetAvailable")],
        {"created": True},
        counted("new", 3),
        ("True", "NewReplicaSetCreated", True),
        id="created again",
    ),
    pytest.param([], {}, counted("new", 3), ("True", "FoundNewReplicaSet", True), id="found"),
    pytest.param([], {}, full("new", 3), ("True", "NewReplicaSetAvailable", True), id="complete"),
    pytest.param(
        [progressing("ReplicaSetUpdated")], {}, full("new", 3), ("True", "NewReplicaSetAvailable", True), id="done"
    ),
    pytest.param(
        [progressing("NewReplicaSetAvailable")],
        {},
        full("new", 3),
        ("True", "NewReplicaSetAvailable", False),
        id="still complete",
    ),
    pytest.param(
        [progressing("NewReplicaSetAvailable")],
        {},
        counted("new", 3, actual=3),
        ("True", "NewReplicaSetAvailable", False),
        id="complete, and then a pod broke",
    ),
    pytest.param(
        [progressing("ReplicaSetUpdated")], {}, WAITING, ("True", "ReplicaSetUpdated", True), id="one more updated"
    ),
    pytest.param(
        [progressing("ReplicaSetUpdated", age=601)],
        {},
        counted("new", 3),
        ("False", "ProgressDeadlineExceeded", True),
        id="overdue",
    ),
    pytest.param(
        [progressing("ReplicaSetUpdated", age=599)],
        {},
        counted("new", 3),
        ("True", "ReplicaSetUpdated", False),
        id="not overdue yet",
    ),
    pytest.param(
        [progressing("ProgressDeadlineExceeded", "False")],
        {},
        WAITING,
        ("True", "ReplicaSetUpdated", True),
        id="overdue, and then it moved",
    ),
    pytest.param(
        [progressing("DeploymentPaused", "Unknown", age=9000)],
        {},
        counted("new", 3),
        ("Unknown", "DeploymentResumed", True),
        id="resumed: the deadline starts anew",
    ),
]


@pytest.mark.parametrize(("before", "flags", "new", "expected"), ROWS)
def test_progressing(
    before: list[dict[str, Any]], flags: dict[str, bool], new: dict[str, Any], expected: tuple[str, str, bool]
) -> None:
    condition = judged(view(deployment(*before), new, **flags))
    assert (condition["status"], condition["reason"], condition["lastUpdateTime"] == testing.ago(0)) == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("NewReplicaSetAvailable", "DeploymentPaused"),
        ("DeploymentPaused", "DeploymentPaused"),
        ("ProgressDeadlineExceeded", "ProgressDeadlineExceeded"),
    ],
)
def test_a_pause_is_told_unless_the_rollout_had_failed(reason: str, expected: str) -> None:
    seen = view(deployment(progressing(reason), paused=True), counted("new", 3), rolling=False)
    assert judged(seen)["reason"] == expected


@pytest.mark.parametrize("seconds", [None, status.NO_DEADLINE])
def test_without_deadline_there_is_no_such_condition(seconds: int | None) -> None:
    found = deployment(progressing("ReplicaSetUpdated"), progressDeadlineSeconds=seconds)
    after = status.compute(view(found, counted("new", 3)), NOW)
    assert status.find(after, "Progressing") is None
    assert status.find(after, "Available") is not None


def test_the_messages_are_kubernetes_own() -> None:
    assert judged(view(deployment(), WAITING, created=True))["message"] == 'ReplicaSet "new" is progressing.'
    created = judged(view(deployment(), counted("new", 3), created=True))
    assert created["message"] == 'Created new replica set "new"'
    done = judged(view(deployment(), full("new", 3)))
    assert done["message"] == 'ReplicaSet "new" has successfully progressed.'
    late = judged(view(deployment(progressing("ReplicaSetUpdated", age=700)), counted("new", 3)))
    assert late["message"] == 'ReplicaSet "new" has timed out progressing.'


def test_while_it_goes_on_the_transition_time_stays() -> None:
    condition = judged(view(deployment(progressing("ReplicaSetUpdated", age=50)), WAITING))
    assert condition["lastTransitionTime"] == testing.ago(50)
    assert condition["lastUpdateTime"] == testing.ago(0)


def test_a_change_of_size_is_not_judged() -> None:
    seen = view(deployment(progressing("ReplicaSetUpdated", age=700)), counted("new", 3), rolling=False)
    assert judged(seen)["reason"] == "ReplicaSetUpdated"


def test_computing_again_changes_nothing() -> None:
    seen = view(deployment(progressing("ReplicaSetUpdated")), WAITING, full("old", 2))
    first = status.compute(seen, NOW)
    again = dataclasses.replace(seen, deployment={**seen.deployment, "status": first})
    assert status.compute(again, NOW + 100) == first


def test_fewer_old_pods_are_progress() -> None:
    found = deployment(progressing("ReplicaSetUpdated"))
    found["status"] |= {"replicas": 4, "updatedReplicas": 1}
    seen = view(found, counted("new", 3, actual=1), counted("old", 2, actual=2))
    assert judged(seen)["lastUpdateTime"] == testing.ago(0)


# --------------------------------------------------------------------------------------------------------------- others


def failing(name: str, message: str) -> dict[str, Any]:
    found = counted(name)
    found["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    ]
    return found


def test_the_newest_replica_sets_failure_is_told() -> None:
    found = status.compute(view(deployment(), failing("new", "quota"), failing("old", "other")), NOW)
    condition = status.find(found, "ReplicaFailure")
    assert condition is not None
    assert (condition["reason"], condition["message"]) == ("FailedCreate", "quota")


def test_an_old_ones_failure_is_told_too_and_forgotten_when_it_ends() -> None:
    before = status.compute(view(deployment(), full("new", 3), failing("old", "other")), NOW)
    assert status.find(before, "ReplicaFailure") is not None
    healed = deployment()
    healed["status"] = before
    assert status.find(status.compute(view(healed, full("new", 3)), NOW), "ReplicaFailure") is None


def test_a_refused_replica_set_is_told() -> None:
    condition = status.find(status.creation_failed({}, "web-1", "no room", NOW), "Progressing")
    assert condition is not None
    assert (condition["status"], condition["reason"]) == ("False", "ReplicaSetCreateError")
    assert condition["message"] == 'Failed to create new replica set "web-1": no room'


def test_collisions_are_counted() -> None:
    assert status.collided({})["collisionCount"] == 1
    assert status.collided({"collisionCount": 1})["collisionCount"] == 2


@pytest.mark.parametrize(
    ("conditions", "spec", "expected"),
    [
        ([progressing("ReplicaSetUpdated", age=100)], {}, 501.0),
        ([progressing("ReplicaSetUpdated", age=700)], {}, 1.0),
        ([progressing("NewReplicaSetAvailable")], {}, None),
        ([progressing("ProgressDeadlineExceeded", "False")], {}, None),
        ([progressing("DeploymentPaused", "Unknown")], {"paused": True}, None),
        ([progressing("ReplicaSetUpdated")], {"progressDeadlineSeconds": None}, None),
        ([], {}, None),
    ],
)
def test_it_looks_again_when_the_deadline_is_over(
    conditions: list[dict[str, Any]], spec: dict[str, Any], expected: float | None
) -> None:
    found = deployment(*conditions, **spec)
    assert status.deadline_in(found, found["status"], NOW) == expected


@pytest.mark.parametrize(
    ("changes", "complete"),
    [
        ({}, True),
        ({"updatedReplicas": 2}, False),
        ({"replicas": 4}, False),
        ({"availableReplicas": 2}, False),
        ({"observedGeneration": 0}, False),
    ],
)
def test_complete_means_all_and_only_new_and_available(changes: dict[str, int], complete: bool) -> None:
    numbers = {"updatedReplicas": 3, "replicas": 3, "availableReplicas": 3, "observedGeneration": 1, **changes}
    assert status.is_complete(deployment(), numbers) is complete
