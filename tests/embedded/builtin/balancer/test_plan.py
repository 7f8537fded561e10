from __future__ import annotations

import ipaddress
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.balancer import plan as planning

ADDRESS = "127.130.1.1"


def endpoint(address: str, ready: bool = True, serving: bool = True, terminating: bool = False) -> dict[str, Any]:
    said = {"ready": ready, "serving": serving, "terminating": terminating}
    return {"addresses": [address], "conditions": said}


def piece(*endpoints: dict[str, Any], name: str = "http", port: int = 8000, **more: Any) -> dict[str, Any]:
    ports = [{"name": name, "port": port, "protocol": "TCP"}]
    return {"addressType": "IPv4", "endpoints": list(endpoints), "ports": ports, **more}


FREE = planning.Taken()


def step(*slices: dict[str, Any], taken: planning.Taken = FREE, **spec: Any) -> planning.Plan:
    return planning.plan(testing.service(**spec), slices, taken)


@pytest.mark.parametrize(
    ("spec", "assigns", "listens"),
    [
        ({}, True, False),
        ({"type": "NodePort"}, True, False),
        ({"type": "LoadBalancer"}, True, False),
        ({"clusterIP": ADDRESS}, False, True),
        ({"clusterIP": "None"}, False, False),
        ({"type": "ExternalName"}, False, False),
        ({"clusterIP": "10.0.0.7"}, False, False),
    ],
)
def test_who_has_an_address_and_who_is_listened_for(spec: dict[str, Any], assigns: bool, listens: bool) -> None:
    found = step(**spec)
    assert (bool(found.assign), bool(found.listen)) == (assigns, listens)


def test_one_being_deleted_is_served_no_longer() -> None:
    service = testing.service(clusterIP=ADDRESS)
    service["metadata"]["deletionTimestamp"] = testing.ago(1)
    assert planning.plan(service, (), FREE).listen == ()


def test_the_api_server_is_reached_where_it_listens() -> None:
    found = planning.plan(testing.service("kubernetes"), (), FREE)
    assert (found.assign, found.listen) == (None, ())
    assert planning.plan(testing.service("kubernetes-too"), (), FREE).assign


def test_a_foreign_address_is_told() -> None:
    assert "leave clusterIP out" in step(clusterIP="10.0.0.7").unserved


def test_ports_are_those_of_the_manifest() -> None:
    ports = [
        {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
        {"name": "metrics", "port": 9000, "protocol": "TCP"},
    ]
    slices = [piece(endpoint("127.64.0.1")), piece(endpoint("127.64.0.1"), name="metrics", port=9100)]
    found = step(*slices, clusterIP=ADDRESS, ports=ports)
    assert found.listen == (
        planning.Listen(ADDRESS, 80, (planning.Target("127.64.0.1", 8000),)),
        planning.Listen(ADDRESS, 9000, (planning.Target("127.64.0.1", 9100),)),
    )


def test_a_port_may_be_of_both_protocols() -> None:
    ports = [{"name": "dns", "port": 53, "protocol": each} for each in ("UDP", "TCP")]
    both = [{"name": "dns", "port": 5353, "protocol": each} for each in ("UDP", "TCP")]
    pods = {"addressType": "IPv4", "endpoints": [endpoint("127.64.0.1")], "ports": both}
    found = step(pods, clusterIP=ADDRESS, ports=ports)
    target = planning.Target("127.64.0.1", 5353)
    assert found.listen == (
        planning.Listen(ADDRESS, 53, (target,), protocol="UDP"),
        planning.Listen(ADDRESS, 53, (target,)),
    )


def test_what_is_neither_tcp_nor_udp_is_told() -> None:
    ports = [{"name": "call", "port": 99, "protocol": "SCTP"}, {"name": "http", "port": 80, "protocol": "TCP"}]
    found = step(clusterIP=ADDRESS, ports=ports)
    assert [each.port for each in found.listen] == [80]
    assert "99/SCTP" in found.unserved


# Ports of the node.


def test_node_ports_are_given_and_then_listened_on() -> None:
    service = testing.service(type="NodePort", clusterIP=ADDRESS)
    first = planning.plan(service, (), FREE)
    assert first.assign is not None
    (port,) = first.assign["ports"]
    assert port["nodePort"] in planning.NODE_PORTS
    assert planning.plan(service, (), FREE).assign == first.assign
    service["spec"] |= first.assign
    listens = planning.plan(service, (), FREE).listen
    assert [(each.host, each.port) for each in listens] == [(ADDRESS, 80), ("127.0.0.1", port["nodePort"])]


def test_node_ports_of_others_are_not_given_again() -> None:
    service = testing.service(type="NodePort", clusterIP=ADDRESS)
    first = planning.plan(service, (), FREE).assign
    assert first is not None
    number = first["ports"][0]["nodePort"]
    second = planning.plan(service, (), planning.Taken(node_ports={(number, "TCP")})).assign
    assert second is not None
    assert second["ports"][0]["nodePort"] != number
    third = planning.plan(service, (), planning.Taken(node_ports={(number, "UDP")})).assign
    assert third == first


def test_a_node_port_of_ones_own_choice_is_kept() -> None:
    ports = [{"name": "a", "port": 80, "nodePort": 30080}, {"name": "b", "port": 81}]
    assign = step(type="NodePort", clusterIP=ADDRESS, ports=ports).assign
    assert assign is not None
    assert assign["ports"][0] == ports[0]
    assert assign["ports"][1]["nodePort"] not in (30080, 0)


def test_when_no_node_port_is_free_the_service_goes_without() -> None:
    class All:
        def __contains__(self, _: object) -> bool:
            return True

    found = step(type="NodePort", clusterIP=ADDRESS, taken=planning.Taken(node_ports=All()))
    assert found.assign is None
    assert [each.host for each in found.listen] == [ADDRESS]
    nowhere = step(taken=planning.Taken(addresses=All()))
    assert nowhere.assign is None
    assert "is taken" in nowhere.unserved


def test_a_load_balancer_tells_its_address() -> None:
    spec: dict[str, Any] = {"type": "LoadBalancer", "clusterIP": ADDRESS, "allocateLoadBalancerNodePorts": False}
    found = step(**spec)
    assert (found.assign, found.ingress) == (None, ADDRESS)
    assert step(clusterIP=ADDRESS).ingress == ""


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ([], []),
        ([endpoint("127.64.0.1"), endpoint("127.64.0.2")], ["127.64.0.1", "127.64.0.2"]),
        ([endpoint("127.64.0.1"), endpoint("127.64.0.2", ready=False, serving=False)], ["127.64.0.1"]),
        ([endpoint("127.64.0.1"), endpoint("127.64.0.2", ready=False, terminating=True)], ["127.64.0.1"]),
        ([endpoint("127.64.0.2", ready=False, terminating=True)], ["127.64.0.2"]),
        ([endpoint("127.64.0.2", ready=False, serving=False, terminating=True)], []),
        ([{"addresses": ["127.64.0.9"]}], ["127.64.0.9"]),
    ],
)
def test_who_answers(endpoints: list[dict[str, Any]], expected: list[str]) -> None:
    assert [each.host for each in planning.targets([piece(*endpoints)], "http")] == expected


def test_slices_of_other_families_ports_and_protocols_do_not_answer() -> None:
    v6 = piece(endpoint("::1"), addressType="IPv6")
    udp = piece(endpoint("127.64.0.1"))
    udp["ports"][0]["protocol"] = "UDP"
    assert planning.targets([v6, udp, piece(endpoint("127.64.0.1"), name="other")], "http") == ()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, None),
        ({"sessionAffinity": "None"}, None),
        ({"sessionAffinity": "ClientIP"}, 10800.0),
        ({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}, 5.0),
    ],
)
def test_affinity(more: dict[str, Any], expected: float | None) -> None:
    (listen,) = step(clusterIP=ADDRESS, **more).listen
    assert listen.affinity == expected


@given(st.uuids(), st.integers(0, 20))
def test_a_free_address_is_free_ours_and_the_same_every_time(uid: uuid.UUID, others: int) -> None:
    taken: set[str] = set()
    for _ in range(others):
        taken.add(planning.free_address(str(uid), taken))
    assert len(taken) == others
    found = planning.free_address(str(uid), taken)
    assert found == planning.free_address(str(uid), taken)
    assert found not in taken
    assert ipaddress.IPv4Address(found) in planning.NETWORK
    assert found.rpartition(".")[2] not in ("0", "255")


class Everything:
    def __contains__(self, _: object) -> bool:
        return True


def test_when_none_is_free_none_is_given() -> None:
    assert planning.free_address("uid", Everything()) == ""


@pytest.mark.parametrize(("address", "ours"), [("127.0.0.1", True), ("10.1.1.1", False), ("::1", False), ("x", False)])
def test_addresses_of_this_machine(address: str, ours: bool) -> None:
    assert planning.is_ours(address) is ours
