"""Storage, devices, networks: what is filled in and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds, contract
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.admission.testing import ABSENT, bent


def made(resource: contract.Resource, **content: Any) -> resources.Object:
    metadata = {"name": "a", **({"namespace": "default"} if resource.type.namespaced else {})}
    return {"apiVersion": resource.type.api_version, "kind": resource.type.kind, "metadata": metadata, **content}


CLASS = made(builtin_kinds.STORAGE_CLASS, provisioner="disks.example.com", parameters={"type": "fast"})
VOLUME = made(
    builtin_kinds.PERSISTENT_VOLUME,
    spec={"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/data"}},
)
CLAIM = made(
    builtin_kinds.PERSISTENT_VOLUME_CLAIM,
    spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
)
REQUESTS = "spec.spec.devices.requests"
DEVICES = made(
    builtin_kinds.RESOURCE_CLAIM_TEMPLATE,
    spec={"spec": {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpu.example.com"}}]}}},
)
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
INGRESS = made(
    builtin_kinds.INGRESS,
    spec={
        "rules": [
            {"host": "a.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]}}
        ]
    },
)
POLICY = made(
    builtin_kinds.NETWORK_POLICY,
    spec={
        "podSelector": {},
        "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 80}]}],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}],
    },
)
ENDPOINTS = made(
    builtin_kinds.ENDPOINTS,
    subsets=[{"addresses": [{"ip": "10.0.0.1"}, {"ip": "127.0.0.1"}], "ports": [{"port": 80}]}],
)
ALL = [
    (builtin_kinds.STORAGE_CLASS, CLASS),
    (builtin_kinds.PERSISTENT_VOLUME, VOLUME),
    (builtin_kinds.PERSISTENT_VOLUME_CLAIM, CLAIM),
    (builtin_kinds.RESOURCE_CLAIM_TEMPLATE, DEVICES),
    (builtin_kinds.INGRESS, INGRESS),
    (builtin_kinds.NETWORK_POLICY, POLICY),
    (builtin_kinds.ENDPOINTS, ENDPOINTS),
]


@pytest.mark.parametrize(("kind", "obj"), ALL, ids=[kind.type.kind for kind, _ in ALL])
def test_a_small_one_is_accepted_and_filling_it_in_twice_changes_nothing(
    kind: contract.Resource, obj: resources.Object
) -> None:
    assert testing.complaints(kind, obj) == []
    once = testing.admitted(kind, obj)
    assert testing.admitted(kind, once) == once
    assert testing.complaints(kind, once, once) == []


FILLED = [
    (builtin_kinds.STORAGE_CLASS, CLASS, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}),
    (builtin_kinds.PERSISTENT_VOLUME, VOLUME, {"status": {"phase": "Pending"}}),
    (builtin_kinds.PERSISTENT_VOLUME_CLAIM, CLAIM, {"status": {"phase": "Pending"}}),
    (builtin_kinds.INGRESS, INGRESS, {"status": {"loadBalancer": {}}}),
]


@pytest.mark.parametrize(("kind", "obj", "filled"), FILLED, ids=[row[0].type.kind for row in FILLED])
def test_what_is_filled_in(kind: contract.Resource, obj: resources.Object, filled: dict[str, Any]) -> None:
    kept = testing.admitted(kind, obj)
    assert {key: kept.get(key) for key in filled} == filled


def test_what_is_filled_in_below() -> None:
    volume = testing.admitted(builtin_kinds.PERSISTENT_VOLUME, VOLUME)["spec"]
    assert (volume["persistentVolumeReclaimPolicy"], volume["volumeMode"], volume["hostPath"]) == (
        "Retain",
        "Filesystem",
        {"path": "/data", "type": ""},
    )
    request = testing.admitted(builtin_kinds.RESOURCE_CLAIM_TEMPLATE, DEVICES)["spec"]["spec"]["devices"]["requests"][0]
    assert request["exactly"] == {"deviceClassName": "gpu.example.com", "allocationMode": "ExactCount", "count": 1}
    policy = testing.admitted(builtin_kinds.NETWORK_POLICY, POLICY)["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]
    subset = testing.admitted(builtin_kinds.ENDPOINTS, ENDPOINTS)["subsets"][0]
    assert subset["ports"] == [{"port": 80, "protocol": "TCP"}]


PATH = "spec.rules[0].http.paths[0]"
REFUSED = [
    (CLASS, "provisioner", "", "provisioner: Required value"),
    (CLASS, "reclaimPolicy", "Keep", 'reclaimPolicy: Unsupported value: "Keep": supported values: "Delete", "Retain"'),
    (
        CLASS,
        "volumeBindingMode",
        "Later",
        'volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"',
    ),
    (CLASS, "parameters", {"": "x"}, 'parameters: Invalid value: "": field can not be empty.'),
    (VOLUME, "spec.accessModes", [], "spec.accessModes: Required value: at least 1 access mode is required"),
    (VOLUME, "spec.capacity", {}, "spec.capacity: Required value"),
    (VOLUME, "spec.capacity.storage", "0", 'spec.capacity[storage]: Invalid value: "0": must be greater than zero'),
    (VOLUME, "spec.hostPath", ABSENT, "spec: Required value: must specify a volume type"),
    (VOLUME, "spec.nfs", {"server": "s", "path": "/"}, "spec.nfs: Forbidden: may not specify more than 1 volume type"),
    (VOLUME, "spec.hostPath.path", "/a/../b", "spec.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"),
    (
        VOLUME,
        "spec.volumeMode",
        "Tape",
        'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"',
    ),
    (
        VOLUME,
        "spec.accessModes",
        ["ReadWriteOncePod", "ReadWriteOnce"],
        "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
    ),
    (CLAIM, "spec.resources", {}, "spec.resources[storage]: Required value"),
    (
        ENDPOINTS,
        "subsets[0].addresses",
        [],
        "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`",
    ),
    (
        ENDPOINTS,
        "subsets[0].notReadyAddresses",
        [{"ip": "web"}],
        (
            'subsets[0].notReadyAddresses[0].ip: Invalid value: "web": '
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        ),
    ),
    (
        ENDPOINTS,
        "subsets[0].ports",
        [{"port": 80, "name": "a"}, {"port": 81}],
        "subsets[0].ports[1].name: Required value",
    ),
    (
        ENDPOINTS,
        "subsets[0].ports[0].port",
        0,
        "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
    ),
    (DEVICES, f"{REQUESTS}[0].name", "", f"{REQUESTS}[0].name: Required value"),
    (
        DEVICES,
        f"{REQUESTS}[0].exactly",
        ABSENT,
        f"{REQUESTS}[0]: Required value: exactly one of `exactly` or `firstAvailable` is required",
    ),
    (
        DEVICES,
        f"{REQUESTS}[0].exactly.deviceClassName",
        "",
        f"{REQUESTS}[0].exactly.deviceClassName: Required value",
    ),
    (
        DEVICES,
        f"{REQUESTS}[0].exactly.count",
        -1,
        f"{REQUESTS}[0].exactly.count: Invalid value: -1: must be greater than zero",
    ),
    (
        DEVICES,
        f"{REQUESTS}[0].exactly.allocationMode",
        "Most",
        f'{REQUESTS}[0].exactly.allocationMode: Unsupported value: "Most": supported values: "All", "ExactCount"',
    ),
    (INGRESS, f"{PATH}.pathType", "", f"{PATH}.pathType: Required value: pathType must be specified"),
    (INGRESS, f"{PATH}.path", "x", f'{PATH}.path: Invalid value: "x": must be an absolute path'),
    (INGRESS, f"{PATH}.backend", {}, f"{PATH}.backend: Required value: must specify a `service` or `resource` backend"),
    (INGRESS, f"{PATH}.backend.service.port", {}, f"{PATH}.backend: Required value: port name or number is required"),
    (INGRESS, f"{PATH}.backend.service.name", "", f"{PATH}.backend.service.name: Required value"),
    (
        INGRESS,
        "spec.rules[0].host",
        "1.2.3.4",
        'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address',
    ),
    (POLICY, "spec.ingress[0].from[0]", {}, "spec.ingress[0].from[0]: Required value: must specify a peer"),
    (
        POLICY,
        "spec.egress[0].to[0].podSelector",
        {},
        "spec.egress[0].to[0]: Forbidden: may not specify both ipBlock and another peer",
    ),
    (
        POLICY,
        "spec.ingress[0].ports[0].endPort",
        79,
        "spec.ingress[0].ports[0].endPort: Invalid value: 79: must be greater than or equal to `port`",
    ),
    (
        POLICY,
        "spec.policyTypes",
        ["Sideways"],
        'spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Egress", "Ingress"',
    ),
]
KIND_OF = {kind.type.kind: kind for kind, _ in ALL}


@pytest.mark.parametrize(("obj", "path", "value", "complaint"), REFUSED)
def test_what_is_wrong_is_named(obj: resources.Object, path: str, value: Any, complaint: str) -> None:
    assert testing.complaints(KIND_OF[obj["kind"]], bent(obj, path, value)) == [complaint]


def test_a_block_of_addresses_is_one() -> None:
    (found,) = testing.complaints(
        KIND_OF["NetworkPolicy"], bent(POLICY, "spec.egress[0].to[0].ipBlock.cidr", "10.0.0.1/8")
    )
    assert "must be a valid CIDR value" in found


def test_an_ingress_sends_somewhere() -> None:
    (found,) = testing.complaints(builtin_kinds.INGRESS, made(builtin_kinds.INGRESS, spec={}))
    assert found == "spec: Invalid value: {}: either `defaultBackend` or `rules` must be specified"


CHANGES = [
    (CLASS, "allowVolumeExpansion", True, ""),
    (CLASS, "parameters", {}, "parameters: Forbidden: updates to parameters are forbidden."),
    (CLASS, "provisioner", "other", "provisioner: Forbidden: updates to provisioner are forbidden."),
    (CLASS, "reclaimPolicy", "Retain", "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden."),
    (CLASS, "volumeBindingMode", "WaitForFirstConsumer", "volumeBindingMode: Invalid value: "),
    (VOLUME, "spec.persistentVolumeReclaimPolicy", "Delete", ""),
    (VOLUME, "spec.claimRef", {"name": "x", "namespace": "default"}, ""),
    (VOLUME, "spec.hostPath.path", "/other", "spec.persistentvolumesource: Forbidden: "),
    (CLAIM, "spec.resources.requests.storage", "2Gi", ""),
    (CLAIM, "spec.volumeName", "a", ""),
    (CLAIM, "spec.storageClassName", "fast", ""),
    (CLAIM, "spec.accessModes", ["ReadWriteMany"], "spec: Forbidden: spec is immutable after creation except"),
    (DEVICES, f"{REQUESTS}[0].exactly.count", 2, "spec: Invalid value: "),
]


@pytest.mark.parametrize(("obj", "path", "value", "complaint"), CHANGES)
def test_what_may_change(obj: resources.Object, path: str, value: Any, complaint: str) -> None:
    found = testing.complaints(KIND_OF[obj["kind"]], bent(obj, path, value), obj)
    assert [each.startswith(complaint) for each in found] == ([True] if complaint else [])


def test_a_bound_claim_keeps_its_volume() -> None:
    bound = bent(CLAIM, "spec.volumeName", "a")
    assert testing.complaints(KIND_OF["PersistentVolumeClaim"], bent(CLAIM, "spec.volumeName", "b"), bound) != []
