"""Every row of the tables in ``daemonset.plan``, and which nodes a set is for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api import names as keys
from brickyard.api.kinds import resources
from brickyard.embedded.builtin import revisions, testing
from brickyard.embedded.builtin.daemonset import nodes, status
from brickyard.embedded.builtin.daemonset import plan as planning
from brickyard.kube.objects import meta, owners

NOW = testing.NOW
HERE = testing.node()


def digest(owner: resources.Object) -> str:
    return meta.labels(revisions.choose(owner, ()).update)[keys.CONTROLLER_HASH]


def member(owner: resources.Object, name: str, *, old: bool = False, **more: Any) -> resources.Object:
    labels = {"app": "web", keys.CONTROLLER_HASH: "old" if old else digest(owner)}
    return testing.pod(name, owner=owner, labels=labels, **more)


def plan(
    owner: resources.Object, *pods: resources.Object, on: tuple[resources.Object, ...] = (HERE,), **more: Any
) -> planning.Plan:
    return planning.plan(planning.Snapshot(owner, on, pods, **more), NOW)


def gone(step: planning.Plan) -> list[str]:
    return sorted(meta.name(each) for each in step.delete)


def made(step: planning.Plan) -> list[str]:
    return sorted(map(nodes.node_of, step.create))


# The first table.


def test_every_node_gets_a_pod() -> None:
    step = plan(testing.daemon_set(), on=(HERE, testing.node("there")))
    assert made(step) == ["here", "there"]
    assert len({meta.name(each) for each in step.create}) == 2
    assert step.revisions.create is not None


def test_a_pod_is_made_for_its_node() -> None:
    owner = testing.daemon_set()
    (pod,) = plan(owner).create
    assert owners.is_controlled_by(pod, owner)
    assert meta.labels(pod)[keys.CONTROLLER_HASH] == digest(owner)
    assert pod["spec"]["containers"] == owner["spec"]["template"]["spec"]["containers"]
    assert {each["key"] for each in pod["spec"]["tolerations"]} >= {"node.kubernetes.io/unschedulable"}
    assert "nodeName" not in pod["spec"]


def test_one_pod_is_enough() -> None:
    owner = testing.daemon_set()
    assert plan(owner, member(owner, "a")).reason == "as wanted"
    assert gone(plan(owner, member(owner, "a"), member(owner, "b", ready=False))) == ["b"]


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_what_ended_is_replaced(phase: str) -> None:
    owner = testing.daemon_set()
    step = plan(owner, member(owner, "a", phase=phase))
    assert gone(step) == ["a"]
    assert made(step) == ["here"]


def test_a_pod_that_leaves_is_waited_for() -> None:
    owner = testing.daemon_set()
    step = plan(owner, member(owner, "a", deletionTimestamp=testing.ago(1)))
    assert (made(step), gone(step)) == ([], [])


def test_pods_elsewhere_go() -> None:
    owner = testing.daemon_set()
    step = plan(owner, member(owner, "a"), member(owner, "b", node="there"), member(owner, "c", node=""))
    assert gone(step) == ["b", "c"]
    assert step.misplaced == 2


def test_nothing_is_done_before_earlier_steps_are_seen() -> None:
    assert plan(testing.daemon_set(), caught_up=False).create == ()
    leaving = testing.daemon_set()
    leaving["metadata"]["deletionTimestamp"] = testing.ago(1)
    assert plan(leaving).create == ()


def test_names_in_use_are_not_taken() -> None:
    owner = testing.daemon_set()
    (first,) = plan(owner).create
    (second,) = plan(owner, taken={meta.name(first)}).create
    assert meta.name(first) != meta.name(second)


# The second table: of three nodes, each with an old pod.

THREE = tuple(testing.node(each) for each in ("n1", "n2", "n3"))


def rolling(**limits: Any) -> resources.Object:
    return testing.daemon_set(updateStrategy={"type": "RollingUpdate", "rollingUpdate": limits})


# maxUnavailable, how many old pods go at once
AWAY = [(1, 1), (2, 2), (3, 3), ("34%", 2), ("1%", 1), ("100%", 3)]


@pytest.mark.parametrize(("limit", "count"), AWAY)
def test_as_many_go_as_may_be_away(limit: int | str, count: int) -> None:
    owner = rolling(maxUnavailable=limit, maxSurge=0)
    step = plan(owner, *(member(owner, f"p{each}", old=True, node=f"n{each}") for each in (1, 2, 3)), on=THREE)
    assert len(step.delete) == count
    assert step.create == ()


def test_a_node_without_its_pod_counts_as_away() -> None:
    owner = rolling(maxUnavailable=1, maxSurge=0)
    pods = [
        member(owner, "p1", node="n1", ready=False),
        *(member(owner, f"p{n}", old=True, node=f"n{n}") for n in (2, 3)),
    ]
    assert gone(plan(owner, *pods, on=THREE)) == []


def test_an_old_pod_that_serves_nobody_goes_at_once() -> None:
    owner = rolling(maxUnavailable=1, maxSurge=0)
    pods = [member(owner, f"p{n}", old=True, node=f"n{n}", ready=n == 3) for n in (1, 2, 3)]
    assert gone(plan(owner, *pods, on=THREE)) == ["p1", "p2"]


def test_with_surge_the_new_pod_comes_first() -> None:
    owner = rolling(maxUnavailable=0, maxSurge=1)
    old = [member(owner, f"p{n}", old=True, node=f"n{n}") for n in (1, 2, 3)]
    step = plan(owner, *old, on=THREE)
    assert (made(step), gone(step)) == (["n1"], [])
    starting = plan(owner, *old, member(owner, "new", node="n1", ready=False), on=THREE)
    assert (made(starting), gone(starting)) == ([], [])
    ready = plan(owner, *old, member(owner, "new", node="n1"), on=THREE)
    assert gone(ready) == ["p1"]


def test_on_delete_leaves_old_pods_alone() -> None:
    owner = testing.daemon_set(updateStrategy={"type": "OnDelete"})
    assert gone(plan(owner, member(owner, "a", old=True))) == []
    assert made(plan(owner)) == ["here"]


def test_min_ready_seconds_are_waited_for() -> None:
    owner = rolling(maxUnavailable=0, maxSurge=1)
    owner["spec"]["minReadySeconds"] = 10
    step = plan(owner, member(owner, "old", old=True), member(owner, "new", ready_for=4))
    assert gone(step) == []
    assert step.requeue_after == pytest.approx(6)
    assert gone(plan(owner, member(owner, "old", old=True), member(owner, "new", ready_for=11))) == ["old"]


def test_revisions_that_pods_still_have_are_kept() -> None:
    first = testing.daemon_set(revisionHistoryLimit=0)
    stored = revisions.choose(first, ()).update
    second = {**first, "spec": {**first["spec"], "template": testing.template("web:2")}}
    old = testing.pod("a", owner=first, labels={"app": "web", keys.CONTROLLER_HASH: digest(first)})
    assert plan(second, old, history=[stored]).stale == ()
    assert plan(second, member(second, "b"), history=[stored]).stale == (stored,)


# Nodes.

LABELLED = testing.node("n", disk="ssd", size="12")


def affine(*expressions: dict[str, Any], **term: Any) -> dict[str, Any]:
    required = {"nodeSelectorTerms": [{"matchExpressions": list(expressions), **term}]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}


# what the template says, whether a node with disk=ssd, size=12 is meant
CHOICES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"nodeSelector": {"disk": "ssd"}}, True),
    ({"nodeSelector": {"disk": "hdd"}}, False),
    ({"nodeName": "n"}, True),
    ({"nodeName": "m"}, False),
    (affine({"key": "disk", "operator": "In", "values": ["ssd", "nvme"]}), True),
    (affine({"key": "disk", "operator": "NotIn", "values": ["ssd"]}), False),
    (affine({"key": "disk", "operator": "DoesNotExist"}), False),
    (affine({"key": "size", "operator": "Gt", "values": ["10"]}), True),
    (affine({"key": "size", "operator": "Lt", "values": ["12"]}), False),
    (affine({"key": "disk", "operator": "Gt", "values": ["1"]}), False),
    (affine(matchFields=[{"key": "metadata.name", "operator": "In", "values": ["n"]}]), True),
    (affine(), False),
]


@pytest.mark.parametrize(("fields", "answer"), CHOICES)
def test_which_nodes_are_meant(fields: dict[str, Any], answer: bool) -> None:
    owner = testing.daemon_set()
    owner["spec"]["template"]["spec"].update(fields)
    assert nodes.wants(owner, LABELLED) is answer


def test_a_pinned_pod_keeps_its_own_wishes() -> None:
    spec: dict[str, Any] = affine({"key": "disk", "operator": "Exists"})
    nodes.pin(spec, "n")
    nodes.pin(spec, "n")
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [{"key": "disk", "operator": "Exists"}]
    assert nodes.node_of({"metadata": {}, "spec": spec}) == "n"
    assert len(spec["tolerations"]) == len(nodes.TOLERATIONS)
    assert nodes.node_of(testing.pod(node="")) == ""


# Status.


def test_the_status_counts_nodes() -> None:
    owner = rolling(maxUnavailable=0, maxSurge=1)
    owner["status"] = {"conditions": [{"type": "Odd"}]}
    pods = [
        member(owner, "p1", node="n1", old=True),
        member(owner, "p2", node="n1"),
        member(owner, "p3", node="n2", ready=False),
        member(owner, "p4", node="elsewhere"),
    ]
    assert status.compute(owner, plan(owner, *pods, on=THREE), NOW) == {
        "currentNumberScheduled": 2,
        "numberMisscheduled": 1,
        "desiredNumberScheduled": 3,
        "numberReady": 1,
        "updatedNumberScheduled": 2,
        "numberAvailable": 1,
        "numberUnavailable": 2,
        "observedGeneration": 1,
        "conditions": [{"type": "Odd"}],
    }


# What always holds.

_states = st.tuples(st.sampled_from(["n1", "n2", "n3", "gone"]), st.booleans(), st.booleans(), st.booleans())


@given(st.lists(_states, max_size=7), st.sampled_from([(0, 1), (1, 0), ("50%", 0), (0, "100%")]))
def test_a_step_never_takes_more_away_than_allowed(
    found: list[tuple[str, bool, bool, bool]], limits: tuple[Any, Any]
) -> None:
    owner = rolling(maxUnavailable=limits[0], maxSurge=limits[1])
    pods = []
    for number, (where, old, ready, leaving) in enumerate(found):
        more = {"deletionTimestamp": testing.ago(1)} if leaving else {}
        pods.append(member(owner, f"p{number}", old=old, node=where, ready=ready, **more))
    step = plan(owner, *pods, on=THREE)
    assert len(set(gone(step))) == len(step.delete)
    assert not any("deletionTimestamp" in each["metadata"] for each in step.delete)

    def served(pod: resources.Object) -> bool:
        ready = pod["status"]["conditions"][0]["status"] == "True"
        return ready and "deletionTimestamp" not in pod["metadata"]

    left = [each for each in pods if each not in step.delete]
    lost = 0
    for node in ("n1", "n2", "n3"):
        before = any(served(each) for each in pods if nodes.node_of(each) == node)
        after = any(served(each) for each in left if nodes.node_of(each) == node)
        extra = [each for each in pods if nodes.node_of(each) == node]
        lost += before and not after and len(extra) == 1
        assert made(step).count(node) <= 1
    assert lost <= (0 if limits[1] else planning.share(limits[0], 3))
