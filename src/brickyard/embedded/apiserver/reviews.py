"""Answers to questions of access: who is calling, and what they may do.

There is one user here, whoever holds the token, and this user may do everything. Roles and bindings are kept, not consulted, and an
answer about access says so. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from brickyard.api.kinds import faults, resources

USER: Final = "brickyard:owner"
GROUPS: Final = ("system:masters", "system:authenticated")
_ALLOWED: Final = "whoever holds the token of this machine may do everything; roles are not consulted"

Knows = Callable[[str], bool]


def _user() -> dict[str, Any]:
    return {"username": USER, "groups": list(GROUPS)}


def _answered(obj: resources.Object, status: dict[str, Any]) -> resources.Object:
    return {**obj, "status": status}


def who_am_i(obj: resources.Object, knows: Knows) -> resources.Object:
    """SelfSubjectReview."""
    del knows
    return _answered(obj, {"userInfo": _user()})


def token(obj: resources.Object, knows: Knows) -> resources.Object:
    """TokenReview."""
    spec = obj.get("spec") or {}
    if not knows(spec.get("token") or ""):
        return _answered(obj, {"user": {}, "error": "the token is not this machine's"})
    status: dict[str, Any] = {"authenticated": True, "user": _user()}
    return _answered(obj, {**status, **({"audiences": spec["audiences"]} if spec.get("audiences") else {})})


def access(obj: resources.Object, knows: Knows) -> resources.Object:
    """SelfSubjectAccessReview, and SubjectAccessReview and LocalSubjectAccessReview about whomever."""
    del knows
    return _answered(obj, {"allowed": True, "reason": _ALLOWED})


def rules(obj: resources.Object, knows: Knows) -> resources.Object:
    """SelfSubjectRulesReview."""
    del knows
    everything = ["*"]
    status = {
        "resourceRules": [{"verbs": everything, "apiGroups": everything, "resources": everything}],
        "nonResourceRules": [{"verbs": everything, "nonResourceURLs": everything}],
        "incomplete": False,
    }
    return _answered(obj, status)


def judge(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """What makes a review no question, whichever kind it is of."""
    del old
    spec, kind = obj.get("spec") or {}, obj.get("kind") or ""
    if kind.endswith("SubjectAccessReview"):
        if (spec.get("resourceAttributes") is None) == (spec.get("nonResourceAttributes") is None):
            text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            yield faults.invalid("spec.resourceAttributes", spec.get("resourceAttributes"), text)
        if not kind.startswith("Self") and not spec.get("user") and not spec.get("groups"):
            yield faults.invalid("spec.user", "", "at least one of user or group must be specified")
    elif kind == "TokenReview" and not spec.get("token"):
        yield faults.required("spec.token")
    elif kind == "SelfSubjectRulesReview" and not spec.get("namespace"):
        yield faults.required("spec.namespace")
