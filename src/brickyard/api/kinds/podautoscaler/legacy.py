"""PodAutoscalers as earlier releases wrote them.

    found                                         taken for
    spec.targetMetric, spec.targetValue           one metricsSource: resource for cpu and memory, else the pods' /metrics on port 8000
    metricsSources[] {endpoint, path, metric}     an external source; its target is spec.targetValue
    metricSourceType: domain                      external; the word stays
    spec.behavior                                 nothing
    kpa. stable-window, apa. window               spec.observeWindowSeconds
    kpa. panic-window                             spec.panicWindowSeconds, never longer than the observe window
    kpa. panic-threshold                          panic-threshold
    kpa. scale-down-delay                         scale-down-cooldown-window
    kpa. scale-up-cooldown                        scale-up-cooldown-window
    kpa. tolerance                                scale-up-tolerance and scale-down-tolerance
    apa. or bare up-fluctuation-tolerance         scale-up-tolerance
    apa. or bare down-fluctuation-tolerance       scale-down-tolerance
    kpa. target-burst-capacity                    target-burst-capacity
    kpa. activation-scale                         activation-scale

``kpa.`` and ``apa.`` stand before ``autoscaling.aibrix.ai/``. Where two legacy keys speak of one field, the family of the strategy in
use wins. A ``vllm:`` before a metric's name and a path without its leading slash are not legacy forms: who reads them knows both.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from brickyard.api import names
from brickyard.api.kinds import contract, conversion, resources, shapes
from brickyard.api.kinds.podautoscaler import texts, types

PREFIX: Final = names.AUTOSCALING_PREFIX
KPA: Final = "kpa." + PREFIX
APA: Final = "apa." + PREFIX

_SOURCES: Final = ("spec", "metricsSources")
_OBSERVE: Final = ("spec", "observeWindowSeconds")
_PANIC: Final = ("spec", "panicWindowSeconds")


def convert(obj: resources.Object) -> contract.Converted:
    """``obj`` in today's form."""
    draft = conversion.Draft(obj)
    _behavior(draft)
    _first_sources(draft)
    _single_metric(draft)
    _domains(draft)
    _annotations(draft)
    _windows(draft)
    return draft.done()


def unusable(obj: resources.Object) -> Iterator[tuple[str, str]]:
    """Legacy annotations of ``obj`` that cannot be read and so have no effect, each with why."""
    for row in _RENAMED:
        text = shapes.annotation(obj, row.old)
        if text and not row.fits(text):
            yield row.old, f"{text} is no {row.form}"
    for key in (*_OBSERVED, *_PANICKED):
        text = shapes.annotation(obj, key)
        if text and _seconds(text) < 1:
            yield key, f"{text} is no duration such as 30s"


def _behavior(draft: conversion.Draft) -> None:
    if draft.at("spec", "behavior") is not None:
        draft.drop(("spec", "behavior"))
        draft.warn(
            "spec.behavior is not a field of a PodAutoscaler and is dropped; write the annotations "
            f"{PREFIX}max-scale-up-rate, {PREFIX}scale-down-cooldown-window and their like instead"
        )


def _single_metric(draft: conversion.Draft) -> None:
    metric = draft.text("spec", "targetMetric")
    if not metric:
        return
    if draft.given(_SOURCES):
        draft.warn("spec.targetMetric is not read beside spec.metricsSources; leave it out")
        return
    if metric.lower() in ("cpu", "memory"):
        source = {"metricSourceType": "resource", "targetMetric": metric.lower()}
        meaning = "resource"
    else:
        source = {
            "metricSourceType": "pod",
            "protocolType": "http",
            "port": "8000",
            "path": "/metrics",
            "targetMetric": metric,
        }
        meaning = "pod, http, port 8000, path /metrics"
    value = draft.text("spec", "targetValue")
    draft.fill(_SOURCES, [source | ({"targetValue": value} if value else {})])
    draft.warn(
        f"spec.targetMetric {metric} is taken for a metricsSource ({meaning}); write spec.metricsSources instead of "
        "spec.targetMetric and spec.targetValue"
    )


def _first_sources(draft: conversion.Draft) -> None:
    """The first release's sources: an endpoint, a path and the name of a metric, without a type."""
    found = shapes.sequence(draft.at(*_SOURCES))
    value = draft.text("spec", "targetValue")
    sources = [_external(each, value) if _is_first_source(each) else each for each in found]
    indexes = [index for index, (new, old) in enumerate(zip(sources, found, strict=True)) if new is not old]
    if indexes:
        draft.replace(_SOURCES, sources)
    for index in indexes:
        draft.warn(
            f"spec.metricsSources[{index}] has a metric and no metricSourceType: it is taken for external over http; write "
            "metricSourceType, protocolType, targetMetric and targetValue"
        )


def _is_first_source(source: Any) -> bool:
    return isinstance(source, dict) and source.get("metricSourceType") is None and bool(shapes.text(source, "metric"))


def _external(source: Mapping[str, Any], value: str) -> Mapping[str, Any]:
    today = {"metricSourceType": "external", "protocolType": "http", "targetMetric": source["metric"]}
    given = {key: each for key, each in source.items() if each is not None}
    return today | ({"targetValue": value} if value else {}) | given


def _domains(draft: conversion.Draft) -> None:
    for index, each in enumerate(shapes.sequence(draft.at(*_SOURCES))):
        if shapes.at(each, "metricSourceType") == "domain":
            draft.warn(
                f"spec.metricsSources[{index}].metricSourceType domain is the former name of external and works as that; "
                "write external"
            )


@dataclasses.dataclass(frozen=True, slots=True)
class _Renamed:
    """A legacy annotation whose text means the same under today's names."""

    old: str
    new: tuple[str, ...]
    fits: Callable[[str], bool]
    form: str


_RENAMED: Final = (
    _Renamed(KPA + "panic-threshold", ("panic-threshold",), texts.is_number, "number"),
    _Renamed(KPA + "scale-down-delay", ("scale-down-cooldown-window",), texts.is_duration, "duration such as 30s"),
    _Renamed(KPA + "scale-up-cooldown", ("scale-up-cooldown-window",), texts.is_duration, "duration such as 30s"),
    _Renamed(KPA + "target-burst-capacity", ("target-burst-capacity",), texts.is_number, "number"),
    _Renamed(KPA + "activation-scale", ("activation-scale",), texts.is_whole, "whole number"),
    _Renamed(KPA + "tolerance", ("scale-up-tolerance", "scale-down-tolerance"), texts.is_number, "number"),
    _Renamed(APA + "up-fluctuation-tolerance", ("scale-up-tolerance",), texts.is_number, "number"),
    _Renamed(APA + "down-fluctuation-tolerance", ("scale-down-tolerance",), texts.is_number, "number"),
    _Renamed(PREFIX + "up-fluctuation-tolerance", ("scale-up-tolerance",), texts.is_number, "number"),
    _Renamed(PREFIX + "down-fluctuation-tolerance", ("scale-down-tolerance",), texts.is_number, "number"),
)
_OBSERVED: Final = (KPA + "stable-window", APA + "window")
_PANICKED: Final = (KPA + "panic-window",)


def _by_family(draft: conversion.Draft, keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Those of the annotations ``keys`` that are there, with their texts: the family of the strategy in use first."""
    own = f"{draft.text('spec', 'scalingStrategy').lower()}."
    for key in sorted(keys, key=lambda each: not each.startswith(own)):
        text = draft.text("metadata", "annotations", key)
        if text:
            yield key, text


def _annotations(draft: conversion.Draft) -> None:
    rows = {each.old: each for each in _RENAMED}
    filled: dict[str, str] = {}
    for key, text in _by_family(draft, tuple(rows)):
        _rename(draft, rows[key], text, filled)


def _rename(draft: conversion.Draft, row: _Renamed, text: str, filled: dict[str, str]) -> None:
    if not row.fits(text):
        draft.warn(f"annotation {row.old} has no effect: {text} is no {row.form}")
        return
    today = " and ".join(PREFIX + each for each in row.new)
    taken = False
    for name in row.new:
        if name not in filled and draft.fill(("metadata", "annotations", PREFIX + name), text):
            filled[name] = row.old
            taken = True
    meaning = f"is taken for {today}" if taken else f"is not read beside {today}"
    draft.warn(f"annotation {row.old} {meaning}; write {today} instead")


def _windows(draft: conversion.Draft) -> None:
    observe, panic = _window(draft, _OBSERVED, _OBSERVE), _window(draft, _PANICKED, _PANIC)
    if observe is None and panic is None:
        return
    if observe is not None:
        # A panic window of today that the client gave is not shortened by a legacy key: the observe window follows it.
        given = shapes.integer(draft.at(*_PANIC)) if draft.given(_PANIC) else None
        draft.fill(_OBSERVE, max(observe, min(given or 1, types.MAX_WINDOW_SECONDS)))
    longest = shapes.integer(draft.at(*_OBSERVE)) or types.DEFAULT_OBSERVE_WINDOW_SECONDS
    wanted = types.DEFAULT_PANIC_WINDOW_SECONDS if panic is None else panic
    if panic is None and wanted <= longest:
        return
    if draft.fill(_PANIC, max(min(wanted, longest), 1)) and wanted > longest:
        draft.warn(
            f"spec.panicWindowSeconds is {longest}, since it may not be longer than the observe window; write both"
        )


def _window(draft: conversion.Draft, keys: tuple[str, ...], field: conversion.Path) -> int | None:
    """Whole seconds that a legacy annotation asks for ``field``; None where none does, or the client gave the field."""
    today, asked = ".".join(field), None
    for key, text in _by_family(draft, keys):
        seconds = _seconds(text)
        if seconds < 1:
            draft.warn(f"annotation {key} has no effect: {text} is no duration such as 30s")
        elif draft.given(field) or asked is not None:
            draft.warn(f"annotation {key} is not read beside {today}; leave it out")
        else:
            asked = min(seconds, types.MAX_WINDOW_SECONDS)
            draft.warn(f"annotation {key} is taken for {today} {asked}; write that instead")
    return asked


def _seconds(text: str) -> int:
    """Whole seconds, rounded up; 0 for what is no duration."""
    return math.ceil(texts.seconds(text)) if texts.is_duration(text) else 0
