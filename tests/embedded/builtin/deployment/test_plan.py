from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.deployment import plan as planning
from brickyard.embedded.builtin.deployment import revisions, sizes
from brickyard.kube.objects import meta

NOW = testing.NOW


def owned(
    deployment: dict[str, Any], image: str, spec: int, available: int | None = None, revision: int = 1, **more: Any
) -> dict[str, Any]:
    """A ReplicaSet of the Deployment with that image; its pods are all there."""
    variant = {**deployment, "spec": {**deployment["spec"], "template": testing.template(image)}}
    desired = deployment["spec"]["replicas"]
    surge = sizes.limits(deployment).surge
    notes = {revisions.REVISION: str(revision), **revisions.size_notes(desired, desired + surge)}
    found = revisions.build(variant, spec, notes)
    found["metadata"] = testing.metadata(found["metadata"]["name"], 100 - revision) | found["metadata"] | more
    ready = spec if available is None else available
    found["status"] = {
        "replicas": spec,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "observedGeneration": 1,
    }
    return found


def rolling(replicas: int = 3, surge: Any = 1, unavailable: Any = 0, **spec: Any) -> dict[str, Any]:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return testing.deployment(replicas=replicas, image="web:2", strategy=strategy, **spec)


def recreate(replicas: int = 3, **spec: Any) -> dict[str, Any]:
    return testing.deployment(replicas=replicas, image="web:2", strategy={"type": "Recreate"}, **spec)


def step(deployment: dict[str, Any], *replica_sets: dict[str, Any], pods: Any = ()) -> planning.Plan:
    return planning.plan(planning.Snapshot(deployment, replica_sets, pods), NOW)


def resized(found: planning.Plan) -> dict[str, int]:
    return {
        each.replica_set["spec"]["template"]["spec"]["containers"][0]["image"]: each.replicas
        for each in found.update
        if each.replicas is not None
    }


def test_an_empty_selector_is_told_and_nothing_done() -> None:
    deployment = rolling(selector={})
    found = step(deployment)
    assert [event.reason for event in found.events] == ["SelectingAll"]
    assert found.create is None
    assert found.status == {"observedGeneration": 1}


def test_the_first_replica_set_has_all_replicas_and_the_first_revision() -> None:
    deployment = rolling(3)
    found = step(deployment)
    assert found.create is not None
    assert found.create["spec"]["replicas"] == 3
    assert found.create["metadata"]["annotations"] == {
        revisions.REVISION: "1",
        revisions.DESIRED: "3",
        revisions.MAX: "4",
    }
    assert found.revision == "1"
    (event,) = found.events
    assert event.message == f"Scaled up replica set {meta.name(found.create)} from 0 to 3"


def test_a_deployment_of_none_makes_its_replica_set_without_a_word() -> None:
    found = step(rolling(0))
    assert found.create is not None
    assert found.create["spec"]["replicas"] == 0
    assert found.events == ()


def test_orphans_are_taken_in_before_anything_else() -> None:
    deployment = rolling()
    orphan = owned(deployment, "web:2", 1)
    del orphan["metadata"]["ownerReferences"]
    found = step(deployment, orphan)
    assert found.claims.adopt == (orphan,)
    assert found.create is None
    assert found.update == ()


def test_a_dying_deployment_only_reports() -> None:
    deployment = rolling()
    deployment["metadata"]["deletionTimestamp"] = testing.ago(0)
    old = owned(deployment, "web:1", 3)
    found = step(deployment, old)
    assert (found.create, found.update, found.delete) == (None, (), ())
    assert found.status["availableReplicas"] == 3


# ------------------------------------------------------------------------------------------------------- rolling update


def test_a_new_template_makes_a_replica_set_of_the_size_there_is_room_for() -> None:
    deployment = rolling(3, surge=1)
    found = step(deployment, owned(deployment, "web:1", 3))
    assert found.create is not None
    assert found.create["spec"]["replicas"] == 1
    assert found.create["metadata"]["annotations"][revisions.REVISION] == "2"
    assert found.revision == "2"
    assert resized(found) == {}


@pytest.mark.parametrize(
    ("surge", "unavailable", "old", "new", "expected"),
    [
        # of 3; (told, available) of the old and the newest → who is resized to what
        (1, 0, (3, 3), (1, 0), {}),
        (1, 0, (3, 3), (1, 1), {"web:1": 2}),
        (1, 0, (2, 2), (1, 1), {"web:2": 2}),
        (1, 0, (1, 1), (3, 3), {"web:1": 0}),
        (1, 0, (3, 2), (1, 1), {"web:1": 2}),
        (0, 1, (3, 3), (0, 0), {"web:1": 2}),
        (0, 1, (2, 2), (0, 0), {"web:2": 1}),
        (0, 1, (2, 2), (1, 0), {}),
        (3, 0, (3, 3), (3, 2), {"web:1": 1}),
        (0, 3, (3, 3), (0, 0), {"web:1": 0}),
    ],
)
def test_one_move_a_pass(
    surge: int, unavailable: int, old: tuple[int, int], new: tuple[int, int], expected: dict[str, int]
) -> None:
    deployment = rolling(3, surge, unavailable)
    found = step(deployment, owned(deployment, "web:1", *old), owned(deployment, "web:2", *new, revision=2))
    assert resized(found) == expected
    assert [event.reason for event in found.events] == ["ScalingReplicaSet"] * len(expected)


def test_going_back_uses_the_replica_set_again_under_a_new_revision() -> None:
    deployment = rolling(3)
    back = owned(deployment, "web:2", 0, revision=1)
    found = step(deployment, back, owned(deployment, "web:3", 3, revision=2))
    (update,) = found.update
    assert update.replica_set is back
    assert update.replicas == 1
    assert update.annotations[revisions.REVISION] == "3"
    assert update.annotations[revisions.HISTORY] == "1"
    assert found.revision == "3"


def test_a_changed_min_ready_seconds_reaches_the_newest() -> None:
    deployment = rolling(3, minReadySeconds=9)
    new = owned(deployment, "web:2", 3)
    new["spec"]["minReadySeconds"] = 0
    (update,) = step(deployment, new).update
    assert update.min_ready_seconds == 9
    assert update.replicas is None
    assert update.patch()["spec"] == {"minReadySeconds": 9}


def test_a_change_cause_reaches_the_newest() -> None:
    deployment = rolling(3)
    deployment["metadata"]["annotations"] = {"kubernetes.io/change-cause": "because"}
    (update,) = step(deployment, owned(deployment, "web:2", 3)).update
    assert update.annotations == {"kubernetes.io/change-cause": "because"}
    assert "spec" not in update.patch()


def test_a_patch_is_good_for_the_version_it_was_planned_on_only() -> None:
    deployment = rolling(3)
    new = owned(deployment, "web:2", 1)
    new["metadata"]["resourceVersion"] = "42"
    (update,) = step(deployment, new).update
    assert update.patch()["metadata"]["resourceVersion"] == "42"
    assert update.patch()["metadata"]["uid"] == meta.uid(new)


# ------------------------------------------------------------------------------------------------------- change of size


def test_a_change_of_size_goes_to_the_only_replica_set() -> None:
    deployment = rolling(5)
    old = owned(deployment, "web:1", 3)
    old["metadata"]["annotations"] |= revisions.size_notes(3, 4)
    found = step(deployment, old)
    assert resized(found) == {"web:1": 5}
    assert found.create is None
    assert found.update[0].annotations == revisions.size_notes(5, 6)


def test_a_change_of_size_in_a_half_done_rollout_is_shared() -> None:
    deployment = rolling(15, surge=3)
    old, new = owned(deployment, "web:1", 8), owned(deployment, "web:2", 5, revision=2)
    for each in (old, new):
        each["metadata"]["annotations"] |= revisions.size_notes(10, 13)
    assert resized(step(deployment, old, new)) == {"web:1": 11, "web:2": 7}


def test_a_size_that_changed_to_what_it_was_renews_the_notes() -> None:
    deployment = rolling(3, surge=0, unavailable=1)
    new = owned(deployment, "web:2", 3)
    new["metadata"]["annotations"] |= revisions.size_notes(4, 4)
    found = step(deployment, new)
    assert resized(found) == {}
    assert found.update[0].annotations == revisions.size_notes(3, 3)


def test_a_carried_rollout_lets_the_old_go() -> None:
    deployment = rolling(3, paused=True)
    found = step(deployment, owned(deployment, "web:1", 2), owned(deployment, "web:2", 3, revision=2))
    assert resized(found) == {"web:1": 0}


def test_recreate_with_two_sizes_goes_on_instead_of_sharing() -> None:
    deployment = recreate(5)
    old, new = owned(deployment, "web:1", 2), owned(deployment, "web:2", 1, revision=2)
    for each in (old, new):
        each["metadata"]["annotations"] |= revisions.size_notes(3, 3)
    assert resized(step(deployment, old, new)) == {"web:1": 0}


# --------------------------------------------------------------------------------------------------------------- paused


def test_a_paused_deployment_makes_no_replica_set() -> None:
    deployment = rolling(3, paused=True)
    found = step(deployment, owned(deployment, "web:1", 3))
    assert found.create is None
    assert resized(found) == {}
    assert found.status["conditions"][0]["reason"] == "DeploymentPaused"


def test_a_paused_deployment_follows_its_size() -> None:
    deployment = rolling(5, paused=True)
    old = owned(deployment, "web:1", 3)
    assert resized(step(deployment, old)) == {"web:1": 5}


def test_a_paused_deployment_cleans_up() -> None:
    deployment = rolling(3, paused=True, revisionHistoryLimit=0)
    old, new = owned(deployment, "web:1", 0), owned(deployment, "web:2", 3, revision=2)
    assert step(deployment, old, new).delete == (old,)


# ------------------------------------------------------------------------------------------------------------- recreate


@pytest.mark.parametrize(
    ("old", "pod", "expected", "created"),
    [
        # old told, an old pod → who is resized, whether the new one is made
        (3, "Running", {"web:1": 0}, False),
        (0, "Running", {}, False),
        (0, "Pending", {}, False),
        (0, "leaving", {}, False),
        (0, "Failed", {}, True),
        (0, "", {}, True),
    ],
)
def test_recreate_waits_for_the_old_pods_to_end(old: int, pod: str, expected: dict[str, int], created: bool) -> None:
    deployment = recreate(3)
    before = owned(deployment, "web:1", old)
    leaving: dict[str, Any] = {"deletionTimestamp": testing.ago(1)} if pod == "leaving" else {}
    phase = "Running" if leaving else pod
    pods = [testing.pod(owner=before, phase=phase, **leaving)] if pod else []
    found = step(deployment, before, pods=pods)
    assert resized(found) == expected
    assert (found.create is not None) is created
    if found.create is not None:
        assert found.create["spec"]["replicas"] == 3


@pytest.mark.parametrize("status", [{"replicas": 1, "observedGeneration": 1}, {"observedGeneration": 0}, {}])
def test_recreate_believes_what_the_old_replica_set_reports_before_an_empty_cache(status: dict[str, int]) -> None:
    deployment = recreate(3)
    before = owned(deployment, "web:1", 0)
    before["status"] = status
    assert step(deployment, before).create is None


def test_recreate_ignores_pods_of_others() -> None:
    deployment = recreate(3)
    found = step(deployment, owned(deployment, "web:1", 0), pods=[testing.pod(owner=testing.replica_set("other"))])
    assert found.create is not None


def test_recreate_brings_the_newest_to_its_size() -> None:
    deployment = recreate(3)
    found = step(deployment, owned(deployment, "web:2", 0))
    assert resized(found) == {"web:2": 3}


# ------------------------------------------------------------------------------------------------------------- complete


def complete(deployment: dict[str, Any]) -> dict[str, Any]:
    size = deployment["spec"]["replicas"]
    deployment["status"] = {
        "observedGeneration": 1,
        "replicas": size,
        "updatedReplicas": size,
        "availableReplicas": size,
    }
    return deployment


@pytest.mark.parametrize("make", [rolling, recreate])
def test_a_complete_deployment_cleans_up(make: Any) -> None:
    deployment = complete(make(3, revisionHistoryLimit=1))
    olds = [owned(deployment, f"web:0.{index}", 0, revision=index) for index in (1, 2)]
    new = owned(deployment, "web:2", 3, revision=3)
    found = step(deployment, *olds, new)
    assert found.delete == (olds[0],)
    assert found.reason == "complete"


def test_an_incomplete_one_keeps_everything() -> None:
    deployment = rolling(3, revisionHistoryLimit=0)
    found = step(deployment, owned(deployment, "web:1", 0), owned(deployment, "web:2", 3, available=2, revision=2))
    assert found.delete == ()
    assert found.reason == "waiting for pods"


def test_at_rest_there_is_nothing_to_do() -> None:
    deployment = complete(rolling(3))
    deployment["metadata"]["annotations"] = {revisions.REVISION: "1"}
    new = owned(deployment, "web:2", 3)
    deployment["status"] = step(deployment, new).status
    found = step(deployment, new)
    assert (found.create, found.update, found.delete, found.revision, found.events) == (None, (), (), "", ())
    assert found.status == deployment["status"]
    assert found.requeue_after is None
