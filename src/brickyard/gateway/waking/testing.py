"""For tests of models that sleep: autoscalers and targets as an API would hand them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import types

MADE = "2026-01-02T03:04:05Z"


def autoscaler(
    name: str = "demo",
    target: str | None = None,
    *,
    kind: resources.ResourceType = resources.DEPLOYMENT,
    conditions: Sequence[Mapping[str, Any]] = (),
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> resources.Object:
    """A KPA of a target of its own name whose minimum is 0; ``spec`` replaces and adds fields."""
    wanted = {"apiVersion": kind.api_version, "kind": kind.kind, "name": name if target is None else target}
    bounds = {"minReplicas": 0, "maxReplicas": 4, "scalingStrategy": types.KPA}
    return {
        "apiVersion": resources.POD_AUTOSCALER.api_version,
        "kind": resources.POD_AUTOSCALER.kind,
        "metadata": _metadata(name, labels=dict(labels or {}), annotations=dict(annotations or {})),
        "spec": {"scaleTargetRef": wanted, **bounds, **spec},
        "status": {"conditions": [dict(each) for each in conditions]},
    }


def condition(kind: str, status: str, message: str = "", reason: str = "") -> Mapping[str, str]:
    """A condition of an autoscaler."""
    return {"type": kind, "status": status, "reason": reason, "message": message}


def template(model: str = "demo") -> resources.Object:
    """Of pods that serve ``model``."""
    return {"metadata": {"labels": {names.MODEL_NAME: model}}, "spec": {}}


def deployment(name: str = "demo", model: str = "demo") -> resources.Object:
    """One whose pods serve ``model``; "" for none."""
    pods = template(model) if model else {}
    return {"metadata": _metadata(name), "spec": {"replicas": 0, "template": pods}, "status": {}}


def storm_service(name: str = "demo", **roles: str) -> resources.Object:
    """One with roles, each with the model that its pods serve."""
    listed = [{"name": role, "replicas": 0, "template": template(model)} for role, model in roles.items()]
    return {"metadata": _metadata(name), "spec": {"template": {"spec": {"roles": listed}}}}


def fleet(name: str = "demo", model: str = "demo") -> resources.Object:
    """A RayClusterFleet whose heads serve ``model``."""
    cluster = {"spec": {"headGroupSpec": {"template": template(model)}}}
    return {"metadata": _metadata(name), "spec": {"replicas": 0, "template": cluster}}


def _metadata(name: str, **more: Any) -> resources.Object:
    return {"name": name, "namespace": "default", "creationTimestamp": MADE, **more}
