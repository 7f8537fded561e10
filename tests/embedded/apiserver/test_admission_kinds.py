"""Secrets, ConfigMaps, Events, Leases, EndpointSlices, claims, namespaces, definitions: kinds with few rules each."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from brickyard.api.kinds import crds, resources
from brickyard.embedded.apiserver import builtin_kinds, companions, contract
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.admission.testing import ABSENT, bent


def of(resource: contract.Resource, **fields: Any) -> resources.Object:
    kind = resource.type
    metadata = {"name": "a", **({"namespace": "default"} if kind.namespaced else {})}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **fields}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_text_of_a_secret_becomes_data_and_wins() -> None:
    obj = of(builtin_kinds.SECRET, data={"a": encoded("old"), "b": encoded("kept")}, stringData={"a": "new ü"})
    found = testing.admitted(builtin_kinds.SECRET, obj)
    assert found["data"] == {"a": encoded("new ü"), "b": encoded("kept")}
    assert "stringData" not in found
    assert found["type"] == "Opaque"


SECRET_ROWS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"data": {"a.b-c_D": ""}}, []),
    ({"data": {"..": ""}}, ['data[..]: Invalid value: "..": a valid config key must consist of']),
    ({"data": {"a b": ""}}, ['data[a b]: Invalid value: "a b": a valid config key must consist of']),
    (
        {"data": {"k" * 254: ""}},
        [f'data[{"k" * 254}]: Invalid value: "{"k" * 254}": must be no more than 253 characters'],
    ),
    ({"data": {"a": encoded("x" * 1_048_577)}}, ["data: Too long: may not be more than 1048576 bytes"]),
    ({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}, ["data[tls.key]: Required value"]),
]


@pytest.mark.parametrize(("fields", "expected"), SECRET_ROWS, ids=range(len(SECRET_ROWS)))
def test_secrets(fields: dict[str, Any], expected: list[str]) -> None:
    found = testing.complaints(builtin_kinds.SECRET, of(builtin_kinds.SECRET, **fields))
    assert len(found) == len(expected)
    assert all(each.startswith(row) for each, row in zip(found, expected, strict=True))


def test_a_refused_secret_keeps_its_values_to_itself() -> None:
    obj = of(builtin_kinds.SECRET, stringData={"not ok": "hunter2"})
    assert "hunter2" not in str(testing.complaints(builtin_kinds.SECRET, obj))
    assert encoded("hunter2") not in str(testing.complaints(builtin_kinds.SECRET, obj))


def test_the_type_of_a_secret_is_for_ever() -> None:
    old = of(builtin_kinds.SECRET)
    assert testing.complaints(builtin_kinds.SECRET, of(builtin_kinds.SECRET, type="mine"), old) == [
        'type: Invalid value: "mine": field is immutable'
    ]


@pytest.mark.parametrize("resource", [builtin_kinds.SECRET, builtin_kinds.CONFIG_MAP], ids=["Secret", "ConfigMap"])
def test_what_is_immutable_stays_so(resource: contract.Resource) -> None:
    old = of(resource, immutable=True, data={"a": "eA=="})
    assert testing.complaints(resource, old, old) == []
    assert testing.complaints(resource, of(resource, data={"a": "eQ=="}), old) == [
        "immutable: Forbidden: field is immutable when `immutable` is set",
        "data: Forbidden: field is immutable when `immutable` is set",
    ]


def test_a_config_map_has_each_key_once_and_is_bounded() -> None:
    twice = of(builtin_kinds.CONFIG_MAP, data={"a": ""}, binaryData={"a": ""})
    assert testing.complaints(builtin_kinds.CONFIG_MAP, twice) == [
        'data: Invalid value: "a": duplicate of key present in binaryData'
    ]
    large = of(builtin_kinds.CONFIG_MAP, data={"a": "ü" * 524_289})
    assert testing.complaints(builtin_kinds.CONFIG_MAP, large) == [": Too long: may not be more than 1048576 bytes"]


@pytest.mark.parametrize(
    ("namespace", "about", "fine"),
    [("a", "a", True), ("a", "b", False), ("default", "", True), ("kube-system", "", True), ("a", "", False)],
)
def test_events_lie_where_their_subject_lies(namespace: str, about: str, fine: bool) -> None:
    event = of(builtin_kinds.EVENT, involvedObject={"namespace": about, "kind": "X"})
    found = testing.complaints(builtin_kinds.EVENT, bent(event, "metadata.namespace", namespace))
    wrong = [f'involvedObject.namespace: Invalid value: "{about}": does not match event.namespace']
    assert found == ([] if fine else wrong)


def test_leases() -> None:
    lease = of(builtin_kinds.LEASE, spec={"leaseDurationSeconds": 0, "leaseTransitions": -1})
    assert testing.complaints(builtin_kinds.LEASE, lease) == [
        "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
        "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
    ]
    fine = of(builtin_kinds.LEASE, spec={"leaseDurationSeconds": 15, "holderIdentity": "x"})
    assert testing.complaints(builtin_kinds.LEASE, fine) == []


SLICE = of(
    builtin_kinds.ENDPOINT_SLICE,
    addressType="IPv4",
    endpoints=[{"addresses": ["127.1.0.1"]}],
    ports=[{"port": 8000}],
)
SLICE_ROWS: list[tuple[str, Any, list[str]]] = [
    ("ports[0].name", "http", []),
    ("addressType", ABSENT, ["addressType: Required value"]),
    ("addressType", "IPX", ['addressType: Unsupported value: "IPX": supported values: "FQDN", "IPv4", "IPv6"']),
    ("addressType", "IPv6", ['endpoints[0].addresses[0]: Invalid value: "127.1.0.1": must be an IPv6 address']),
    ("endpoints[0].addresses", [], ["endpoints[0].addresses: Required value: must contain at least 1 address"]),
    ("endpoints", [{"addresses": ["127.0.0.1"]}] * 1001, ["endpoints: Too many: 1001: must have at most 1000 items"]),
    ("ports[0].port", 0, ["ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"]),
    ("ports", [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}], ['ports[1].name: Duplicate value: "a"']),
]


@pytest.mark.parametrize(("path", "value", "expected"), SLICE_ROWS, ids=range(len(SLICE_ROWS)))
def test_endpoint_slices(path: str, value: Any, expected: list[str]) -> None:
    assert testing.complaints(builtin_kinds.ENDPOINT_SLICE, bent(SLICE, path, value)) == expected


def test_endpoint_slices_are_filled_in_and_keep_their_address_type() -> None:
    assert testing.admitted(builtin_kinds.ENDPOINT_SLICE, SLICE)["ports"] == [
        {"port": 8000, "name": "", "protocol": "TCP"}
    ]
    other = bent(bent(SLICE, "addressType", "FQDN"), "endpoints[0].addresses", ["a.example"])
    assert testing.complaints(builtin_kinds.ENDPOINT_SLICE, other, SLICE) == [
        'addressType: Invalid value: "FQDN": field is immutable'
    ]


def test_claims_on_storage() -> None:
    claim = of(builtin_kinds.PERSISTENT_VOLUME_CLAIM)
    assert testing.complaints(builtin_kinds.PERSISTENT_VOLUME_CLAIM, claim) == [
        "spec.accessModes: Required value: at least 1 access mode is required",
        "spec.resources[storage]: Required value",
    ]
    found = testing.admitted(builtin_kinds.PERSISTENT_VOLUME_CLAIM, claim)
    assert (found["spec"]["volumeMode"], found["status"]["phase"]) == ("Filesystem", "Pending")


def test_namespaces_are_labels() -> None:
    (found,) = testing.complaints(builtin_kinds.NAMESPACE, bent(of(builtin_kinds.NAMESPACE), "metadata.name", "a.b"))
    assert found.startswith('metadata.name: Invalid value: "a.b": a lowercase RFC 1123 label')


DEFINITION = testing.definition()
V0 = "spec.versions[0]"
NAMES = 'must be spec.names.plural+"."+spec.group'
DEFINITION_ROWS: list[tuple[str, Any, list[str]]] = [
    ("spec.scope", "World", ['spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"']),
    ("spec.group", ABSENT, ["spec.group: Required value"]),
    (
        "spec.group",
        "example",
        [
            'spec.group: Invalid value: "example": should be a domain with at least one dot',
            f'metadata.name: Invalid value: "widgets.example.com": {NAMES}',
        ],
    ),
    ("metadata.name", "other.example.com", [f'metadata.name: Invalid value: "other.example.com": {NAMES}']),
    ("spec.names.plural", ABSENT, ["spec.names.plural: Required value"]),
    (
        "spec.conversion",
        {"strategy": "Webhook"},
        ['spec.conversion.strategy: Unsupported value: "Webhook": supported values: "None"'],
    ),
    (
        f"{V0}.storage",
        False,
        ['spec.versions: Invalid value: ["v1"]: must have exactly one version marked as storage version'],
    ),
    (f"{V0}.served", False, ['spec.versions: Invalid value: ["v1"]: must have at least one served version']),
    (f"{V0}.schema", ABSENT, ["spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"]),
    (
        f"{V0}.schema.openAPIV3Schema",
        {"type": "string"},
        ['spec.versions[0].schema.openAPIV3Schema.type: Invalid value: "string": must be object at the root'],
    ),
    (
        f"{V0}.additionalPrinterColumns",
        [{"name": "A", "type": "text", "jsonPath": ".spec.a"}],
        [
            (
                'spec.versions[0].additionalPrinterColumns[0].type: Unsupported value: "text": '
                'supported values: "boolean", "date", "integer", "number", "string"'
            ),
        ],
    ),
    (
        f"{V0}.subresources",
        {"scale": {"specReplicasPath": ".status.x", "statusReplicasPath": ".status.x"}},
        [
            (
                'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".status.x": '
                "should be a json path under .spec"
            ),
        ],
    ),
]


@pytest.mark.parametrize(("path", "value", "expected"), DEFINITION_ROWS, ids=range(len(DEFINITION_ROWS)))
def test_definitions(path: str, value: Any, expected: list[str]) -> None:
    found = testing.complaints(builtin_kinds.CUSTOM_RESOURCE_DEFINITION, bent(DEFINITION, path, value))
    assert found == expected


def test_a_definition_is_filled_in() -> None:
    spec = testing.admitted(builtin_kinds.CUSTOM_RESOURCE_DEFINITION, DEFINITION)["spec"]
    assert spec["names"] == {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"}
    assert spec["conversion"] == {"strategy": "None"}


def test_a_column_whose_path_cannot_be_read_is_refused() -> None:
    columns = [{"name": "A", "type": "string", "jsonPath": "spec"}]
    obj = bent(DEFINITION, f"{V0}.additionalPrinterColumns", columns)
    (found,) = testing.complaints(builtin_kinds.CUSTOM_RESOURCE_DEFINITION, obj)
    assert found.startswith('spec.versions[0].additionalPrinterColumns[0].jsonPath: Invalid value: "spec": ')


def test_kubernetes_own_groups_are_protected() -> None:
    ours = [each for each in companions.definitions() if each["spec"]["group"].endswith(".k8s.io")]
    assert ours
    assert [testing.complaints(builtin_kinds.CUSTOM_RESOURCE_DEFINITION, each) for each in ours] == [[]] * len(ours)
    (found,) = testing.complaints(
        builtin_kinds.CUSTOM_RESOURCE_DEFINITION,
        bent(bent(DEFINITION, "spec.group", "x.k8s.io"), "metadata.name", "widgets.x.k8s.io"),
    )
    assert found.startswith(
        "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have"
    )


def test_what_a_definition_defines_is_for_ever() -> None:
    other = bent(DEFINITION, "spec.scope", "Cluster")
    assert testing.complaints(builtin_kinds.CUSTOM_RESOURCE_DEFINITION, other, DEFINITION) == [
        'spec.scope: Invalid value: "Cluster": field is immutable'
    ]


def test_our_own_definitions_are_valid_and_strict() -> None:
    resource = builtin_kinds.CUSTOM_RESOURCE_DEFINITION
    for each in [*crds.definitions(), *companions.definitions()]:
        assert resource.admission.unknown_fields(each) == []
        assert testing.complaints(resource, each) == []
