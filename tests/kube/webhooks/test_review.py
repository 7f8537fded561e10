from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from brickyard.kube.objects import patch
from brickyard.kube.webhooks import contract, errors, review


def asked(**fields: Any) -> dict[str, Any]:
    request = {
        "uid": "u-1",
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "operation": "CREATE",
        "namespace": "default",
        "name": "web",
        "object": {"metadata": {"name": "web"}, "spec": {"replicas": 1}},
        "oldObject": None,
        "dryRun": True,
        **fields,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def read(**fields: Any) -> contract.Request:
    return review.read(orjson.dumps(asked(**fields)))


def answered(answer: contract.Answer, **fields: Any) -> dict[str, Any]:
    found = orjson.loads(review.write(read(**fields), answer))
    assert (found["apiVersion"], found["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response: dict[str, Any] = found["response"]
    assert response["uid"] == "u-1"
    return response


def test_a_question_is_read() -> None:
    request = read()
    assert (request.group, request.kind, request.namespace, request.name) == ("apps", "Deployment", "default", "web")
    assert request.operation is contract.Operation.CREATE
    assert request.old is None
    assert request.dry_run


def test_a_deletion_has_only_an_old_object() -> None:
    request = read(operation="DELETE", object=None, oldObject={"metadata": {}})
    assert request.obj == {}
    assert request.old == {"metadata": {}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        orjson.dumps({**asked(), "apiVersion": "admission.k8s.io/v1beta1"}),
        orjson.dumps({**asked(), "kind": "ConversionReview"}),
        orjson.dumps({**asked(), "request": None}),
        orjson.dumps(asked(uid=None)),
        orjson.dumps(asked(kind="Deployment")),
        orjson.dumps(asked(operation="PATCH")),
        orjson.dumps(asked(object=[])),
        orjson.dumps(asked(oldObject="x")),
    ],
)
def test_what_is_no_question_is_refused(body: bytes) -> None:
    with pytest.raises(errors.MalformedReview):
        review.read(body)


def test_allowed() -> None:
    assert answered(contract.Allowed()) == {"uid": "u-1", "allowed": True}


def test_patched_sends_what_changed_only() -> None:
    obj = asked()["request"]["object"]
    new = {**obj, "metadata": {**obj["metadata"], "annotations": {"a/b": "c"}}}
    response = answered(contract.Patched(new, ["old form"]))
    assert response["patchType"] == "JSONPatch"
    operations = orjson.loads(base64.b64decode(response["patch"]))
    assert operations == [{"op": "add", "path": "/metadata/annotations", "value": {"a/b": "c"}}]
    assert patch.json_patch(obj, operations) == new
    assert response["warnings"] == ["old form"]


def test_patched_without_a_change_sends_no_patch() -> None:
    assert "patch" not in answered(contract.Patched(asked()["request"]["object"]))


def test_denied_carries_a_status() -> None:
    causes = [{"reason": "FieldValueInvalid", "message": "no", "field": "spec"}]
    response = answered(contract.Denied("no", 422, "Invalid", {"causes": causes}))
    assert response["allowed"] is False
    status = response["status"]
    assert (status["code"], status["reason"], status["message"]) == (422, "Invalid", "no")
    assert status["details"] == {"causes": causes}


def test_warnings_are_cut_as_an_api_server_would() -> None:
    warnings = answered(contract.Allowed(["x" * 300, "x" * 300, *(f"{n}" * 200 for n in range(9))] * 4))["warnings"]
    assert warnings[0] == "x" * 255 + "…"
    assert len(warnings) == len(set(warnings))
    assert sum(map(len, warnings)) <= 4096
    assert len(answered(contract.Allowed([f"{n:03}" * 80 for n in range(100)]))["warnings"]) == 4096 // 240
