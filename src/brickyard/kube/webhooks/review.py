"""AdmissionReview v1, read and written. Pure: bytes to ``Request``, answers to bytes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from brickyard.kube.objects import patch
from brickyard.kube.webhooks import contract, errors

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"

WARNING_LIMIT = 256
"""Characters of one warning; an API server cuts longer ones, and drops all when they are more than 4096 together."""
WARNINGS_LIMIT = 4096


def read(body: bytes) -> contract.Request:
    """The question in ``body``.

    Raises:
        MalformedReview: it is no AdmissionReview of this version, or lacks a part.
    """
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.MalformedReview(f"the body is no JSON: {error}") from error
    if not isinstance(review, dict) or (review.get("apiVersion"), review.get("kind")) != (API_VERSION, KIND):
        raise errors.MalformedReview(f"this webhook is asked with a {KIND} of {API_VERSION}")
    try:
        return _request(review["request"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise errors.MalformedReview(f"the {KIND} lacks a part or has it of another type: {error!r}") from error


def _request(raw: Mapping[str, Any]) -> contract.Request:
    kind, obj, old = raw["kind"], raw.get("object"), raw.get("oldObject")
    obj = {} if obj is None else obj
    if not isinstance(raw["uid"], str) or not isinstance(obj, dict) or not isinstance(old, dict | None):
        raise TypeError("uid, object or oldObject")
    return contract.Request(
        uid=raw["uid"],
        operation=contract.Operation(raw["operation"]),
        group=str(kind.get("group") or ""),
        kind=str(kind["kind"]),
        namespace=str(raw.get("namespace") or ""),
        name=str(raw.get("name") or ""),
        obj=obj,
        old=old,
        dry_run=raw.get("dryRun") is True,
    )


def write(request: contract.Request, answer: contract.Answer) -> bytes:
    """The AdmissionReview that says ``answer`` to ``request``."""
    response: dict[str, Any] = {"uid": request.uid, "allowed": not isinstance(answer, contract.Denied)}
    match answer:
        case contract.Denied():
            response["status"] = _status(answer)
        case contract.Patched():
            operations = patch.json_patch_between(request.obj, answer.obj)
            if operations:
                response["patchType"] = "JSONPatch"
                response["patch"] = base64.b64encode(orjson.dumps(operations)).decode()
        case contract.Allowed():
            pass
    if warnings := _bounded(answer.warnings):
        response["warnings"] = warnings
    return orjson.dumps({"apiVersion": API_VERSION, "kind": KIND, "response": response})


def _status(answer: contract.Denied) -> dict[str, Any]:
    status: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "message": answer.message,
        "reason": answer.reason,
        "code": answer.code,
    }
    return {**status, "details": dict(answer.details)} if answer.details else status


def _bounded(warnings: Sequence[str]) -> list[str]:
    """What an API server would pass on of ``warnings``: each cut, none beyond the sum that makes it drop all."""
    kept: list[str] = []
    left = WARNINGS_LIMIT
    for text in dict.fromkeys(warnings):
        line = text if len(text) <= WARNING_LIMIT else text[: WARNING_LIMIT - 1] + "…"
        left -= len(line)
        if left < 0:
            break
        kept.append(line)
    return kept
