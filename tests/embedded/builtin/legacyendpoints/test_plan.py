from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.legacyendpoints import plan as planning
from brickyard.kube.objects import meta, owners


def stored(found: planning.Plan) -> dict[str, Any]:
    """What the API server would hand out after the creation."""
    assert found.create is not None
    return {**found.create, "metadata": {**found.create["metadata"], "uid": "e", "resourceVersion": "1"}}


def subsets(service: dict[str, Any], *pods: dict[str, Any]) -> Any:
    found = planning.plan(service, pods, None).create
    assert found is not None
    return found["subsets"]


def ips(found: Any, key: str = "addresses") -> list[str]:
    return [each["ip"] for subset in found for each in subset.get(key, [])]


def test_a_new_service_has_endpoints_of_its_name() -> None:
    service = testing.service()
    made = stored(planning.plan(service, [testing.pod("a", ip="127.64.0.9")], None))
    assert meta.name(made) == "web"
    assert owners.is_owned_by(made, service)
    (subset,) = made["subsets"]
    assert subset["ports"] == [{"name": "http", "protocol": "TCP", "port": 8000}]
    (address,) = subset["addresses"]
    assert (address["ip"], address["nodeName"], address["targetRef"]["name"]) == ("127.64.0.9", "here", "a")


@pytest.mark.parametrize(
    ("pod", "spec", "ready", "not_ready"),
    [
        (testing.pod(), {}, 1, 0),
        (testing.pod(ready=False), {}, 0, 1),
        (testing.pod(ready=False), {"publishNotReadyAddresses": True}, 1, 0),
        (testing.pod(deletionTimestamp=testing.ago(1)), {}, 0, 0),
        (testing.pod(deletionTimestamp=testing.ago(1)), {"publishNotReadyAddresses": True}, 1, 0),
        (testing.pod(phase="Failed"), {}, 0, 0),
        (testing.pod(ip=""), {}, 0, 0),
        (testing.pod(labels={"app": "other"}), {}, 0, 0),
    ],
)
def test_where_a_pod_stands(pod: dict[str, Any], spec: dict[str, Any], ready: int, not_ready: int) -> None:
    found = subsets(testing.service(**spec), pod)
    assert (len(ips(found)), len(ips(found, "notReadyAddresses"))) == (ready, not_ready)


def test_pods_with_other_ports_have_a_subset_of_their_own() -> None:
    other = testing.pod("b", ip="127.64.0.2")
    other["spec"] = {"containers": [{"name": "web", "ports": [{"name": "http", "containerPort": 9000}]}]}
    found = subsets(testing.service(), testing.pod("a", ip="127.64.0.1"), other)
    assert [(each["ports"][0]["port"], ips([each])) for each in found] == [
        (8000, ["127.64.0.1"]),
        (9000, ["127.64.0.2"]),
    ]


def test_a_headless_service_without_ports() -> None:
    service = testing.service(clusterIP="None", ports=[])
    found = stored(planning.plan(service, [testing.pod()], None))
    assert "ports" not in found["subsets"][0]
    assert "service.kubernetes.io/headless" in meta.labels(found)


@pytest.mark.parametrize("spec", [{"selector": {}}, {"type": "ExternalName"}])
def test_endpoints_of_others_are_left_alone(spec: dict[str, Any]) -> None:
    found = planning.plan(testing.service(**spec), [testing.pod()], None)
    assert (found.create, found.update) == (None, None)


def test_one_being_deleted_is_left_to_the_collector() -> None:
    service = testing.service()
    service["metadata"]["deletionTimestamp"] = testing.ago(1)
    assert planning.plan(service, [testing.pod()], None).create is None


def test_what_is_right_is_not_written() -> None:
    service = testing.service()
    made = stored(planning.plan(service, [testing.pod()], None))
    assert planning.plan(service, [testing.pod(name="other")], made).update is not None
    same = planning.plan(service, [], stored(planning.plan(service, [], None)))
    assert (same.create, same.update) == (None, None)


def test_notes_of_others_survive() -> None:
    service = testing.service()
    made = stored(planning.plan(service, [], None))
    made["metadata"]["annotations"] = {"theirs": "kept"}
    found = planning.plan(service, [testing.pod()], made).update
    assert found is not None
    assert meta.annotations(found) == {"theirs": "kept"}


def test_beyond_the_capacity_the_ready_stay() -> None:
    crowd = [testing.pod(f"p{number:04}", ip=f"127.64.{number // 250}.{number % 250 + 1}") for number in range(1001)]
    crowd[0]["status"]["conditions"][0]["status"] = "False"
    made = stored(planning.plan(testing.service(), crowd, None))
    assert len(ips(made["subsets"])) == planning.CAPACITY
    assert ips(made["subsets"], "notReadyAddresses") == []
    assert meta.annotations(made) == {planning.OVER_CAPACITY: "truncated"}


@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
def test_the_order_of_pods_makes_no_difference(order: list[int], sick: set[int]) -> None:
    pods = [
        testing.pod(f"p{number}", ip=f"127.64.0.{number + 1}", ready=number not in sick, uid=f"u{number}")
        for number in range(6)
    ]
    service = testing.service()
    made = stored(planning.plan(service, pods, None))
    again = planning.plan(service, [pods[number] for number in order], made)
    assert (again.create, again.update) == (None, None)
    assert sorted(ips(made["subsets"])) == [f"127.64.0.{number + 1}" for number in range(6) if number not in sick]
