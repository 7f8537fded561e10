"""HorizontalPodAutoscalers: how many replicas a workload shall have, by metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults, resources
from brickyard.embedded.apiserver.admission import metadata
from brickyard.kube.objects import quantities

Spec = Mapping[str, Any]

_SOURCES: Mapping[str, str] = {
    # type of a metric: the field that says the rest
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_SELECT = ("Disabled", "Max", "Min")
_WINDOW_LIMIT = 3600
_PERIOD_LIMIT = 1800


def fill(draft: resources.Object) -> None:
    """Fill in a HorizontalPodAutoscaler."""
    spec = draft.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    if spec.get("behavior") is not None:
        up, down = spec["behavior"].setdefault("scaleUp", {}), spec["behavior"].setdefault("scaleDown", {})
        up.setdefault("stabilizationWindowSeconds", 0)
        fast, double = _policy("Pods", 4), _policy("Percent", 100)
        for rules, policies in ((up, [fast, double]), (down, [_policy("Percent", 100)])):
            rules["selectPolicy"] = rules.get("selectPolicy") or "Max"
            rules["policies"] = rules.get("policies") or policies
    draft.setdefault("status", {}).setdefault("desiredReplicas", 0)


def _policy(kind: str, value: int) -> dict[str, Any]:
    return {"type": kind, "value": value, "periodSeconds": 15}


def judge(obj: resources.Object, old: resources.Object | None) -> faults.Errors:
    """Everything wrong with a HorizontalPodAutoscaler."""
    del old
    spec: Spec = obj.get("spec") or {}
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if least is not None and least < 1:
        yield faults.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield faults.invalid("spec.maxReplicas", most, "must be greater than 0")
    if least is not None and most < least:
        yield faults.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    yield from _reference("spec.scaleTargetRef", spec.get("scaleTargetRef") or {})
    for index, metric in enumerate(spec.get("metrics") or ()):
        yield from _metric(f"spec.metrics[{index}]", metric)
    for direction, rules in (spec.get("behavior") or {}).items():
        yield from _rules(f"spec.behavior.{direction}", rules)


def _reference(path: str, reference: Spec) -> faults.Errors:
    for name in ("kind", "name"):
        value = reference.get(name)
        if not value:
            yield faults.required(f"{path}.{name}")
        elif problem := metadata.path_segment(value):
            yield faults.invalid(f"{path}.{name}", value, problem)


def _metric(path: str, metric: Spec) -> faults.Errors:
    kind = metric.get("type")
    if not kind:
        yield faults.required(f"{path}.type", "must specify a metric source type")
        return
    if kind not in _SOURCES:
        yield faults.not_supported(f"{path}.type", kind, sorted(_SOURCES))
        return
    for other, field in _SOURCES.items():
        if other != kind and metric.get(field) is not None:
            yield faults.forbidden(f"{path}.{field}", "must populate the given metric source only")
    field = _SOURCES[kind]
    source = metric.get(field)
    if source is None:
        yield faults.required(f"{path}.{field}", "must populate information for the given metric source")
        return
    inner = f"{path}.{field}"
    if kind in ("Resource", "ContainerResource"):
        yield from _resource(inner, kind, source)
    else:
        yield from _measured(inner, kind, source)


def _resource(path: str, kind: str, source: Spec) -> faults.Errors:
    target: Spec = source.get("target") or {}
    if not source.get("name"):
        yield faults.required(f"{path}.name", "must specify a resource name")
    if kind == "ContainerResource" and not source.get("container"):
        yield faults.required(f"{path}.container", "must specify a container")
    yield from _target(f"{path}.target", target)
    share, value = target.get("averageUtilization"), target.get("averageValue")
    if share is None and value is None:
        text = "must set either a target raw value or a target utilization"
        yield faults.required(f"{path}.target.averageUtilization", text)
    if share is not None and value is not None:
        text = "may not set both a target raw value and a target utilization"
        yield faults.forbidden(f"{path}.target.averageValue", text)


def _measured(path: str, kind: str, source: Spec) -> faults.Errors:
    target: Spec = source.get("target") or {}
    metric = source.get("metric") or {}
    if kind == "Object":
        yield from _reference(f"{path}.describedObject", source.get("describedObject") or {})
    if not metric.get("name"):
        yield faults.required(f"{path}.metric.name", "must specify a metric name")
    elif problem := metadata.path_segment(metric["name"]):
        yield faults.invalid(f"{path}.metric.name", metric["name"], problem)
    yield from _target(f"{path}.target", target)
    value, average = target.get("value"), target.get("averageValue")
    if kind == "Pods":
        if average is None:
            yield faults.required(f"{path}.target.averageValue", "must specify a positive target averageValue")
    elif value is None and average is None:
        text = "must set either a target value for metric or a per-pod target"
        yield faults.required(f"{path}.target.averageValue", text)
    elif value is not None and average is not None and kind == "External":
        text = "may not set both a target value for metric and a per-pod target"
        yield faults.forbidden(f"{path}.target.value", text)


def _target(path: str, target: Spec) -> faults.Errors:
    kind = target.get("type")
    if not kind:
        yield faults.required(f"{path}.type", "must specify a metric target type")
    elif kind not in ("AverageValue", "Utilization", "Value"):
        yield faults.invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue")
    for name in ("value", "averageValue"):
        value = target.get(name)
        if value is not None and not (quantities.is_quantity(value) and quantities.parse(value) > 0):
            yield faults.invalid(f"{path}.{name}", value, "must be positive")
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        yield faults.invalid(f"{path}.averageUtilization", share, "must be greater than 0")


def _rules(path: str, rules: Spec) -> faults.Errors:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        yield faults.invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    elif window is not None and window > _WINDOW_LIMIT:
        text = f"must be less than or equal to {_WINDOW_LIMIT}"
        yield faults.invalid(f"{path}.stabilizationWindowSeconds", window, text)
    if rules.get("selectPolicy") not in _SELECT:
        yield faults.not_supported(f"{path}.selectPolicy", rules.get("selectPolicy"), _SELECT)
    for index, policy in enumerate(rules.get("policies") or ()):
        inner = f"{path}.policies[{index}]"
        if policy.get("type") not in ("Percent", "Pods"):
            yield faults.not_supported(f"{inner}.type", policy.get("type"), ("Percent", "Pods"))
        if (policy.get("value") or 0) <= 0:
            yield faults.invalid(f"{inner}.value", policy.get("value") or 0, "must be greater than zero")
        period = policy.get("periodSeconds") or 0
        if period <= 0:
            yield faults.invalid(f"{inner}.periodSeconds", period, "must be greater than zero")
        elif period > _PERIOD_LIMIT:
            yield faults.invalid(f"{inner}.periodSeconds", period, f"must be less than or equal to {_PERIOD_LIMIT}")
