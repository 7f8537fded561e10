"""The rules of a PodAutoscaler, checked when it is created and whenever its spec changes.

    field                              kind of error     text
    scaleTargetRef.kind, .name         Required          must be set
    minReplicas                        Invalid           must not be negative
    maxReplicas                        Invalid           must be positive
    minReplicas and maxReplicas        Invalid, twice    cannot be greater than maxReplicas; cannot be less than minReplicas
    observe-, panicWindowSeconds       Invalid           must be greater than 0; must be less than or equal to 3600
    panicWindowSeconds                 Invalid           must be less than or equal to observeWindowSeconds
    schedules                          Invalid           see ``schedules``
    scalingStrategy                    NotSupported      HPA, KPA, APA
    subTargetSelector.roleName         Forbidden         with HPA
    metricsSources                     Invalid           at least one metricsSource is required
    ...[i].targetMetric                Required          must be set
    ...[i].targetValue                 Required, Invalid must be set; must be a valid number; must be greater than 0
    ...[i].metricSourceType            NotSupported      pod, external, domain, resource, custom
    pod: protocolType, port, path      Required          required for metricSourceType=pod
    external with endpoint:            Required          required for metricSourceType=external (or domain)
      protocolType, path
    resource: targetMetric             NotSupported      cpu, memory
    resource: port, endpoint, path,    Forbidden         not allowed for metricSourceType=resource
      protocolType

Values of a wrong JSON type are the schema's to refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from brickyard.api.kinds import contract, faults, resources, shapes
from brickyard.api.kinds.podautoscaler import legacy, schedules, texts, types

_SOURCE_TYPES: Final = ("pod", "external", "domain", "resource", "custom")
_RESOURCES: Final = ("cpu", "memory")


class Rules(contract.NoRules):
    """Fills ``contract.KindRules``."""

    def convert(self, obj: resources.Object) -> contract.Converted:
        return legacy.convert(obj)

    def validate(self, obj: resources.Object, old: resources.Object | None) -> faults.Errors:
        """What was stored under older rules may still be labelled, finalized and given a status: only a new spec is judged."""
        spec = obj.get("spec")
        if old is not None and old.get("spec") == spec:
            return
        yield from _target(spec)
        yield from _bounds(spec)
        yield from _windows(spec)
        yield from _schedules(spec)
        yield from _strategy(spec)
        yield from _sources(spec)


def target_value(text: str) -> float:
    """The number of a ``targetValue``, which knows no suffixes: neither 50m nor 1Gi.

    Raises:
        ValueError: it is none, or none that is finite and greater than 0.
    """
    number = texts.number(text)
    if number <= 0:
        raise ValueError("must be greater than 0")
    return number


def _target(spec: Any) -> faults.Errors:
    for name in ("kind", "name"):
        if shapes.text(spec, "scaleTargetRef", name) == "":
            yield faults.required(f"spec.scaleTargetRef.{name}", "must be set")


def _bounds(spec: Any) -> faults.Errors:
    minimum, maximum = shapes.integer(spec, "minReplicas"), shapes.integer(spec, "maxReplicas")
    if minimum is not None and minimum < 0:
        yield faults.invalid("spec.minReplicas", minimum, "must not be negative")
    if maximum is None and shapes.at(spec, "maxReplicas") is None:
        maximum = 0
    if maximum is None:
        return
    if maximum <= 0:
        yield faults.invalid("spec.maxReplicas", maximum, "must be positive")
    elif minimum is not None and minimum > maximum:
        yield faults.invalid("spec.minReplicas", minimum, "cannot be greater than maxReplicas")
        yield faults.invalid("spec.maxReplicas", maximum, "cannot be less than minReplicas")


def _windows(spec: Any) -> faults.Errors:
    sound = True
    for name in ("observeWindowSeconds", "panicWindowSeconds"):
        seconds = shapes.integer(spec, name)
        if seconds is not None and seconds <= 0:
            yield faults.invalid(f"spec.{name}", seconds, "must be greater than 0")
            sound = False
        elif seconds is not None and seconds > types.MAX_WINDOW_SECONDS:
            yield faults.invalid(f"spec.{name}", seconds, f"must be less than or equal to {types.MAX_WINDOW_SECONDS}")
            sound = False
    observe = shapes.integer(spec, "observeWindowSeconds") or types.DEFAULT_OBSERVE_WINDOW_SECONDS
    panic = shapes.integer(spec, "panicWindowSeconds") or types.DEFAULT_PANIC_WINDOW_SECONDS
    if sound and panic > observe:
        yield faults.invalid("spec.panicWindowSeconds", panic, "must be less than or equal to observeWindowSeconds")


def _schedules(spec: Any) -> faults.Errors:
    found = shapes.at(spec, "schedules")
    if isinstance(found, list):
        for text in schedules.faults(found, schedules.bounds(spec)):
            yield faults.FieldError("spec.schedules", "FieldValueInvalid", f"Invalid value: {text}")


def _strategy(spec: Any) -> faults.Errors:
    strategy = shapes.text(spec, "scalingStrategy")
    if strategy is not None and strategy not in types.STRATEGIES:
        yield faults.not_supported("spec.scalingStrategy", strategy, types.STRATEGIES)
    if strategy == "HPA" and shapes.text(spec, "subTargetSelector", "roleName"):
        text = "not supported with scalingStrategy=HPA; use APA or KPA for StormService role-level autoscaling"
        yield faults.forbidden("spec.subTargetSelector.roleName", text)


def _sources(spec: Any) -> faults.Errors:
    found = shapes.at(spec, "metricsSources")
    if found is None or found == []:
        yield faults.FieldError(
            "spec.metricsSources", "FieldValueInvalid", "Invalid value: at least one metricsSource is required"
        )
    for index, source in enumerate(shapes.sequence(spec, "metricsSources")):
        if isinstance(source, dict):
            yield from _source(f"spec.metricsSources[{index}]", source)


def _source(path: str, source: Mapping[str, Any]) -> faults.Errors:
    metric, kind = shapes.text(source, "targetMetric"), shapes.text(source, "metricSourceType")
    if metric == "":
        yield faults.required(f"{path}.targetMetric", "must be set")
    yield from _value(f"{path}.targetValue", shapes.text(source, "targetValue"))
    if kind is not None and kind not in _SOURCE_TYPES:
        yield faults.not_supported(f"{path}.metricSourceType", kind, _SOURCE_TYPES)
    elif kind == "pod":
        yield from _needed(path, source, ("protocolType", "port", "path"))
    elif kind in ("external", "domain") and source.get("endpoint"):
        yield from _needed(path, source, ("protocolType", "path"))
    elif kind == "resource":
        if metric and metric not in _RESOURCES:
            yield faults.not_supported(f"{path}.targetMetric", metric, _RESOURCES)
        for name in ("port", "endpoint", "path", "protocolType"):
            if source.get(name):
                yield faults.forbidden(f"{path}.{name}", "not allowed for metricSourceType=resource")


def _value(path: str, text: str | None) -> faults.Errors:
    if text == "":
        yield faults.required(path, "must be set")
    elif text is not None:
        try:
            target_value(text)
        except ValueError as error:
            yield faults.invalid(path, text, str(error))


def _needed(path: str, source: Mapping[str, Any], names: tuple[str, ...]) -> faults.Errors:
    for name in names:
        if shapes.text(source, name) == "":
            yield faults.required(f"{path}.{name}", f"required for metricSourceType={source['metricSourceType']}")
