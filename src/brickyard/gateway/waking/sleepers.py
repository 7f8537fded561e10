"""Which models may sleep, read from PodAutoscalers and from what they scale. Pure.

    model      ``model.aibrix.ai/name``, label or annotation: the autoscaler's own, else its target's pods', else the target's
    may sleep  ``minReplicas`` is 0, that of the spec or of a schedule
    wakes      it may sleep, its strategy is KPA or APA, and the autoscaler does not refuse to work

A model may have several autoscalers: prefill and decode of one StormService each have theirs, and all are told. It wakes if one of them
does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from brickyard.api import names
from brickyard.api.kinds import resources, shapes
from brickyard.api.kinds.podautoscaler import legacy, types
from brickyard.kube.objects import conditions, meta


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What an autoscaler scales: where it stands, and of a StormService the role."""

    kind: resources.ResourceType
    key: meta.Key
    role: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Sleeper:
    """An autoscaler, and what a gateway wants to know of it.

    Attributes:
        autoscaler: its namespace and name.
        named: the model, where the autoscaler names it itself; else "".
        target: what it scales; None where that is no kind that is looked at.
        sleeps: whether the target may have no replicas.
        refusal: why it does not wake its target; "" when it does.
        said: what it last said of its target, "" before.
        created: Unix seconds; 0.0 when the object does not say.
        words: annotations of the autoscaler.
    """

    autoscaler: meta.Key
    named: str
    target: Target | None
    sleeps: bool
    refusal: str
    said: str
    created: float
    words: Mapping[str, str]


def read(autoscaler: resources.Object) -> Sleeper:
    """What ``autoscaler`` says, whatever else is wrong with it."""
    today = legacy.convert(autoscaler).obj
    return Sleeper(
        meta.key(autoscaler),
        _model(autoscaler),
        _target(today),
        _sleeps(today),
        _refusal(today),
        _said(autoscaler),
        meta.created(autoscaler),
        meta.annotations(autoscaler),
    )


def models(target: resources.Object, role: str = "") -> frozenset[str]:
    """The models that a target's pods serve; of a StormService, those of ``role``."""
    found = {_model(each) for each in _templates(target, role)} - {""}
    return frozenset(found or {_model(target)} - {""})


def _model(obj: Any) -> str:
    told = (shapes.text(obj, "metadata", part, names.MODEL_NAME) for part in ("labels", "annotations"))
    return next(filter(None, told), "")


def _templates(target: resources.Object, role: str) -> Iterator[Any]:
    template = shapes.mapping(target, "spec", "template")
    yield template
    yield shapes.mapping(template, "spec", "headGroupSpec", "template")
    for each in shapes.sequence(template, "spec", "roles"):
        if not role or shapes.text(each, "name") == role:
            yield shapes.mapping(each, "template")


def _target(today: resources.Object) -> Target | None:
    wanted = shapes.mapping(today, "spec", "scaleTargetRef")
    group = (shapes.text(wanted, "apiVersion") or "").rpartition("/")[0]
    kind = types.TARGETS.get((group, shapes.text(wanted, "kind") or ""))
    name = shapes.text(wanted, "name") or ""
    if kind is None or not name:
        return None
    role = shapes.text(today, "spec", "subTargetSelector", "roleName") or ""
    return Target(kind, meta.Key(meta.namespace(today), name), role)


def _sleeps(today: resources.Object) -> bool:
    spec = shapes.mapping(today, "spec")
    return 0 in (
        shapes.integer(spec, "minReplicas"),
        *(shapes.integer(each, "minReplicas") for each in shapes.sequence(spec, "schedules")),
    )


def _refusal(today: resources.Object) -> str:
    told = shapes.sequence(today, "status", "conditions")
    for kind in (types.VALID_SPEC, types.CONFLICT):
        found = conditions.failing([each for each in told if isinstance(each, dict)], kind)
        if found is not None:
            return f"it does not work: {shapes.text(found, 'message') or shapes.text(found, 'reason')}"
    if shapes.text(today, "spec", "scalingStrategy") == types.HPA:
        return "a HorizontalPodAutoscaler does not wake what has no replicas: write strategy KPA or APA"
    if not _sleeps(today):
        return "its minReplicas is not 0, so whoever scaled its target to 0 has to scale it up again"
    return ""


def _said(autoscaler: resources.Object) -> str:
    told = [each for each in shapes.sequence(autoscaler, "status", "conditions") if isinstance(each, dict)]
    unable = conditions.failing(told, types.ABLE_TO_SCALE)
    if unable is not None:
        return shapes.text(unable, "message") or ""
    active = conditions.find(told, types.SCALING_ACTIVE)
    return (shapes.text(active, "message") or "") if active is not None else ""
