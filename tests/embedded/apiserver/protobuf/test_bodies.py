"""Objects in Kubernetes' binary form: bodies that kubectl 1.37 sent, and the corners of the wire."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.apiserver import builtin_kinds, contract
from brickyard.embedded.apiserver.admission import testing
from brickyard.embedded.apiserver.protobuf import bodies, wire

# As sent by `kubectl create namespace foo`, `… deployment d --image=x:1 --replicas=2 --port=80` and so on.
NAMESPACE = "azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhsKEwoDZm9vEgAaACIAKgAyADgAQgASABoCCgAaACIA"
DEPLOYMENT = (
    "azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50EqkBChsKAWQSABoAIgAqADIAOABCAFoICgNhcHASAWQSfAgCEgoKCAoDYXBwEgFkGmQKGgoAEgAaACIAKgAyADgA"
    "QgBaCAoDYXBwEgFkEkYSKAoBeBIDeDoxKgAyCgoAEAAYUCIAKgBCAGoAcgCAAQCIAQCQAQCiAQAaADIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAIgIKACgAOAAa"
    "DAgAEAAYACAAKAA4ABoAIgA="
)
SERVICE = (
    "azhzAAoNCgJ2MRIHU2VydmljZRJmChsKAXMSABoAIgAqADIAOABCAFoICgNhcHASAXMSQwoeCgc4MC1odHRwEgNUQ1AYUCIKCAEQABoEaHR0cCgAEggKA2FwcBIB"
    "cxoAIglDbHVzdGVySVA6AEIAUgBaAGAAaAAaAgoAGgAiAA=="
)
SECRET = "azhzAAoMCgJ2MRIGU2VjcmV0Eh0KEQoBcxIAGgAiACoAMgA4AEIAEgYKAWESAWIaABoAIgA="


def sent(body: str) -> dict[str, Any]:
    return bodies.decode(base64.b64decode(body))


def test_a_namespace() -> None:
    assert sent(NAMESPACE) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "foo"},
        "spec": {},
        "status": {},
    }


def test_a_deployment_is_what_the_same_yaml_would_be() -> None:
    found = sent(DEPLOYMENT)
    assert found["spec"] == {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "d"}},
        "template": {
            "metadata": {"labels": {"app": "d"}},
            "spec": {"containers": [{"name": "x", "image": "x:1", "ports": [{"containerPort": 80}], "resources": {}}]},
        },
        "strategy": {},
    }
    found["metadata"]["namespace"] = "default"
    assert builtin_kinds.DEPLOYMENT.admission.unknown_fields(found) == []
    assert testing.complaints(builtin_kinds.DEPLOYMENT, found) == []


def test_a_service_with_a_port_by_name_and_a_secret() -> None:
    assert sent(SERVICE)["spec"]["ports"] == [{"name": "80-http", "protocol": "TCP", "port": 80, "targetPort": "http"}]
    assert sent(SECRET)["data"] == {"a": "Yg=="}


number = wire.put_varint


def block(field: int, value: bytes | str) -> bytes:
    return wire.put_block(field, value.encode() if isinstance(value, str) else value)


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\x00" + block(1, block(1, api_version) + block(2, kind)) + block(2, raw)


def pod(container: bytes) -> Any:
    """A pod with one container, decoded: that container."""
    return bodies.decode(envelope("v1", "Pod", block(2, block(2, container))))["spec"]["containers"][0]


def test_fields_of_an_embedded_message_stand_in_their_holder() -> None:
    handler = block(2, block(1, "/healthz") + block(2, number(1, 0) + number(2, 8080)))
    probe = block(1, handler) + number(4, 5)
    assert pod(block(10, probe))["livenessProbe"] == {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5}


def test_a_pointer_keeps_its_zero_and_a_value_drops_it() -> None:
    spec = number(1, 0) + number(5, 0) + number(6, 0)
    found = bodies.decode(envelope("apps/v1", "Deployment", block(2, spec)))
    assert found["spec"] == {"replicas": 0, "revisionHistoryLimit": 0}


def test_quantities_and_maps() -> None:
    entry = block(1, "cpu") + block(2, block(1, "500m"))
    assert pod(block(8, block(1, entry)))["resources"] == {"limits": {"cpu": "500m"}}


def test_times() -> None:
    moment = block(8, number(1, 1_700_000_000))
    found = bodies.decode(envelope("v1", "ConfigMap", block(1, moment)))
    assert found["metadata"] == {"creationTimestamp": "2023-11-14T22:13:20Z"}
    lease = block(2, block(3, number(1, 1_700_000_000) + number(2, 123_456_000)))
    found = bodies.decode(envelope("coordination.k8s.io/v1", "Lease", lease))
    assert found["spec"] == {"acquireTime": "2023-11-14T22:13:20.123456Z"}


def test_numbers_may_be_negative_and_unknown_fields_are_passed_over() -> None:
    extra = number(900, 1) + block(901, "x") + wire.put_double(902, 1.5) + b"\xbd\x38" + b"1234"
    found = bodies.decode(envelope("apps/v1", "Deployment", block(2, number(1, -1) + extra)))
    assert found["spec"] == {"replicas": -1}


def test_bytes_and_json() -> None:
    managed = block(17, block(7, block(1, '{"f:data":{}}')))
    found = bodies.decode(envelope("v1", "ConfigMap", block(1, managed)))
    assert found["metadata"]["managedFields"] == [{"fieldsV1": {"f:data": {}}}]


def test_options_of_a_delete_are_known_in_every_group() -> None:
    found = bodies.decode(envelope("apps/v1", "DeleteOptions", number(1, 0) + block(4, "Foreground")))
    assert found == {
        "apiVersion": "apps/v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "propagationPolicy": "Foreground",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "does not appear to be a protobuf message"),
        (b'{"kind": "Pod"}', "does not appear to be a protobuf message"),
        (b"k8s\x00\x0a\x7f", "field 1 is cut off"),
        (b"k8s\x00\x0a", "a number is cut off"),
        (b"k8s\x00\x0b", "field 1 is of wire type 3, which is not in use"),
        (b"k8s\x00\x02\x00", "0 is no number of a field"),
        (b"k8s\x00" + b"\xff" * 11, "a number is longer than ten bytes"),
        (envelope("v1", "Pod", number(2, 7)), "found a number where bytes belong"),
        (envelope("apps/v1", "Deployment", block(2, block(1, "x"))), "found bytes where a number belongs"),
        (envelope("v1", "Pod", block(1, block(1, b"\xff"))), "text is not UTF-8: invalid start byte at byte 0"),
        (envelope("v1", "ConfigMap", block(1, block(8, number(1, 2**62)))), "a time is out of range"),
        (envelope("v1", "ConfigMap", block(1, b"\x09" + b"12345678")), "found a number where bytes belong"),
        (envelope("v1", "ConfigMap", block(1, block(8, number(3, 0) * 17))), "more than 16"),
        (envelope("v1", "ConfigMap", block(1, block(17, block(7, block(1, "{"))))), "JSON inside does not parse"),
    ],
)
def test_what_cannot_be_read_is_the_clients_fault(body: bytes, message: str) -> None:
    with pytest.raises(contract.UndecodableError, match=message):
        bodies.decode(body)


@pytest.mark.parametrize(
    ("api_version", "kind"), [("v1", "Binding"), ("batch/v1beta1", "Job"), ("", ""), ("../x", "Pod")]
)
def test_a_kind_that_is_only_read_as_json_is_named(api_version: str, kind: str) -> None:
    with pytest.raises(bodies.UnknownKindError, match="is read as JSON only"):
        bodies.decode(envelope(api_version, kind, b""))


@pytest.mark.parametrize("resource", builtin_kinds.ALL, ids=lambda each: each.type.kind)
def test_every_builtin_kind_is_read(resource: contract.Resource) -> None:
    kind = resource.type
    body = envelope(kind.api_version, kind.kind, block(1, block(1, "a")))
    assert bodies.decode(body) == {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "a"}}


# ---- what Go's decoder does with fields that come again


def test_of_a_value_that_comes_again_the_last_counts() -> None:
    found = bodies.decode(
        envelope("v1", "ConfigMap", block(1, block(1, "a")) + block(1, block(1, "b") + block(3, "n")))
    )
    assert found["metadata"] == {"name": "b", "namespace": "n"}


def test_a_message_that_comes_again_is_merged_and_an_empty_value_takes_the_old_one_back() -> None:
    labels = block(11, block(1, "k") + block(2, "v"))
    again = block(1, block(3, "n") + labels) + block(1, block(3, "") + block(11, block(1, "l")))
    found = bodies.decode(envelope("v1", "ConfigMap", again))
    assert found["metadata"] == {"labels": {"k": "v", "l": ""}}


def test_lists_of_numbers_come_packed_or_one_by_one() -> None:
    groups = block(4, b"\x01\x80\x01") + number(4, 2)
    found = bodies.decode(envelope("v1", "Pod", block(2, block(14, groups))))
    assert found["spec"]["securityContext"] == {"supplementalGroups": [1, 128, 2]}


# ---- bounds


def test_the_work_is_bounded_by_the_number_of_fields() -> None:
    containers = block(2, b"\x12\x00" * bodies._SIZE_LIMIT)
    with pytest.raises(contract.UndecodableError, match="more than 400000 fields: send JSON"):
        bodies.decode(envelope("v1", "Pod", containers))
    packed = block(2, block(14, block(4, b"\x01" * bodies._SIZE_LIMIT)))
    with pytest.raises(contract.UndecodableError, match="more than 400000 fields"):
        bodies.decode(envelope("v1", "Pod", packed))


def nested(levels: int) -> bytes:
    """A definition whose schema negates itself ``levels`` times."""
    schema = b""
    for _ in range(levels):
        schema = block(28, schema)
    return definition(schema)


@pytest.mark.parametrize(("levels", "fits"), [(90, True), (101, False), (5_000, False)])
def test_the_depth_is_bounded(levels: int, fits: bool) -> None:
    if fits:
        bodies.decode(nested(levels))
    else:
        with pytest.raises(contract.UndecodableError, match="nested deeper than 100"):
            bodies.decode(nested(levels))


# ---- custom resource definitions


def definition(schema: bytes) -> bytes:
    version = block(1, "v1") + number(2, 1) + number(3, 0) + block(4, block(1, schema))
    return envelope("apiextensions.k8s.io/v1", "CustomResourceDefinition", block(2, block(7, version)))


def schema_of(schema: bytes) -> Any:
    version = bodies.decode(definition(schema))["spec"]["versions"][0]
    assert (version["name"], version["served"], version["storage"]) == ("v1", True, False)
    return version["schema"]["openAPIV3Schema"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (block(5, "object") + block(4, "") + number(37, 0), {"type": "object"}),
        (block(24, block(1, block(5, "string"))), {"items": {"type": "string"}}),
        (block(24, block(2, block(5, "string")) + block(2, b"")), {"items": [{"type": "string"}, {}]}),
        (block(24, b""), {}),
        (block(30, number(1, 0)), {"additionalProperties": False}),
        (block(30, number(1, 1)), {"additionalProperties": True}),
        (block(30, number(1, 1) + block(2, block(5, "integer"))), {"additionalProperties": {"type": "integer"}}),
        (block(32, block(1, "a") + block(2, block(2, "b"))), {"dependencies": {"a": ["b"]}}),
        (block(29, block(1, "a") + block(2, block(5, "string"))), {"properties": {"a": {"type": "string"}}}),
        (block(8, block(1, '{"a":[1]}')), {"default": {"a": [1]}}),
        (block(20, block(1, '"x"')) + block(20, block(1, "null")) + block(20, b""), {"enum": ["x", None, None]}),
        (wire.put_double(9, 10.0) + wire.put_double(11, 0.5), {"maximum": 10, "minimum": 0.5}),
        (
            number(38, 0) + number(40, 1),
            {"x-kubernetes-preserve-unknown-fields": False, "x-kubernetes-int-or-string": True},
        ),
        (block(44, block(1, "self > 0") + block(2, "")), {"x-kubernetes-validations": [{"rule": "self > 0"}]}),
    ],
)
def test_schemas(schema: bytes, expected: Any) -> None:
    found = schema_of(schema)
    assert found == expected
    assert [type(each) for each in found.values()] == [type(each) for each in expected.values()]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(contract.UndecodableError, match="JSON has no number"):
        schema_of(wire.put_double(9, value))


# ---- anything at all


@given(st.binary(max_size=200), st.sampled_from(["Pod", "Deployment", "Event"]))
def test_any_bytes_are_read_or_refused(raw: bytes, kind: str) -> None:
    with contextlib.suppress(contract.UndecodableError):
        bodies.decode(envelope("apps/v1" if kind == "Deployment" else "v1", kind, raw))


@given(st.data())
def test_any_damage_to_a_real_body_is_read_or_refused(data: st.DataObject) -> None:
    body = bytearray(base64.b64decode(DEPLOYMENT))
    for _ in range(3):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(contract.UndecodableError, bodies.UnknownKindError):
        bodies.decode(bytes(body))
