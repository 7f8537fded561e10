"""Which pods the machine takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import placement
from brickyard.embedded.kubelet.testing import container, pod

GPU = "nvidia.com/gpu"


def wants(count: int, name: str = "web") -> dict[str, Any]:
    return container(name, resources={"limits": {GPU: str(count)}})


def plan(*pods: dict[str, Any], gpus: int = 2, max_pods: int = 10) -> list[str]:
    """ "" for each pod that is bound, else why not."""
    answers = placement.plan(pods, {}, placement.Node({GPU: gpus}, max_pods))
    return ["" if isinstance(each, placement.Bind) else f"{each.reason}: {each.message}" for each in answers]


def test_a_plain_pod_is_taken() -> None:
    assert plan(pod()) == [""]


# gpus asked for, why not
ASKED = [
    (0, ""),
    (2, ""),
    (3, "Unschedulable: 0/1 nodes are available: 1 Insufficient nvidia.com/gpu."),
]


@pytest.mark.parametrize(("asked", "answer"), ASKED)
def test_devices(asked: int, answer: str) -> None:
    assert plan(pod(wants(asked))) == [answer]


def test_what_others_have_counts() -> None:
    there = pod(wants(1), nodeName="here")
    assert plan(there, pod(wants(1))) == [""]
    assert "Insufficient" in plan(there, pod(wants(2)))[0]


def test_what_is_over_counts_no_more() -> None:
    done = {**pod(wants(2), nodeName="here"), "status": {"phase": "Succeeded"}}
    assert plan(done, pod(wants(2))) == [""]


def test_the_oldest_comes_first() -> None:
    young = pod(wants(2), name="a", meta={"creationTimestamp": "2026-01-02T00:00:00Z"})
    old = pod(wants(2), name="b", meta={"creationTimestamp": "2026-01-01T00:00:00Z"})
    answers = placement.plan([young, old], {}, placement.Node({GPU: 2}, 10))
    assert [(type(each).__name__, each.pod["metadata"]["name"]) for each in answers] == [("Bind", "b"), ("Refuse", "a")]


def test_one_that_does_not_fit_does_not_hold_up_the_others() -> None:
    assert plan(pod(wants(9), name="a"), pod(wants(1), name="b"))[1] == ""


def test_too_many_pods() -> None:
    answers = plan(pod(nodeName="here"), pod(name="b"), pod(wants(9), name="c"), max_pods=2)
    assert answers == ["", "Unschedulable: 0/1 nodes are available: 1 Too many pods, 1 Insufficient nvidia.com/gpu."]


def test_gates() -> None:
    gated = pod(schedulingGates=[{"name": "x/wait"}])
    assert plan(gated) == ["SchedulingGated: Scheduling is blocked due to non-empty scheduling gates: x/wait"]


def test_a_pod_that_is_deleted_is_not_bound() -> None:
    assert plan(pod(meta={"deletionTimestamp": "2026-01-01T00:00:00Z"})) == []


def test_what_was_just_bound_counts_and_is_not_bound_again() -> None:
    first = pod(wants(2))
    answers = placement.plan(
        [first, pod(wants(1), name="b")], {first["metadata"]["uid"]: "here"}, placement.Node({GPU: 2}, 10)
    )
    assert [type(each) for each in answers] == [placement.Refuse]


def test_demand_is_that_of_the_hungriest_moment() -> None:
    sidecar = {**wants(1, "s"), "restartPolicy": "Always"}
    assert placement.demand(pod(wants(1), wants(1, "b"), init=[wants(2, "i"), sidecar])) == {GPU: 3}
    assert placement.demand(pod(wants(1), init=[wants(4, "i")])) == {GPU: 4}


# old, new, matters
ENDED = {"status": {"phase": "Failed"}}
CHANGES = [
    (None, pod(), True),
    (pod(), None, True),
    (pod(), pod(nodeName="here"), True),
    (pod(), pod(), False),
    (pod(), {**pod(), "status": {"phase": "Running"}}, False),
    (pod(), {**pod(), **ENDED}, True),
    (pod(schedulingGates=[{"name": "x/wait"}]), pod(), True),
]


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES)
def test_what_matters(old: dict[str, Any] | None, new: dict[str, Any] | None, expected: bool) -> None:
    assert placement.matters(old, new) is expected


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12), st.integers(0, 6), st.integers(1, 8))
def test_never_more_than_there_is(asked: list[tuple[int, bool]], gpus: int, max_pods: int) -> None:
    pods = [
        pod(wants(count), name=f"p{index}", nodeName="here" if there else "")
        for index, (count, there) in enumerate(asked)
    ]
    before = sum(count for count, there in asked if there)
    bound = [
        each.pod
        for each in placement.plan(pods, {}, placement.Node({GPU: gpus}, max_pods))
        if isinstance(each, placement.Bind)
    ]
    added = sum(placement.demand(each).get(GPU, 0) for each in bound)
    assert added == 0 or before + added <= gpus
    assert not bound or len(bound) + sum(there for _, there in asked) <= max_pods


# Claims.


def claim(name: str, phase: str = "Bound", *, mode: str = "ReadWriteOnce", **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default", **more},
        "spec": {"accessModes": [mode]},
        "status": {"phase": phase},
    }


def mounting(*names: str, **fields: Any) -> dict[str, Any]:
    volumes = [
        {"name": f"v{number}", "persistentVolumeClaim": {"claimName": name}} for number, name in enumerate(names)
    ]
    return pod(volumes=volumes, **fields)


def placed(*pods: dict[str, Any], claims: tuple[dict[str, Any], ...]) -> list[str]:
    held = {("default", each["metadata"]["name"]): each for each in claims}
    answers = placement.plan(pods, {}, placement.Node({}, 10, held))
    return ["" if isinstance(each, placement.Bind) else each.message for each in answers]


# the claim named data, why a pod that mounts it must wait
CLAIMS = [
    ((claim("data"),), ""),
    ((), 'persistentvolumeclaim "data" not found'),
    ((claim("data", "Pending"),), "pod has unbound immediate PersistentVolumeClaims: data"),
    ((claim("data", "Lost"),), "pod has unbound immediate PersistentVolumeClaims: data"),
    ((claim("data", deletionTimestamp="2026-01-01T00:00:00Z"),), 'persistentvolumeclaim "data" is being deleted'),
]


@pytest.mark.parametrize(("claims", "message"), CLAIMS)
def test_a_pod_waits_for_its_claims(claims: tuple[dict[str, Any], ...], message: str) -> None:
    (answer,) = placed(mounting("data"), claims=claims)
    assert answer == (f"0/1 nodes are available: {message}." if message else "")


def test_every_unbound_claim_is_named() -> None:
    found = placed(mounting("a", "b"), claims=(claim("a", "Pending"), claim("b", "Pending")))
    assert found == ["0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims: a, b."]


def test_a_claim_of_one_pod_is_one_pods() -> None:
    alone = claim("data", mode="ReadWriteOncePod")
    first, second = placed(mounting("data", name="a"), mounting("data", name="b"), claims=(alone,))
    assert first == ""
    assert "ReadWriteOncePod" in second
    (other,) = placed(mounting("data", nodeName="here"), mounting("data", name="b"), claims=(alone,))
    assert "node has pod using PersistentVolumeClaim data" in other
    over = {**mounting("data", nodeName="here"), "status": {"phase": "Succeeded"}}
    assert placed(over, mounting("data", name="b"), claims=(alone,)) == [""]


def test_a_pods_own_claim_is_named_after_it() -> None:
    one = pod(name="web", volumes=[{"name": "scratch", "ephemeral": {}}, {"name": "e", "emptyDir": {}}])
    assert placement.claims_of(one) == [("default", "web-scratch")]
