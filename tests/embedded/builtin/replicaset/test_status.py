from __future__ import annotations

from typing import Any

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.replicaset import plan as planning
from brickyard.embedded.builtin.replicaset import status

NOW = testing.NOW


def compute(owner: dict[str, Any], *pods: dict[str, Any], failure: tuple[str, str] | None = None) -> dict[str, Any]:
    found = planning.plan(planning.Snapshot(owner, pods), NOW)
    return status.compute(owner, found, NOW, failure)


def test_each_number_counts_its_own() -> None:
    owner = testing.replica_set(replicas=5, template=testing.template(tier="front"), minReadySeconds=10)
    labels = {"app": "web", "tier": "front"}
    pods = [
        testing.pod("available", owner=owner, ready_for=10, labels=labels),
        testing.pod("ready", owner=owner, ready_for=9, labels=labels),
        testing.pod("running", owner=owner, ready=False, labels=labels),
        testing.pod("half-labelled", owner=owner, ready=False),
        testing.pod("failed", owner=owner, phase="Failed"),
        testing.pod("dying", owner=owner, deletionTimestamp=testing.ago(1)),
    ]
    assert compute(owner, *pods) == {
        "observedGeneration": 1,
        "replicas": 4,
        "fullyLabeledReplicas": 3,
        "readyReplicas": 2,
        "availableReplicas": 1,
        "terminatingReplicas": 1,
    }


def test_zeros_are_left_out_but_for_replicas() -> None:
    assert compute(testing.replica_set(replicas=0)) == {"observedGeneration": 1, "replicas": 0}


def test_a_refused_creation_is_told_until_one_succeeds() -> None:
    owner = testing.replica_set()
    failed = compute(owner, failure=("FailedCreate", "quota"))
    (condition,) = failed["conditions"]
    assert condition == {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": "quota",
        "lastTransitionTime": testing.ago(0),
    }
    owner["status"] = failed
    assert "conditions" not in compute(owner)


def test_a_failure_that_lasts_keeps_its_time() -> None:
    owner = testing.replica_set()
    owner["status"] = {
        "conditions": [{"type": "ReplicaFailure", "status": "True", "lastTransitionTime": testing.ago(50)}]
    }
    (condition,) = compute(owner, failure=("FailedCreate", "quota"))["conditions"]
    assert condition["lastTransitionTime"] == testing.ago(50)
