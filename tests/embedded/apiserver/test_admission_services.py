"""Services."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.admission.testing import ABSENT, bent

SERVICE = testing.service()


def complaints(obj: resources.Object, old: resources.Object | None = None) -> list[str]:
    return testing.complaints(builtin_kinds.SERVICE, obj, old)


def filled(**spec: Any) -> Any:
    return testing.admitted(builtin_kinds.SERVICE, testing.service(**spec))["spec"]


def test_a_bare_service_is_filled_in_and_gets_no_address() -> None:
    assert filled() == {
        "selector": {"app": "a"},
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
    }


def test_there_is_always_a_status() -> None:
    assert testing.admitted(builtin_kinds.SERVICE, SERVICE)["status"] == {"loadBalancer": {}}


def test_headless_stays_headless() -> None:
    spec = filled(clusterIP="None")
    assert (spec["clusterIP"], spec["clusterIPs"]) == ("None", ["None"])


def test_other_types_have_what_belongs_to_them() -> None:
    assert filled(type="NodePort")["externalTrafficPolicy"] == "Cluster"
    assert "internalTrafficPolicy" not in filled(type="ExternalName", externalName="example.com")
    sticky = filled(sessionAffinity="ClientIP")
    assert sticky["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}


def test_a_target_port_by_name_stays() -> None:
    assert filled(ports=[{"port": 80, "targetPort": "http"}])["ports"][0]["targetPort"] == "http"


def test_filling_in_again_changes_nothing() -> None:
    once = testing.admitted(builtin_kinds.SERVICE, SERVICE)
    assert testing.admitted(builtin_kinds.SERVICE, once) == once


ROWS: list[tuple[str, Any, list[str]]] = [
    ("spec.ports", ABSENT, ["spec.ports: Required value"]),
    (
        "spec.type",
        "Magic",
        [
            'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
        ],
    ),
    (
        "spec.sessionAffinity",
        "Cookie",
        ['spec.sessionAffinity: Unsupported value: "Cookie": supported values: "ClientIP", "None"'],
    ),
    (
        "spec.internalTrafficPolicy",
        "Far",
        ['spec.internalTrafficPolicy: Unsupported value: "Far": supported values: "Cluster", "Local"'],
    ),
    (
        "spec.ports",
        [{"port": 0}],
        [
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
        ],
    ),
    ("spec.ports", [{}], ["spec.ports[0].port: Required value", "spec.ports[0].targetPort: Required value"]),
    (
        "spec.ports",
        [{"port": 80, "protocol": "QUIC"}],
        ['spec.ports[0].protocol: Unsupported value: "QUIC": supported values: "SCTP", "TCP", "UDP"'],
    ),
    (
        "spec.ports",
        [{"port": 80}, {"port": 81}],
        ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
    ),
    (
        "spec.ports",
        [{"port": 80, "name": "a"}, {"port": 80, "name": "a"}],
        ['spec.ports[1].name: Duplicate value: "a"', 'spec.ports[1]: Duplicate value: "TCP/80"'],
    ),
    ("spec.ports", [{"port": 80, "name": "a"}, {"port": 80, "name": "b", "protocol": "UDP"}], []),
    (
        "spec.ports",
        [{"port": 80, "nodePort": 30000}],
        ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ),
    (
        "spec.ports",
        [{"port": 80, "targetPort": "9"}],
        ['spec.ports[0].targetPort: Invalid value: "9": must contain at least one letter (a-z)'],
    ),
]


@pytest.mark.parametrize(("path", "value", "expected"), ROWS)
def test_one_thing_wrong(path: str, value: Any, expected: list[str]) -> None:
    assert complaints(bent(SERVICE, path, value)) == expected


def test_a_headless_service_needs_no_ports() -> None:
    assert complaints(bent(testing.service(clusterIP="None"), "spec.ports", ABSENT)) == []


def test_names_begin_with_a_letter() -> None:
    (found,) = complaints(bent(SERVICE, "metadata.name", "1st"))
    assert found.startswith('metadata.name: Invalid value: "1st": a DNS-1035 label must consist of')


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"externalName": "example.com."}, []),
        ({}, ["spec.externalName: Required value"]),
        (
            {"externalName": "example.com", "clusterIP": "None"},
            ["spec.clusterIPs[0]: Forbidden: may not be set for ExternalName services"],
        ),
    ],
)
def test_external_names(spec: dict[str, Any], expected: list[str]) -> None:
    assert complaints(testing.service(type="ExternalName", **spec)) == expected


def test_an_address_once_given_stays() -> None:
    old = testing.service(clusterIP="None")
    assert complaints(SERVICE, old) == ['spec.clusterIPs[0]: Invalid value: [""]: may not change once set']
    assert complaints(old, SERVICE) == []
    assert complaints(old, old) == []
