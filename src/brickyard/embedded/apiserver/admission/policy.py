"""Disruption budgets, priorities, quotas and limits: what a cluster's owner rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata, workloads
from brickyard.kube.objects import quantities

Spec = Mapping[str, Any]

_EVICTION = ("AlwaysAllow", "IfHealthyBudget")
_BUDGET_COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")
_PREEMPTION = ("Never", "PreemptLowerPriority")
_HIGHEST_PRIORITY = 1_000_000_000
SYSTEM_PRIORITIES: Mapping[str, int] = {
    "system-cluster-critical": 2_000_000_000,
    "system-node-critical": 2_000_001_000,
}
"""The classes every cluster has."""
_LIMIT_TYPES = ("Container", "PersistentVolumeClaim", "Pod")


def fill_budget(draft: resources.Object) -> None:
    """Fill in a PodDisruptionBudget."""
    draft.setdefault("spec", {})
    status = draft.setdefault("status", {})
    for name in _BUDGET_COUNTS:
        status.setdefault(name, 0)


def judge_budget(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a PodDisruptionBudget."""
    del old
    spec: Spec = obj.get("spec") or {}
    given = [name for name in ("minAvailable", "maxUnavailable") if spec.get(name) is not None]
    if len(given) > 1:
        yield faults.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for name in given:
        yield from workloads.count_or_percent(f"spec.{name}", spec[name])
        yield from workloads.at_most_all(f"spec.{name}", spec[name])
    if spec.get("selector") is not None:
        yield from workloads.label_selector("spec.selector", spec["selector"])
    eviction = spec.get("unhealthyPodEvictionPolicy")
    if eviction is not None and eviction not in _EVICTION:
        yield faults.not_supported("spec.unhealthyPodEvictionPolicy", eviction, _EVICTION)


def fill_priority(draft: resources.Object) -> None:
    """Fill in a PriorityClass."""
    draft["preemptionPolicy"] = draft.get("preemptionPolicy") or "PreemptLowerPriority"
    draft.setdefault("value", 0)


def judge_priority(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a PriorityClass."""
    name, value = (obj.get("metadata") or {}).get("name") or "", obj.get("value") or 0
    if name.startswith("system-"):
        if SYSTEM_PRIORITIES.get(name) != value:
            text = "priority class names with 'system-' prefix are reserved for system use only"
            yield faults.forbidden("metadata.name", text)
    elif value > _HIGHEST_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {_HIGHEST_PRIORITY}"
        yield faults.forbidden("value", text)
    if obj.get("preemptionPolicy") not in _PREEMPTION:
        yield faults.not_supported("preemptionPolicy", obj.get("preemptionPolicy"), _PREEMPTION)
    if old is not None:
        if value != (old.get("value") or 0):
            yield faults.forbidden("value", "may not be changed in an update.")
        yield from metadata.immutable("preemptionPolicy", obj.get("preemptionPolicy"), old.get("preemptionPolicy"))


def fill_quota(draft: resources.Object) -> None:
    """Fill in a ResourceQuota."""
    draft.setdefault("spec", {})
    draft.setdefault("status", {})


def judge_quota(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a ResourceQuota."""
    spec: Spec = obj.get("spec") or {}
    for name, quantity in (spec.get("hard") or {}).items():
        if problem := metadata.qualified_name(name):
            yield faults.invalid(f"spec.hard[{name}]", name, problem)
        yield from _amount(f"spec.hard[{name}]", quantity)
    if old is not None and sorted(spec.get("scopes") or ()) != sorted((old.get("spec") or {}).get("scopes") or ()):
        yield faults.invalid("spec.scopes", spec.get("scopes"), "field is immutable")


def _amount(path: str, quantity: Any) -> faults.Errors:
    if not quantities.is_quantity(quantity):
        yield faults.invalid(path, quantity, "must be a quantity such as 500m, 2, 1Gi or 1e3")
    elif quantities.parse(quantity) < 0:
        yield faults.invalid(path, quantity, "must be greater than or equal to 0")


def fill_limits(draft: resources.Object) -> None:
    """Fill in a LimitRange: of a container, what one bound implies for the others."""
    for limit in (draft.get("spec") or {}).get("limits") or ():
        if limit.get("type") != "Container":
            continue
        default = {**(limit.get("max") or {}), **(limit.get("default") or {})}
        request = {**(limit.get("min") or {}), **default, **(limit.get("defaultRequest") or {})}
        limit.update({key: found for key, found in (("default", default), ("defaultRequest", request)) if found})


def judge_limits(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a LimitRange."""
    del old
    limits = (obj.get("spec") or {}).get("limits") or ()
    yield from faults.unique(
        "spec.limits", [(f"[{index}].type", each.get("type")) for index, each in enumerate(limits)]
    )
    for index, limit in enumerate(limits):
        path, kind = f"spec.limits[{index}]", limit.get("type") or ""
        if not kind:
            yield faults.required(f"{path}.type")
        elif kind not in _LIMIT_TYPES and "/" not in kind:
            text = f"must be one of {', '.join(_LIMIT_TYPES)}, or fully qualified"
            yield faults.invalid(f"{path}.type", kind, text)
        for bound in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
            for name, quantity in (limit.get(bound) or {}).items():
                yield from _amount(f"{path}.{bound}[{name}]", quantity)
        yield from _ordered(path, limit)


def _ordered(path: str, limit: Spec) -> faults.Errors:
    most: Mapping[str, Any] = limit.get("max") or {}
    for bound, word in (("min", "min"), ("defaultRequest", "default request"), ("default", "default")):
        for name, quantity in (limit.get(bound) or {}).items():
            top = most.get(name)
            if top is None or not (quantities.is_quantity(top) and quantities.is_quantity(quantity)):
                continue
            if quantities.parse(quantity) > quantities.parse(top):
                text = f"{word} value {quantity} is greater than max value {top}"
                yield faults.invalid(f"{path}.{bound}[{name}]", quantity, text)
