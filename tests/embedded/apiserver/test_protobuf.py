"""Objects in Kubernetes' binary form: bodies that kubectl 1.37 sent, and the corners of the wire."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.apiserver import builtin_kinds, contract, protobuf
from brickyard.embedded.apiserver.admission import testing

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
    return protobuf.decode(base64.b64decode(body))


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


# ---- a writer of the wire, as small as can be


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\x00" + block(1, block(1, api_version) + block(2, kind)) + block(2, raw)


def pod(container: bytes) -> Any:
    """A pod with one container, decoded: that container."""
    return protobuf.decode(envelope("v1", "Pod", block(2, block(2, container))))["spec"]["containers"][0]


def test_fields_of_an_embedded_message_stand_in_their_holder() -> None:
    handler = block(2, block(1, "/healthz") + block(2, number(1, 0) + number(2, 8080)))
    probe = block(1, handler) + number(4, 5)
    assert pod(block(10, probe))["livenessProbe"] == {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5}


def test_a_pointer_keeps_its_zero_and_a_value_drops_it() -> None:
    spec = number(1, 0) + number(5, 0) + number(6, 0)
    found = protobuf.decode(envelope("apps/v1", "Deployment", block(2, spec)))
    assert found["spec"] == {"replicas": 0, "revisionHistoryLimit": 0}


def test_quantities_and_maps() -> None:
    entry = block(1, "cpu") + block(2, block(1, "500m"))
    assert pod(block(8, block(1, entry)))["resources"] == {"limits": {"cpu": "500m"}}


def test_times() -> None:
    moment = block(8, number(1, 1_700_000_000))
    found = protobuf.decode(envelope("v1", "ConfigMap", block(1, moment)))
    assert found["metadata"] == {"creationTimestamp": "2023-11-14T22:13:20Z"}
    lease = block(2, block(3, number(1, 1_700_000_000) + number(2, 123_456_000)))
    found = protobuf.decode(envelope("coordination.k8s.io/v1", "Lease", lease))
    assert found["spec"] == {"acquireTime": "2023-11-14T22:13:20.123456Z"}


def test_numbers_may_be_negative_and_unknown_fields_are_passed_over() -> None:
    extra = number(900, 1) + block(901, "x") + varint(902 << 3 | 1) + b"12345678" + varint(903 << 3 | 5) + b"1234"
    found = protobuf.decode(envelope("apps/v1", "Deployment", block(2, number(1, -1) + extra)))
    assert found["spec"] == {"replicas": -1}


def test_bytes_and_json() -> None:
    managed = block(17, block(7, block(1, '{"f:data":{}}')))
    found = protobuf.decode(envelope("v1", "ConfigMap", block(1, managed)))
    assert found["metadata"]["managedFields"] == [{"fieldsV1": {"f:data": {}}}]


def test_options_of_a_delete_are_known_in_every_group() -> None:
    found = protobuf.decode(envelope("apps/v1", "DeleteOptions", number(1, 0) + block(4, "Foreground")))
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
        (b"k8s\x00\x0b", "wire type 3"),
        (b"k8s\x00" + b"\xff" * 11, "a number is too long"),
        (envelope("v1", "Pod", number(2, 7)), "found a number where bytes belong"),
        (envelope("apps/v1", "Deployment", block(2, block(1, "x"))), "found bytes where a number belongs"),
        (envelope("v1", "Pod", block(1, block(1, b"\xff"))), "can't decode byte"),
        (envelope("v1", "ConfigMap", block(1, block(8, number(1, 2**62)))), "a time is out of range"),
    ],
)
def test_what_cannot_be_read_is_the_clients_fault(body: bytes, message: str) -> None:
    with pytest.raises(contract.UndecodableError, match=message):
        protobuf.decode(body)


@pytest.mark.parametrize(("api_version", "kind"), [("v1", "Binding"), ("batch/v1", "Job"), ("", ""), ("../x", "Pod")])
def test_a_kind_that_is_only_read_as_json_is_named(api_version: str, kind: str) -> None:
    with pytest.raises(protobuf.UnknownKindError, match="is read as JSON only"):
        protobuf.decode(envelope(api_version, kind, b""))


@pytest.mark.parametrize("resource", builtin_kinds.ALL[:-1], ids=[each.type.kind for each in builtin_kinds.ALL[:-1]])
def test_every_builtin_kind_but_definitions_is_read(resource: contract.Resource) -> None:
    kind = resource.type
    body = envelope(kind.api_version, kind.kind, block(1, block(1, "a")))
    assert protobuf.decode(body) == {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "a"}}


@given(st.binary(max_size=200), st.sampled_from(["Pod", "Deployment", "Event"]))
def test_any_bytes_are_read_or_refused(raw: bytes, kind: str) -> None:
    with contextlib.suppress(contract.UndecodableError):
        protobuf.decode(envelope("apps/v1" if kind == "Deployment" else "v1", kind, raw))


@given(st.data())
def test_any_damage_to_a_real_body_is_read_or_refused(data: st.DataObject) -> None:
    body = bytearray(base64.b64decode(DEPLOYMENT))
    for _ in range(3):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(contract.UndecodableError, protobuf.UnknownKindError):
        protobuf.decode(bytes(body))
