from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.builtin import revisions, testing
from brickyard.embedded.builtin.statefulset import identity, status
from brickyard.embedded.builtin.statefulset import plan as planning
from brickyard.kube.objects import meta

NOW = testing.NOW


def fleet(body: dict[str, Any], *images: str, **more: Any) -> list[dict[str, Any]]:
    found = []
    for number, image in enumerate(images):
        then = {**body, "spec": {**body["spec"], "template": testing.template(image)}}
        made = revisions.choose(then, []).update
        labels = identity.build(body, revisions.template(made), meta.name(made), number)["metadata"]["labels"]
        found.append(testing.pod(f"web-{number}", owner=body, labels=labels, **more))
    return found


def told(body: dict[str, Any], pods: list[dict[str, Any]], history: list[dict[str, Any]]) -> dict[str, Any]:
    step = planning.plan(planning.Snapshot(body, pods, history), NOW)
    return status.compute(body, step, NOW)


def history(body: dict[str, Any], *images: str) -> list[dict[str, Any]]:
    found = []
    for number, image in enumerate(images, 1):
        then = {**body, "spec": {**body["spec"], "template": testing.template(image)}}
        found.append({**revisions.choose(then, []).update, "revision": number})
    return found


def test_a_new_set_says_so() -> None:
    body = testing.stateful_set()
    found = told(body, [], [])
    assert found["currentRevision"] == found["updateRevision"]
    assert (found["replicas"], found["availableReplicas"], found["observedGeneration"]) == (0, 0, 1)
    assert "readyReplicas" not in found


def test_all_there() -> None:
    body = testing.stateful_set(replicas=2)
    found = told(body, fleet(body, "web:1", "web:1"), history(body, "web:1"))
    numbers = ("replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas")
    assert [found[key] for key in numbers] == [2] * 5


def test_half_way_through_an_update() -> None:
    body = testing.stateful_set(replicas=2, image="web:2")
    known = history(body, "web:1", "web:2")
    body["status"] = {"currentRevision": meta.name(known[0])}
    found = told(body, fleet(body, "web:1", "web:2"), known)
    assert (found["currentReplicas"], found["updatedReplicas"]) == (1, 1)
    assert (found["currentRevision"], found["updateRevision"]) == (meta.name(known[0]), meta.name(known[1]))


@pytest.mark.parametrize(
    ("strategy", "ready", "moves_on"),
    [("RollingUpdate", True, True), ("RollingUpdate", False, False), ("OnDelete", True, False)],
)
def test_the_end_of_an_update_makes_its_revision_current(strategy: str, ready: bool, moves_on: bool) -> None:
    body = testing.stateful_set(replicas=2, image="web:2", updateStrategy={"type": strategy})
    known = history(body, "web:1", "web:2")
    body["status"] = {"currentRevision": meta.name(known[0])}
    found = told(body, fleet(body, "web:2", "web:2", ready=ready), known)
    assert (found["currentRevision"] == meta.name(known[1])) is moves_on
    assert found.get("currentReplicas", 0) == (2 if moves_on else 0)


def test_pods_that_are_leaving_belong_to_no_revision() -> None:
    body = testing.stateful_set(replicas=1)
    pods = fleet(body, "web:1", deletionTimestamp=testing.ago(1))
    found = told(body, pods, history(body, "web:1"))
    assert found["replicas"] == 1
    assert "currentReplicas" not in found
    assert "updatedReplicas" not in found


def test_not_available_before_min_ready_seconds() -> None:
    body = testing.stateful_set(replicas=1, minReadySeconds=30)
    found = told(body, fleet(body, "web:1", ready_for=5), history(body, "web:1"))
    assert (found["readyReplicas"], found["availableReplicas"]) == (1, 0)


def test_conditions_of_others_survive() -> None:
    body = testing.stateful_set()
    body["status"] = {"conditions": [{"type": "Theirs", "status": "True"}], "collisionCount": 2}
    found = told(body, [], [])
    assert found["conditions"] == [{"type": "Theirs", "status": "True"}]
    assert found["collisionCount"] == 2
