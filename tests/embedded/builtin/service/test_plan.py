from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.service import plan as planning
from brickyard.kube.objects import meta, owners


def step(service: dict[str, Any], pods: Any = (), slices: Any = ()) -> planning.Plan:
    return planning.plan(planning.Snapshot(service, pods, slices))


def apply(found: planning.Plan, slices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The slices after the plan was carried out."""
    held = {meta.name(each): each for each in slices}
    for each in found.delete:
        del held[meta.name(each)]
    for each in found.update:
        held[meta.name(each)] = each
    for each in found.create:
        assert meta.name(each) not in held
        held[meta.name(each)] = each
    return [held[name] for name in sorted(held)]


def fleet(count: int, first: int = 0, **more: Any) -> list[dict[str, Any]]:
    numbers = range(first, first + count)
    return [testing.pod(f"web-{n:04}", ip=f"127.64.{n // 250}.{n % 250 + 1}", **more) for n in numbers]


def addresses(slices: Any) -> list[str]:
    return [address for each in slices for one in each["endpoints"] for address in one["addresses"]]


def test_a_service_gets_a_slice_of_the_pods_it_selects() -> None:
    service = testing.service()
    mine, other = testing.pod("a", ip="127.64.0.1"), testing.pod("b", ip="127.64.0.2", labels={"app": "other"})
    (made,) = step(service, [mine, other]).create
    assert addresses([made]) == ["127.64.0.1"]
    assert made["addressType"] == "IPv4"
    assert made["ports"] == [{"name": "http", "protocol": "TCP", "port": 8000}]
    assert made["metadata"]["generateName"] == "web-"
    assert made["metadata"]["labels"] == {
        planning.SERVICE_NAME: "web",
        planning.MANAGED_BY: planning.MANAGER,
    }
    assert owners.is_controlled_by(made, service)


@pytest.mark.parametrize(
    "spec", [{"selector": None}, {"selector": {}}, {"type": "ExternalName", "externalName": "example.org"}]
)
def test_a_service_without_selector_is_left_alone(spec: dict[str, Any]) -> None:
    service = testing.service()
    (made,) = step(service, fleet(1)).create
    service["spec"] |= spec
    found = step(service, [], [made])
    assert (found.create, found.update, found.delete) == ((), (), ())


def test_a_dying_service_is_left_to_the_garbage_collector() -> None:
    service = testing.service()
    service["metadata"]["deletionTimestamp"] = testing.ago(0)
    found = step(service, fleet(1))
    assert (found.create, found.update, found.delete) == ((), (), ())


def test_slices_of_others_are_not_touched() -> None:
    service = testing.service()
    foreign = step(service, fleet(1)).create[0]
    foreign["metadata"]["labels"][planning.MANAGED_BY] = "somebody"
    found = step(service, [], [foreign])
    assert (found.update, found.delete) == ((), ())
    assert len(found.create) == 1


def test_slices_of_a_former_service_of_the_name_go() -> None:
    before, now = testing.service(), testing.service()
    left = step(before, fleet(1)).create[0]
    found = step(now, fleet(1), [left])
    assert found.delete == (left,)
    assert len(found.create) == 1
    assert meta.name(found.create[0]) != meta.name(left)


def test_without_endpoints_an_empty_slice_says_so() -> None:
    service = testing.service()
    (made,) = step(service).create
    assert made["endpoints"] == []
    assert made["ports"] == []
    found = step(service, [], [made])
    assert (found.create, found.update, found.delete) == ((), (), ())


def test_the_last_slice_is_emptied_not_deleted() -> None:
    service = testing.service()
    (made,) = step(service, fleet(1)).create
    found = step(service, [], [made])
    assert (found.create, found.delete) == ((), ())
    assert found.update[0]["endpoints"] == []


def test_labels_follow_the_service() -> None:
    service = testing.service(clusterIP="None")
    (made,) = step(service, fleet(1)).create
    assert made["metadata"]["labels"][planning.HEADLESS] == ""
    service["metadata"]["labels"] = {"team": "a", planning.MANAGED_BY: "spoof"}
    service["spec"]["clusterIP"] = "127.0.0.9"
    (changed,) = step(service, fleet(0), [made]).update
    assert changed["metadata"]["labels"] == {
        "team": "a",
        planning.SERVICE_NAME: "web",
        planning.MANAGED_BY: planning.MANAGER,
    }


def test_pods_with_other_numbers_behind_a_name_get_a_slice_of_their_own() -> None:
    plain, other = testing.pod("a", ip="127.64.0.1"), testing.pod("b", ip="127.64.0.2")
    other["spec"] = {"containers": [{"name": "web", "ports": [{"name": "http", "containerPort": 9000}]}]}
    made = step(testing.service(), [plain, other]).create
    assert {each["ports"][0]["port"]: addresses([each]) for each in made} == {
        8000: ["127.64.0.1"],
        9000: ["127.64.0.2"],
    }


def test_a_headless_service_may_have_no_ports() -> None:
    (made,) = step(testing.service(clusterIP="None", ports=[]), fleet(2)).create
    assert made["ports"] == []
    assert len(made["endpoints"]) == 2


def test_each_family_has_its_own_slices() -> None:
    pod = testing.pod()
    pod["status"]["podIPs"] = [{"ip": "127.64.0.1"}, {"ip": "::1"}]
    service = testing.service(ipFamilies=["IPv4", "IPv6"])
    made = step(service, [pod]).create
    assert {each["addressType"]: addresses([each]) for each in made} == {"IPv4": ["127.64.0.1"], "IPv6": ["::1"]}
    service["spec"]["ipFamilies"] = ["IPv4"]
    (gone,) = step(service, [pod], made).delete
    assert gone["addressType"] == "IPv6"


# ---------------------------------------------------------------------------------------------------------------- churn


@pytest.mark.parametrize(("pods", "slices"), [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)])
def test_a_slice_holds_a_hundred(pods: int, slices: int) -> None:
    made = step(testing.service(), fleet(pods)).create
    assert len(made) == slices
    assert all(len(each["endpoints"]) <= planning.CAPACITY for each in made)
    assert len(set(addresses(made))) == pods


def test_at_rest_nothing_is_written() -> None:
    service, pods = testing.service(), fleet(150)
    slices = apply(step(service, pods), [])
    found = step(service, list(reversed(pods)), slices)
    assert (found.create, found.update, found.delete) == ((), (), ())


def test_a_pod_that_changes_is_one_write_and_stays_where_it_was() -> None:
    service, pods = testing.service(), fleet(150)
    slices = apply(step(service, pods), [])
    pods[120]["status"]["conditions"][0]["status"] = "False"
    found = step(service, pods, slices)
    assert (len(found.create), len(found.update), len(found.delete)) == (0, 1, 0)
    assert addresses(found.update) == addresses(slices[1:] if "127.64.0.121" in addresses(slices[1:]) else slices[:1])


def test_a_new_pod_goes_where_a_write_is_due_anyway() -> None:
    service, pods = testing.service(), fleet(150)
    slices = apply(step(service, pods), [])
    full = next(each for each in slices if len(each["endpoints"]) == 100)
    leaving = next(pod for pod in pods if pod["status"]["podIP"] == addresses([full])[0])
    now = [pod for pod in pods if pod is not leaving] + fleet(1, first=900)
    (changed,) = step(service, now, slices).update
    assert meta.name(changed) == meta.name(full)
    assert fleet(1, first=900)[0]["status"]["podIP"] in addresses([changed])


def test_a_new_pod_goes_to_the_fullest_slice_with_room() -> None:
    service, pods = testing.service(), fleet(250)
    slices = apply(step(service, pods), [])
    small, *big = sorted(slices, key=lambda each: len(each["endpoints"]))
    assert len(small["endpoints"]) == 50
    roomy = {**big[0], "endpoints": big[0]["endpoints"][:90]}
    kept = {address for each in (small, roomy, big[1]) for address in addresses([each])}
    now = [pod for pod in pods if pod["status"]["podIP"] in kept] + fleet(1, first=900)
    (changed,) = step(service, now, [small, roomy, big[1]]).update
    assert meta.name(changed) == meta.name(roomy)


def test_a_moved_port_rewrites_the_slice_instead_of_replacing_it() -> None:
    service, pods = testing.service(), fleet(3)
    slices = apply(step(service, pods), [])
    service["spec"]["ports"] = [{"name": "http", "port": 80, "targetPort": 9000}]
    found = step(service, pods, slices)
    assert (found.create, found.delete) == ((), ())
    (changed,) = found.update
    assert changed["ports"] == [{"name": "http", "protocol": "TCP", "port": 9000}]
    assert meta.name(changed) == meta.name(slices[0])


def test_slices_that_nobody_needs_go() -> None:
    service, pods = testing.service(), fleet(250)
    slices = apply(step(service, pods), [])
    found = step(service, pods[:1], slices)
    assert len(found.delete) == 2
    assert len(apply(found, slices)) == 1


def test_a_stale_plan_asks_for_names_that_exist() -> None:
    service, pods = testing.service(), fleet(150)
    first, second = step(service, pods), step(service, pods)
    assert {meta.name(each) for each in first.create} == {meta.name(each) for each in second.create}
    assert len({meta.name(each) for each in first.create}) == 2


# ----------------------------------------------------------------------------------------------------------- properties

CHANGES = st.lists(st.tuples(st.sampled_from(["add", "remove", "unready", "port"]), st.integers(1, 120)), max_size=6)


@settings(deadline=None, max_examples=40)
@given(CHANGES)
def test_whatever_happens_the_slices_equal_the_pods(changes: list[tuple[str, int]]) -> None:
    service, pods, numbers = testing.service(), fleet(60), itertools.count(60)
    slices = apply(step(service, pods), [])
    for verb, count in changes:
        match verb:
            case "add":
                pods += [pod for _ in range(count) for pod in fleet(1, first=next(numbers))]
            case "remove":
                del pods[:: max(1, 120 // count)]
            case "unready":
                for pod in pods[:count]:
                    pod["status"]["conditions"][0]["status"] = "False"
            case "port":
                for pod in pods[:count]:
                    pod["spec"] = {"containers": [{"name": "w", "ports": [{"name": "http", "containerPort": count}]}]}
        found = step(service, pods, slices)
        touched = {meta.name(each) for each in (*found.create, *found.update, *found.delete)}
        assert len(touched) == len(found.create) + len(found.update) + len(found.delete)
        slices = apply(found, slices)
        assert sorted(addresses(slices)) == sorted(pod["status"]["podIP"] for pod in pods)
        assert all(len(each["endpoints"]) <= planning.CAPACITY for each in slices)
        assert len(slices) >= 1
        for each in slices:
            for one in each["endpoints"]:
                pod = next(pod for pod in pods if meta.uid(pod) == one["targetRef"]["uid"])
                assert one["conditions"]["ready"] is (pod["status"]["conditions"][0]["status"] == "True")
                assert each["ports"][0]["port"] == pod["spec"]["containers"][0]["ports"][0]["containerPort"]
        rest = step(service, pods, slices)
        assert (rest.create, rest.update, rest.delete) == ((), (), ())
