"""AdmissionReview: the question as it is sent, and the answer as it is understood. Pure."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import errors
from brickyard.embedded.apiserver.webhooks import contract, plan

_GROUP: Final = "admission.k8s.io"
_LONGEST_WARNING: Final = 256

User = Mapping[str, Any]


class AnswerError(ValueError):
    """The answer is none; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """A webhook's answer. ``patch`` is a JSON patch, None where there is none; ``result`` the ``Status`` of a denial."""

    allowed: bool
    patch: Any = None
    result: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    warnings: Sequence[str] = ()


def request(asked: contract.Asked, version: str, uid: str, user: User) -> dict[str, Any]:
    """The AdmissionRequest about a write, in ``version`` of its kind."""
    kind = asked.resource.type
    found: dict[str, Any] = {
        "uid": uid,
        "kind": {"group": kind.group, "version": version, "kind": kind.kind},
        "resource": {"group": kind.group, "version": version, "resource": kind.plural},
        "requestKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "requestResource": {"group": kind.group, "version": kind.version, "resource": kind.plural},
        "operation": asked.operation,
        "userInfo": dict(user),
        "object": _in_version(asked.object, kind, version),
        "oldObject": _in_version(asked.old, kind, version),
        "dryRun": asked.dry_run,
        "options": dict(asked.options) or None,
    }
    if asked.part:
        found |= {"subResource": asked.part, "requestSubResource": asked.part}
    if asked.name:
        found["name"] = asked.name
    if asked.namespace:
        found["namespace"] = asked.namespace
    return found


def question(hook: plan.Hook, about: Mapping[str, Any]) -> bytes:
    """The body that is sent to ``hook`` with an AdmissionRequest."""
    version = f"{_GROUP}/{hook.review_version}"
    return orjson.dumps({"kind": "AdmissionReview", "apiVersion": version, "request": about})


def _in_version(obj: resources.Object | None, kind: resources.ResourceType, version: str) -> resources.Object | None:
    if obj is None:
        return None
    return {**obj, "apiVersion": f"{kind.group}/{version}" if kind.group else version}


def answer(hook: plan.Hook, body: bytes, uid: str, phase: plan.Phase) -> Verdict:
    """What ``body`` says.

    Raises:
        AnswerError: it is no answer to the question ``uid``.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise AnswerError(f"the body is no JSON: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("response"), dict):
        raise AnswerError("webhook response is missing: the body is no AdmissionReview with a response")
    said = (found.get("apiVersion"), found.get("kind"))
    wanted = (f"{_GROUP}/{hook.review_version}", "AdmissionReview")
    response: Mapping[str, Any] = found["response"]
    if hook.review_version == "v1":
        if response.get("uid") != uid:
            raise AnswerError(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
        if said != wanted:
            raise AnswerError(
                f"expected webhook response of {wanted[0]}, Kind={wanted[1]}, got {said[0]}, Kind={said[1]}"
            )
    if not isinstance(response.get("allowed", False), bool):
        raise AnswerError("response.allowed is no boolean")
    result = response.get("result") or response.get("status") or {}
    warnings = response.get("warnings") or []
    if not isinstance(result, dict) or not isinstance(warnings, list):
        raise AnswerError("response.status is an object and response.warnings a list")
    return Verdict(
        allowed=response.get("allowed", False),
        patch=_patch(response, phase),
        result=result,
        warnings=[str(each)[:_LONGEST_WARNING] for each in warnings],
    )


def _patch(response: Mapping[str, Any], phase: plan.Phase) -> Any:
    patch, kind = response.get("patch") or "", response.get("patchType")
    if phase == "validating":
        if patch or kind:
            raise AnswerError("validating webhooks may not return response.patch or response.patchType")
        return None
    if bool(patch) != bool(kind):
        missing, found = ("patchType", "patch") if patch else ("patch", "patchType")
        raise AnswerError(f"webhook returned response.{found} but not response.{missing}")
    if not patch:
        return None
    if kind != "JSONPatch":
        raise AnswerError(f'invalid response.patchType of "{kind}", expected "JSONPatch"')
    try:
        return orjson.loads(base64.b64decode(patch, validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise AnswerError(f"response.patch is no JSON in base64: {error}") from error


class DeniedError(errors.ApiError):
    """A webhook said no: the client gets the ``Status`` that the webhook gave, with its name before the message."""

    def __init__(self, hook: str, result: Mapping[str, Any]) -> None:
        code = result.get("code")
        self.code = code if isinstance(code, int) and 400 <= code <= 599 else 400
        self.reason = str(result.get("reason") or "")
        said = str(result.get("message") or self.reason)
        by = f'admission webhook "{hook}" denied the request'
        details = result.get("details")
        super().__init__(
            f"{by}: {said}" if said else f"{by} without explanation", details if isinstance(details, dict) else None
        )

    def status(self) -> dict[str, Any]:
        """The refusal as a ``Status``; without a reason where the webhook gave none."""
        found = errors.ApiError.status(self)
        if not found["reason"]:
            del found["reason"]
        return found
