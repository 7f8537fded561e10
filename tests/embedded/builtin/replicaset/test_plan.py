from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin import podstate, testing
from brickyard.embedded.builtin.replicaset import plan as planning
from brickyard.kube.objects import meta, names, owners

NOW = testing.NOW


def step(replica_set: dict[str, Any], *pods: dict[str, Any], **more: Any) -> planning.Plan:
    return planning.plan(planning.Snapshot(replica_set, pods, **more), NOW)


def fleet(owner: dict[str, Any], count: int, **more: Any) -> list[dict[str, Any]]:
    return [testing.pod(f"web-{index}", owner=owner, **more) for index in range(count)]


@pytest.mark.parametrize(
    ("wanted", "present", "created", "deleted"),
    [(3, 0, 3, 0), (3, 1, 2, 0), (3, 3, 0, 0), (1, 3, 0, 2), (0, 2, 0, 2), (0, 0, 0, 0)],
)
def test_the_difference_is_made_or_deleted(wanted: int, present: int, created: int, deleted: int) -> None:
    owner = testing.replica_set(replicas=wanted)
    found = step(owner, *fleet(owner, present))
    assert (len(found.create), len(found.delete)) == (created, deleted)


def test_absent_replicas_mean_one() -> None:
    owner = testing.replica_set()
    del owner["spec"]["replicas"]
    assert len(step(owner).create) == 1


@pytest.mark.parametrize(("wanted", "present"), [(planning.BURST + 7, 0), (0, planning.BURST + 7)])
def test_a_pass_makes_and_deletes_a_bounded_number(wanted: int, present: int) -> None:
    owner = testing.replica_set(replicas=wanted)
    found = step(owner, *fleet(owner, present))
    assert len(found.create) + len(found.delete) == planning.BURST


def test_a_new_pod_is_the_template_with_an_owner() -> None:
    body = testing.template(tier="front")
    body["metadata"]["annotations"] = {"note": "kept"}
    owner = testing.replica_set(template=body)
    (pod,) = step(owner).create
    assert pod["spec"] == body["spec"]
    assert pod["spec"] is not body["spec"]
    assert pod["metadata"]["labels"] == {"app": "web", "tier": "front"}
    assert pod["metadata"]["annotations"] == {"note": "kept"}
    assert pod["metadata"]["namespace"] == "default"
    assert pod["metadata"]["generateName"] == "web-"
    assert owners.is_controlled_by(pod, owner)


@pytest.mark.parametrize("ended", ["Failed", "Succeeded"])
def test_an_ended_pod_is_replaced_and_kept_to_look_at(ended: str) -> None:
    owner = testing.replica_set(replicas=2)
    found = step(owner, testing.pod("a", owner=owner, phase=ended), testing.pod("b", owner=owner))
    assert len(found.create) == 1
    assert found.delete == ()


def test_of_ended_pods_the_oldest_go() -> None:
    owner = testing.replica_set(replicas=0)
    pods = [
        testing.pod(f"web-{age}", owner=owner, phase="Failed", age=age) for age in range(planning.KEPT_TERMINAL + 2)
    ]
    oldest = sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))[:2]
    assert step(owner, *pods).delete == tuple(oldest)


def test_a_pod_being_deleted_is_replaced_at_once() -> None:
    owner = testing.replica_set(replicas=1)
    found = step(owner, testing.pod(owner=owner, deletionTimestamp=testing.ago(1)))
    assert len(found.create) == 1
    assert found.terminating == 1
    assert found.active == ()


def test_the_first_in_deletion_order_go() -> None:
    owner = testing.replica_set(replicas=1)
    good, unready, pending = (
        testing.pod("good", owner=owner),
        testing.pod("unready", owner=owner, ready=False),
        testing.pod("pending", owner=owner, phase="Pending", ready=False),
    )
    assert step(owner, good, unready, pending).delete == (pending, unready)


def test_claims_come_before_counting() -> None:
    owner = testing.replica_set(replicas=2)
    orphan = testing.pod("orphan")
    found = step(owner, orphan)
    assert found.claims.adopt == (orphan,)
    assert found.create == ()
    assert found.active == (orphan,)


def test_pods_of_others_do_not_count() -> None:
    owner, other = testing.replica_set(replicas=1), testing.replica_set("other")
    assert len(step(owner, testing.pod(owner=other)).create) == 1


@pytest.mark.parametrize("present", [0, 5])
def test_with_old_knowledge_nothing_is_made_or_deleted(present: int) -> None:
    owner = testing.replica_set(replicas=3)
    found = step(owner, *fleet(owner, present), caught_up=False)
    assert (found.create, found.delete) == ((), ())
    assert len(found.active) == present


@pytest.mark.parametrize("present", [0, 5])
def test_a_dying_replica_set_leaves_its_pods_to_the_garbage_collector(present: int) -> None:
    owner = testing.replica_set(replicas=3)
    owner["metadata"]["deletionTimestamp"] = testing.ago(1)
    found = step(owner, *fleet(owner, present))
    assert (found.create, found.delete) == ((), ())


# --------------------------------------------------------------------------------------------------------------- names


def test_the_same_snapshot_asks_for_the_same_names() -> None:
    owner = testing.replica_set(replicas=5)
    first, second = step(owner), step(copy.deepcopy(owner))
    assert [meta.name(pod) for pod in first.create] == [meta.name(pod) for pod in second.create]
    assert len({meta.name(pod) for pod in first.create}) == 5


def test_another_snapshot_asks_for_other_names() -> None:
    owner = testing.replica_set(replicas=1)
    first = meta.name(step(owner).create[0])
    dying = testing.pod(first, owner=owner, deletionTimestamp=testing.ago(0))
    assert meta.name(step(owner, dying).create[0]) != first


def test_a_name_in_use_is_passed_over() -> None:
    owner = testing.replica_set(replicas=2)
    usual = [meta.name(pod) for pod in step(owner).create]
    found = [meta.name(pod) for pod in step(owner, taken={usual[0]}).create]
    assert usual[0] not in found
    assert found[0] == usual[1]


def test_names_that_fall_together_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    ordinals = (f"{ordinal // 2:05}" for ordinal in itertools.count())
    monkeypatch.setattr(names, "encode_safe", lambda data, length: next(ordinals))
    found = [meta.name(pod) for pod in step(testing.replica_set(replicas=3)).create]
    assert found == ["web-00000", "web-00001", "web-00002"]


@given(st.text("ab-", min_size=1, max_size=300).map(lambda text: f"a{text}a"))
def test_names_of_pods_are_dns_labels_however_long_the_owner_is_called(name: str) -> None:
    (pod,) = step(testing.replica_set(name)).create
    assert names.is_dns_label(meta.name(pod))


# ------------------------------------------------------------------------------------------------------------- waiting


@pytest.mark.parametrize(
    ("ready_for", "requeue"),
    [
        # minReadySeconds is 10
        ((3,), 7.0),
        ((3, 9), 1.0),
        ((10,), None),
        ((12, 4), 6.0),
    ],
)
def test_it_looks_again_when_the_next_pod_becomes_available(ready_for: tuple[int, ...], requeue: float | None) -> None:
    owner = testing.replica_set(replicas=len(ready_for), minReadySeconds=10)
    pods = [testing.pod(f"web-{age}", owner=owner, ready_for=age) for age in ready_for]
    assert step(owner, *pods).requeue_after == requeue


def test_nothing_to_wait_for_without_min_ready_seconds() -> None:
    owner = testing.replica_set(replicas=1)
    assert step(owner, testing.pod(owner=owner, ready_for=0)).requeue_after is None


# ---------------------------------------------------------------------------------------------------------- properties

KINDS = st.sampled_from(["ready", "unready", "pending", "failed", "dying", "orphan", "foreign", "lost"])


def make(kind: str, index: int, owner: dict[str, Any]) -> dict[str, Any]:
    more: dict[str, dict[str, Any]] = {
        "unready": {"ready": False},
        "pending": {"phase": "Pending", "ready": False},
        "failed": {"phase": "Failed"},
        "dying": {"deletionTimestamp": testing.ago(0)},
        "lost": {"labels": {"app": "other"}},
    }
    if kind == "orphan":
        return testing.pod(f"web-{index}")
    if kind == "foreign":
        return testing.pod(f"web-{index}", owner=testing.replica_set("other"))
    return testing.pod(f"web-{index}", owner=owner, **more.get(kind, {}))


def apply(found: planning.Plan, pods: list[dict[str, Any]], owner: dict[str, Any]) -> list[dict[str, Any]]:
    """The pods after the plan was carried out and deletions came to their end."""
    gone = {meta.uid(pod) for pod in found.delete} | {meta.uid(pod) for pod in found.claims.release}
    adopted = {meta.uid(pod) for pod in found.claims.adopt}
    left = [pod for pod in pods if meta.uid(pod) not in gone and not podstate.is_terminating(pod)]
    for pod in left:
        if meta.uid(pod) in adopted:
            pod["metadata"]["ownerReferences"] = [owners.owner_reference(owner)]
    born = [testing.pod(meta.name(pod), owner=owner) for pod in found.create]
    return left + born


@given(st.integers(0, 6), st.lists(KINDS, max_size=10))
def test_it_comes_to_rest_at_the_wanted_number(wanted: int, kinds: list[str]) -> None:
    owner = testing.replica_set(replicas=wanted)
    pods = [make(kind, index, owner) for index, kind in enumerate(kinds)]
    for _ in range(4):
        taken = {meta.name(pod) for pod in pods}
        found = step(owner, *pods, taken=taken)
        assert taken.isdisjoint(meta.name(pod) for pod in found.create)
        pods = apply(found, pods, owner)
    mine = [pod for pod in pods if owners.is_controlled_by(pod, owner) and podstate.is_active(pod)]
    assert len(mine) == wanted
    rest = step(owner, *pods)
    assert (rest.create, rest.delete, rest.claims.settled) == ((), (), True)


@given(st.integers(0, 6), st.lists(KINDS, max_size=10))
def test_what_dies_never_ranks_above_what_lives(wanted: int, kinds: list[str]) -> None:
    owner = testing.replica_set(replicas=wanted)
    pods = [make(kind, index, owner) for index, kind in enumerate(kinds)]
    found = step(owner, *pods)
    doomed = [pod for pod in found.delete if podstate.is_active(pod)]
    order = podstate.deletion_order(found.active)
    assert order[: len(doomed)] == doomed
    assert not (found.create and doomed)
