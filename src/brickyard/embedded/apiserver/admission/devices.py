"""ResourceClaimTemplates: devices asked for by what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata

Spec = Mapping[str, Any]

_ALLOCATION = ("All", "ExactCount")
_REQUESTS_LIMIT = 32


def fill(draft: resources.Object) -> None:
    """Fill in a ResourceClaimTemplate: one device of each kind asked for."""
    for request in _devices(draft).get("requests") or ():
        for asked in _askings(request):
            asked["allocationMode"] = asked.get("allocationMode") or "ExactCount"
            if asked["allocationMode"] == "ExactCount" and not asked.get("count"):
                asked["count"] = 1


def _devices(obj: resources.Object) -> Mapping[str, Any]:
    found = ((obj.get("spec") or {}).get("spec") or {}).get("devices")
    return found if isinstance(found, Mapping) else {}


def _askings(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    exactly = request.get("exactly")
    return [*([exactly] if isinstance(exactly, dict) else []), *(request.get("firstAvailable") or ())]


def judge(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a ResourceClaimTemplate."""
    path, requests = "spec.spec.devices.requests", _devices(obj).get("requests") or ()
    yield from metadata.template("spec.metadata", (obj.get("spec") or {}).get("metadata") or {})
    if len(requests) > _REQUESTS_LIMIT:
        yield faults.too_many(path, len(requests), _REQUESTS_LIMIT)
    for index, request in enumerate(requests):
        yield from _request(f"{path}[{index}]", request)
    yield from faults.unique(path, [(f"[{index}].name", each.get("name")) for index, each in enumerate(requests)])
    if old is not None:
        yield from metadata.immutable("spec", obj.get("spec"), old.get("spec"))


def _request(path: str, request: Spec) -> faults.Errors:
    name = request.get("name") or ""
    if not name:
        yield faults.required(f"{path}.name")
    elif problem := metadata.dns_label(name):
        yield faults.invalid(f"{path}.name", name, problem)
    exactly, first = request.get("exactly"), request.get("firstAvailable") or ()
    if (exactly is None) == (not first):
        yield faults.required(path, "exactly one of `exactly` or `firstAvailable` is required")
    if exactly is not None:
        yield from _asking(f"{path}.exactly", exactly)
    for index, each in enumerate(first):
        yield from _asking(f"{path}.firstAvailable[{index}]", each)


def _asking(path: str, asked: Spec) -> faults.Errors:
    name, mode, count = asked.get("deviceClassName") or "", asked.get("allocationMode"), asked.get("count")
    if not name:
        yield faults.required(f"{path}.deviceClassName")
    elif problem := metadata.dns_subdomain(name):
        yield faults.invalid(f"{path}.deviceClassName", name, problem)
    if mode not in _ALLOCATION:
        yield faults.not_supported(f"{path}.allocationMode", mode, _ALLOCATION)
    elif mode == "All" and count:
        yield faults.invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'")
    elif mode == "ExactCount" and (count or 0) <= 0:
        yield faults.invalid(f"{path}.count", count or 0, "must be greater than zero")
