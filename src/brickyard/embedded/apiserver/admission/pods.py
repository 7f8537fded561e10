"""Pods: filled in beyond their spec, and almost nothing of that spec may change later."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import orjson

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import podspec

_FIXED = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def fill(draft: resources.Object) -> None:
    """Fill in a pod."""
    spec = draft.setdefault("spec", {})
    podspec.fill(spec)
    podspec.fill_requests(spec)
    spec.setdefault("enableServiceLinks", True)


def judge(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a pod, and with what it was changed from ``old``."""
    spec: Mapping[str, Any] = obj.get("spec") or {}
    yield from podspec.judge("spec", spec)
    if old is not None:
        yield from _changes(spec, old.get("spec") or {})


def _changes(new: Mapping[str, Any], old: Mapping[str, Any]) -> faults.Errors:
    if new == old:
        return  # as at every write of a status
    for field in ("containers", "initContainers"):
        if len(new.get(field) or ()) != len(old.get(field) or ()):
            yield faults.forbidden(f"spec.{field}", "pod updates may not add or remove containers")
            return
    yield from _deadline(new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds"))
    allowed = _with_allowed(new, old)
    if allowed != new:
        differing = sorted(key for key in allowed.keys() | new.keys() if allowed.get(key) != new.get(key))
        shown = orjson.dumps({f"spec.{key}": new.get(key) for key in differing}).decode()
        yield faults.forbidden("spec", f"{_FIXED}\n{shown}")


def _deadline(new: int | None, old: int | None) -> faults.Errors:
    path = "spec.activeDeadlineSeconds"
    if old is not None and new is None:
        yield faults.invalid(path, new, "must not update from a positive integer to nil value")
    elif old is not None and new is not None and new > old:
        yield faults.invalid(path, new, f"must be less than or equal to previous value {old}")


def _with_allowed(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """``old`` after the changes of ``new`` that are allowed."""
    result = copy.deepcopy(dict(old))
    for field in ("containers", "initContainers"):
        for mine, other in zip(result.get(field) or (), new.get(field) or (), strict=True):
            if "image" in other:
                mine["image"] = other["image"]
    if "activeDeadlineSeconds" in new:
        result["activeDeadlineSeconds"] = new["activeDeadlineSeconds"]
    if all(each in (new.get("tolerations") or ()) for each in old.get("tolerations") or ()) and "tolerations" in new:
        result["tolerations"] = new["tolerations"]
    if (old.get("terminationGracePeriodSeconds") or 0) < 0 and new.get("terminationGracePeriodSeconds") == 1:
        result["terminationGracePeriodSeconds"] = 1
    # The node agent claims a pod by writing its own name here; a claimed pod stays where it is.
    if not old.get("nodeName") and "nodeName" in new:
        result["nodeName"] = new["nodeName"]
    return result
