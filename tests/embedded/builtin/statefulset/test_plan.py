"""The StatefulSet's moves: rows of its table, and a small world in which they are played to the end."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.embedded.builtin import revisions, testing
from brickyard.embedded.builtin.statefulset import identity, status
from brickyard.embedded.builtin.statefulset import plan as planning
from brickyard.kube.objects import meta

NOW = testing.NOW


def revision(body: dict[str, Any], image: str) -> dict[str, Any]:
    then = {**body, "spec": {**body["spec"], "template": testing.template(image)}}
    return revisions.choose(then, []).update


def member(body: dict[str, Any], number: int, image: str = "web:1", **more: Any) -> dict[str, Any]:
    made = revision(body, image)
    labels = identity.build(body, revisions.template(made), meta.name(made), number)["metadata"]["labels"]
    return testing.pod(identity.pod_name(body, number), owner=body, labels=labels, **more)


def step(body: dict[str, Any], *pods: dict[str, Any], **more: Any) -> planning.Plan:
    return planning.plan(planning.Snapshot(body, pods, **more), NOW)


def made(found: planning.Plan) -> list[str]:
    return [meta.name(pod) for pod in found.create]


def doomed(found: planning.Plan) -> list[str]:
    return [meta.name(each.pod) for each in found.delete]


GONE = {"deletionTimestamp": testing.ago(1)}
SICK = {"ready": False}


# Which pods are there (number → how they are), and what is made and deleted.
ORDERED: list[tuple[str, int, dict[int, dict[str, Any]], list[str], list[str]]] = [
    ("nothing yet", 3, {}, ["web-0"], []),
    ("the first is not ready", 3, {0: SICK}, [], []),
    ("the first is ready", 3, {0: {}}, ["web-1"], []),
    ("a hole", 3, {0: {}, 2: {}}, ["web-1"], []),
    ("all there", 3, {0: {}, 1: {}, 2: {}}, [], []),
    ("one failed", 2, {0: {"phase": "Failed"}, 1: {}}, [], ["web-0"]),
    ("one succeeded", 2, {0: {}, 1: {"phase": "Succeeded"}}, [], ["web-1"]),
    ("a failed one that is going", 2, {0: {"phase": "Failed", **GONE}, 1: {}}, [], []),
    ("one is going", 2, {0: {}, 1: GONE}, [], []),
    ("too many: the highest first", 1, {0: {}, 1: {}, 2: {}}, [], ["web-2"]),
    ("too many, and one is going", 1, {0: {}, 1: {}, 2: GONE}, [], []),
    ("too many, but a wanted one is sick", 1, {0: SICK, 1: {}, 2: {}}, [], []),
    ("the sick one is the one to go", 1, {0: {}, 1: SICK}, [], ["web-1"]),
    ("two sick ones to go: the upper waits", 1, {0: {}, 1: SICK, 2: SICK}, [], []),
    ("scaled to nothing", 0, {0: {}, 1: {}}, [], ["web-1"]),
]


@pytest.mark.parametrize(("name", "replicas", "pods", "creates", "deletes"), ORDERED, ids=[row[0] for row in ORDERED])
def test_ordered_moves(
    name: str, replicas: int, pods: dict[int, dict[str, Any]], creates: list[str], deletes: list[str]
) -> None:
    del name
    body = testing.stateful_set(replicas=replicas)
    found = step(body, *(member(body, number, **how) for number, how in pods.items()))
    assert (made(found), doomed(found)) == (creates, deletes)
    assert found.reason


PARALLEL: list[tuple[str, int, dict[int, dict[str, Any]], list[str], list[str]]] = [
    ("nothing yet", 3, {}, ["web-0", "web-1", "web-2"], []),
    ("not ready does not matter", 3, {0: SICK}, ["web-1", "web-2"], []),
    ("too many go together", 1, {0: SICK, 1: {}, 2: {}}, [], ["web-2", "web-1"]),
    ("those that go already are left alone", 1, {0: {}, 1: {}, 2: GONE}, [], ["web-1"]),
    ("failed ones are made again", 2, {0: {"phase": "Failed"}}, ["web-1"], ["web-0"]),
]


@pytest.mark.parametrize(("name", "replicas", "pods", "creates", "deletes"), PARALLEL, ids=[row[0] for row in PARALLEL])
def test_parallel_moves(
    name: str, replicas: int, pods: dict[int, dict[str, Any]], creates: list[str], deletes: list[str]
) -> None:
    del name
    body = testing.stateful_set(replicas=replicas, podManagementPolicy="Parallel")
    found = step(body, *(member(body, number, **how) for number, how in pods.items()))
    assert (made(found), doomed(found)) == (creates, deletes)


def rolling(**how: Any) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": how}


UPDATES: list[tuple[str, dict[str, Any], dict[int, tuple[str, dict[str, Any]]], list[str]]] = [
    ("the highest first", rolling(), {0: ("web:1", {}), 1: ("web:1", {}), 2: ("web:1", {})}, ["web-2"]),
    ("then the next", rolling(), {0: ("web:1", {}), 1: ("web:1", {}), 2: ("web:2", {})}, ["web-1"]),
    ("not before the updated one is ready", rolling(), {0: ("web:1", {}), 1: ("web:1", {}), 2: ("web:2", SICK)}, []),
    ("the partition stays", rolling(partition=2), {0: ("web:1", {}), 1: ("web:1", {}), 2: ("web:2", {})}, []),
    ("above it all go", rolling(partition=1), {0: ("web:1", {}), 1: ("web:1", {}), 2: ("web:2", {})}, ["web-1"]),
    ("a partition beyond the end", rolling(partition=9), {number: ("web:1", {}) for number in range(3)}, []),
    ("OnDelete leaves it to others", {"type": "OnDelete"}, {number: ("web:1", {}) for number in range(3)}, []),
    ("two at a time", rolling(maxUnavailable=2), {number: ("web:1", {}) for number in range(3)}, ["web-2", "web-1"]),
    ("a share of them", rolling(maxUnavailable="67%"), {number: ("web:1", {}) for number in range(3)}, ["web-2", "web-1"]),
    ("at least one", rolling(maxUnavailable="1%"), {number: ("web:1", {}) for number in range(3)}, ["web-2"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "strategy", "pods", "deletes"), UPDATES, ids=[row[0] for row in UPDATES])
def test_updates(
    name: str, strategy: dict[str, Any], pods: dict[int, tuple[str, dict[str, Any]]], deletes: list[str]
) -> None:
    del name
    body = testing.stateful_set(replicas=3, image="web:2", updateStrategy=strategy)
    found = step(body, *(member(body, number, image, **how) for number, (image, how) in pods.items()))
    assert (made(found), doomed(found)) == ([], deletes)


def test_an_old_pod_that_is_sick_is_replaced_without_costing_another() -> None:
    body = testing.stateful_set(replicas=3, image="web:2", podManagementPolicy="Parallel")
    pods = [member(body, 0, "web:1"), member(body, 1, "web:1", ready=False), member(body, 2, "web:1")]
    assert doomed(step(body, *pods)) == ["web-1"]


@pytest.mark.parametrize(
    ("partition", "strategy", "number", "image"),
    [(2, "RollingUpdate", 0, "web:1"), (0, "RollingUpdate", 0, "web:2"), (0, "OnDelete", 0, "web:2")],
)
def test_which_template_a_lost_pod_comes_back_with(partition: int, strategy: str, number: int, image: str) -> None:
    how = rolling(partition=partition) if strategy == "RollingUpdate" else {"type": strategy}
    body = testing.stateful_set(replicas=3, image="web:2", updateStrategy=how)
    old = revision(body, "web:1")
    body["status"] = {"currentRevision": meta.name(old)}
    (pod,) = step(body, member(body, 1), member(body, 2), history=[old]).create
    assert identity.ordinal(body, meta.name(pod)) == number
    assert pod["spec"]["containers"][0]["image"] == image


def test_ordinals_may_start_elsewhere() -> None:
    body = testing.stateful_set(replicas=2, ordinals={"start": 5})
    assert made(step(body)) == ["web-5"]
    found = step(body, member(body, 5), member(body, 6), member(body, 0))
    assert doomed(found) == ["web-0"]


def test_a_pod_is_healthy_after_min_ready_seconds() -> None:
    body = testing.stateful_set(replicas=2, minReadySeconds=30)
    found = step(body, member(body, 0, ready_for=10))
    assert made(found) == []
    assert found.requeue_after == 20
    assert made(step(body, member(body, 0, ready_for=30))) == ["web-1"]


def test_claims_are_made_with_the_pod_and_when_they_are_missing() -> None:
    template = {"metadata": {"name": "data"}, "spec": {}}
    body = testing.stateful_set(replicas=2, volumeClaimTemplates=[template])
    found = step(body, member(body, 0), claim_names=())
    assert [meta.name(each) for each in found.claim_volumes] == ["data-web-0", "data-web-1"]
    found = step(body, member(body, 0), claim_names={"data-web-0", "data-web-1"})
    assert found.claim_volumes == ()


@pytest.mark.parametrize(("policy", "claims"), [("Delete", ("data-web-1",)), ("Retain", ())])
def test_claims_go_with_an_unwanted_pod_where_that_is_asked(policy: str, claims: tuple[str, ...]) -> None:
    body = testing.stateful_set(
        replicas=1,
        volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {}}],
        persistentVolumeClaimRetentionPolicy={"whenScaled": policy, "whenDeleted": "Retain"},
    )
    (leaving,) = step(body, member(body, 0), member(body, 1)).delete
    assert leaving.claims == claims


def test_pods_of_other_names_are_not_taken_in() -> None:
    body = testing.stateful_set()
    found = step(body, testing.pod("stray"), testing.pod("web-0"))
    assert [meta.name(pod) for pod in found.claims.adopt] == ["web-0"]
    assert found.create == ()


def test_one_being_deleted_does_nothing() -> None:
    body = testing.stateful_set()
    body["metadata"]["deletionTimestamp"] = testing.ago(1)
    found = step(body)
    assert (found.create, found.delete) == ((), ())


def test_revisions_in_use_stay() -> None:
    body = testing.stateful_set(replicas=1, image="web:3", revisionHistoryLimit=0, updateStrategy={"type": "OnDelete"})
    history = [{**revision(body, f"web:{number}"), "revision": number} for number in (1, 2, 3)]
    body["status"] = {"currentRevision": meta.name(history[2])}
    found = step(body, member(body, 0, "web:1"), history=history)
    assert found.stale == (history[1],)


# ------------------------------------------------------------------------------------------------------- played through


@dataclasses.dataclass
class Play:
    """Carries plans out at once; pods get ready and go when told."""

    body: dict[str, Any]
    pods: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def turn(self) -> planning.Plan:
        found = step(self.body, *self.pods.values(), history=self.history)
        for each in (found.revisions.create, found.revisions.renumber):
            if each is not None:
                self.history = [*(old for old in self.history if meta.name(old) != meta.name(each)), each]
        for pod in found.create:
            labels = pod["metadata"]["labels"]
            self.pods[meta.name(pod)] = testing.pod(meta.name(pod), owner=self.body, labels=labels, ready=False)
        for doomed_one in found.delete:
            self.pods[meta.name(doomed_one.pod)]["metadata"]["deletionTimestamp"] = testing.ago(0)
        self.body["status"] = status.compute(self.body, found, NOW)
        return found

    def settle(self) -> None:
        """Every pod does what it is about to do."""
        for name, pod in list(self.pods.items()):
            if "deletionTimestamp" in pod["metadata"]:
                del self.pods[name]
            else:
                ready = testing.pod(name, owner=self.body, labels=pod["metadata"]["labels"])
                self.pods[name] = ready

    def healthy(self) -> int:
        wanted = {identity.pod_name(self.body, each) for each in identity.ordinals(self.body)}
        return sum(planning.is_healthy(self.body, pod, NOW) for name, pod in self.pods.items() if name in wanted)

    def finish(self) -> None:
        for _ in range(200):
            found = self.turn()
            busy = found.create or found.delete or any(not self._calm(pod) for pod in self.pods.values())
            if not busy:
                return
            self.settle()
        raise AssertionError("it never comes to rest")

    def _calm(self, pod: dict[str, Any]) -> bool:
        return planning.is_healthy(self.body, pod, NOW)


change = st.tuples(
    st.sampled_from(["scale", "image", "fail", "sicken", "settle", "turn"]), st.integers(0, 5), st.integers(0, 5)
)


def disturb(play: Play, what: str, first: int) -> None:
    if what == "scale":
        play.body["spec"]["replicas"] = first
    elif what == "image":
        play.body["spec"]["template"] = testing.template(f"web:{first}")
    elif what in ("fail", "sicken") and play.pods:
        name = sorted(play.pods)[first % len(play.pods)]
        if what == "fail":
            play.pods[name]["status"]["phase"] = "Failed"
        else:
            play.pods[name]["status"]["conditions"][0]["status"] = "False"


@settings(max_examples=150)
@given(st.sampled_from(["OrderedReady", "Parallel"]), st.integers(1, 3), st.lists(change, max_size=25))
def test_whatever_happens_it_comes_to_rest_as_wanted(policy: str, away: int, changes: list[Any]) -> None:
    body = testing.stateful_set(podManagementPolicy=policy, updateStrategy=rolling(maxUnavailable=away))
    play = Play(body)
    for what, first, _ in changes:
        disturb(play, what, first)
        if what == "settle":
            play.settle()
        before = play.healthy()
        found = play.turn()
        moves = len(found.create) + len(found.delete)
        if policy == "OrderedReady":
            assert moves <= max(1, away)
            for pod in found.create:
                number = identity.ordinal(body, meta.name(pod))
                assert number is not None
                lower = [play.pods[identity.pod_name(body, each)] for each in range(number)]
                assert all(planning.is_healthy(body, each, NOW) for each in lower)
        taken = before - play.healthy()
        if taken:
            # Only an update takes healthy wanted pods, and it leaves all but ``maxUnavailable``.
            assert play.healthy() >= identity.wanted(body) - away
    play.finish()
    assert sorted(play.pods) == sorted(identity.pod_name(body, each) for each in identity.ordinals(body))
    newest = body["status"]["updateRevision"]
    assert all(identity.revision_of(pod) == newest for pod in play.pods.values())
    assert body["status"]["currentRevision"] == newest
