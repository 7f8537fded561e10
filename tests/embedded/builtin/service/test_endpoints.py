from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.service import endpoints
from brickyard.kube.objects import meta

LEAVING: dict[str, Any] = {"deletionTimestamp": testing.ago(1)}


@pytest.mark.parametrize(
    ("ready", "leaving", "published", "expected"),
    [
        # pod ready, being deleted, publishNotReadyAddresses → ready, serving, terminating
        (True, False, False, (True, True, False)),
        (False, False, False, (False, False, False)),
        (True, True, False, (False, True, True)),
        (False, True, False, (False, False, True)),
        (False, False, True, (True, False, False)),
        (True, True, True, (True, True, True)),
    ],
)
def test_conditions(ready: bool, leaving: bool, published: bool, expected: tuple[bool, bool, bool]) -> None:
    service = testing.service(publishNotReadyAddresses=published)
    found = endpoints.endpoint(service, testing.pod(ready=ready, **(LEAVING if leaving else {})), "IPv4")
    assert found is not None
    assert found["conditions"] == dict(zip(("ready", "serving", "terminating"), expected, strict=True))


@pytest.mark.parametrize("pod", [testing.pod(phase="Failed"), testing.pod(phase="Succeeded"), testing.pod(ip="")])
def test_no_endpoint(pod: dict[str, Any]) -> None:
    assert endpoints.endpoint(testing.service(), pod, "IPv4") is None


def test_an_endpoint_tells_who_it_is() -> None:
    pod = testing.pod("web-1", ip="127.64.0.9", node="here")
    found = endpoints.endpoint(testing.service(), pod, "IPv4")
    assert found is not None
    assert found["addresses"] == ["127.64.0.9"]
    assert found["nodeName"] == "here"
    assert found["targetRef"] == {"kind": "Pod", "namespace": "default", "name": "web-1", "uid": meta.uid(pod)}
    assert "hostname" not in found


@pytest.mark.parametrize(("subdomain", "told"), [("web", True), ("other", False), ("", False)])
def test_a_host_name_is_told_to_the_service_of_its_subdomain(subdomain: str, told: bool) -> None:
    pod = testing.pod(node="")
    pod["spec"] |= {"hostname": "first", "subdomain": subdomain}
    found = endpoints.endpoint(testing.service(), pod, "IPv4")
    assert found is not None
    assert found.get("hostname") == ("first" if told else None)
    assert "nodeName" not in found


@pytest.mark.parametrize(
    ("status", "v4", "v6"),
    [
        ({"podIP": "127.64.0.1"}, "127.64.0.1", None),
        ({"podIP": "127.64.0.1", "podIPs": [{"ip": "127.64.0.1"}, {"ip": "::1"}]}, "127.64.0.1", "::1"),
        ({"podIP": "::1"}, None, "::1"),
        ({}, None, None),
        ({"podIP": "127.64.0.999"}, None, None),
    ],
)
def test_addresses_by_family(status: dict[str, Any], v4: str | None, v6: str | None) -> None:
    pod = testing.pod()
    pod["status"] = status
    assert endpoints.address(pod, "IPv4") == v4
    assert endpoints.address(pod, "IPv6") == v6


CONTAINERS = [
    {"name": "a", "ports": [{"name": "http", "containerPort": 8000}, {"name": "dns", "containerPort": 53}]},
    {"name": "b", "ports": [{"name": "dns", "containerPort": 5353, "protocol": "UDP"}]},
    {"name": "c"},
]


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        # the Service's port → the number on the pod
        ({"port": 80}, 80),
        ({"port": 80, "targetPort": 0}, 80),
        ({"port": 80, "targetPort": 8000}, 8000),
        ({"port": 80, "targetPort": "http"}, 8000),
        ({"port": 53, "targetPort": "dns"}, 53),
        ({"port": 53, "targetPort": "dns", "protocol": "UDP"}, 5353),
        ({"port": 80, "targetPort": "side"}, 9000),
        ({"port": 80, "targetPort": "once"}, None),
        ({"port": 80, "targetPort": "none"}, None),
        ({"port": 80, "targetPort": "8000"}, 8000),
    ],
)
def test_target_ports(port: dict[str, Any], expected: int | None) -> None:
    pod = testing.pod()
    pod["spec"]["containers"] = CONTAINERS
    pod["spec"]["initContainers"] = [
        {"name": "side", "restartPolicy": "Always", "ports": [{"name": "side", "containerPort": 9000}]},
        {"name": "once", "ports": [{"name": "once", "containerPort": 9001}]},
    ]
    found = endpoints.ports(testing.service(ports=[port]), pod)
    assert [each.number for each in found] == ([] if expected is None else [expected])


def test_a_port_survives_the_way_through_a_slice() -> None:
    service = testing.service(ports=[{"name": "h", "port": 80, "appProtocol": "http", "targetPort": 1}])
    (port,) = endpoints.ports(service, testing.pod())
    assert endpoints.port_of(port.body()) == port
    assert port.body() == {"name": "h", "protocol": "TCP", "port": 1, "appProtocol": "http"}
    assert endpoints.port_of({"port": 5}) == endpoints.Port("", "TCP", 5)
