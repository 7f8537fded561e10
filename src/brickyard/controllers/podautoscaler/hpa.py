"""The HorizontalPodAutoscaler that does the work of a PodAutoscaler with strategy HPA. Pure.

    metric source                        becomes
    resource cpu                         Resource, share of the request in percent
    resource memory                      Resource, average in MiB
    external (domain), any endpoint      External, average per replica
    pod, custom, whatever else           Pods, average; cpu and memory by name as for resource

A cluster's HorizontalPodAutoscaler asks the metrics APIs: what only an HTTP page tells, it cannot see unless an adapter serves it there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from brickyard.api import names
from brickyard.api.kinds import resources, shapes
from brickyard.api.kinds.podautoscaler import admission, types
from brickyard.controllers.podautoscaler import status
from brickyard.kube.objects import errors as object_errors
from brickyard.kube.objects import meta, owners, quantities
from brickyard.scaling import contract

SUFFIX: Final = "-hpa"
PERIOD: Final = 60
"""Seconds in which one policy may take one step."""
_LONGEST_WINDOW: Final = 3600
"""Seconds of stabilisation that a HorizontalPodAutoscaler takes."""
_LARGEST: Final = 2**31 - 1
_OURS_ALONE: Final = ("kubectl.kubernetes.io/last-applied-configuration", names.CONVERTED)
"""Annotations that speak of the PodAutoscaler itself."""


def name_of(autoscaler: resources.Object) -> str:
    """The name that the HorizontalPodAutoscaler of ``autoscaler`` has."""
    return meta.name(autoscaler) + SUFFIX


def build(autoscaler: resources.Object, settings: contract.Settings, bounds: status.Bounds) -> resources.Object:
    """What should be. ``autoscaler`` is in today's form; sources whose target is no number are left out."""
    target = shapes.mapping(autoscaler, "spec", "scaleTargetRef")
    annotations = {key: value for key, value in meta.annotations(autoscaler).items() if key not in _OURS_ALONE}
    return {
        "apiVersion": resources.HORIZONTAL_POD_AUTOSCALER.api_version,
        "kind": resources.HORIZONTAL_POD_AUTOSCALER.kind,
        "metadata": {
            "name": name_of(autoscaler),
            "namespace": meta.namespace(autoscaler),
            "labels": dict(meta.labels(autoscaler)),
            "annotations": annotations,
            "ownerReferences": [owners.owner_reference(autoscaler)],
        },
        "spec": {
            "scaleTargetRef": {key: target[key] for key in ("apiVersion", "kind", "name") if target.get(key)},
            # It cannot reach zero by itself: 1 is the least that every cluster takes.
            "minReplicas": max(1, bounds.minimum),
            "maxReplicas": bounds.maximum or _LARGEST,
            "metrics": list(_metrics(autoscaler)),
            "behavior": {
                "scaleUp": _rules(settings.up_window, (settings.up_rate - 1) * 100, "Max"),
                "scaleDown": _rules(settings.down_window, (1 - 1 / settings.down_rate) * 100, "Min"),
            },
        },
    }


def unseen(autoscaler: resources.Object) -> Iterator[contract.Problem]:
    """Sources that a HorizontalPodAutoscaler cannot read by itself."""
    for index, source in enumerate(shapes.sequence(autoscaler, "spec", "metricsSources")):
        endpoint = shapes.text(source, "endpoint")
        if endpoint:
            text = f"strategy HPA asks external.metrics.k8s.io, not {endpoint}; use KPA or APA, or an adapter that serves it"
            yield contract.Problem(f"spec.metricsSources[{index}].endpoint", text)


def is_up_to_date(live: resources.Object, wanted: resources.Object) -> bool:
    """Whether ``live`` says all that ``wanted`` says; what a server has filled in besides is left alone."""
    return all(_covers(live.get(part), wanted[part]) for part in ("metadata", "spec"))


def _covers(live: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        if not isinstance(live, Mapping):
            return False
        return all(
            _same_amount(live, wanted) if key == "averageValue" else _covers(live.get(key), each)
            for key, each in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(_covers, live, wanted))
    return bool(live == wanted)


def _same_amount(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """A server may write a quantity in its own way: 2M for 2000000."""
    try:
        return quantities.parse(live["averageValue"]) == quantities.parse(wanted["averageValue"])
    except (KeyError, object_errors.QuantityError):
        return False


def told(live: resources.Object | None) -> Mapping[str, Any]:
    """What the PodAutoscaler's status takes over: ``currentReplicas``, ``desiredReplicas``, ``lastScaleTime``, ``conditions``."""
    return shapes.mapping(live, "status") if live is not None else {}


def same_news(old: resources.Object, new: resources.Object) -> bool:
    """Whether nothing changed that concerns the PodAutoscaler: measurements alone do not."""
    keys = ("currentReplicas", "desiredReplicas", "lastScaleTime", "conditions")
    before, after = told(old), told(new)
    return old.get("spec") == new.get("spec") and all(before.get(key) == after.get(key) for key in keys)


def _metrics(autoscaler: resources.Object) -> Iterator[resources.Object]:
    for source in shapes.sequence(autoscaler, "spec", "metricsSources"):
        try:
            value = admission.target_value(shapes.text(source, "targetValue") or "")
        except ValueError:
            continue
        name = shapes.text(source, "targetMetric") or ""
        yield _metric(shapes.text(source, "metricSourceType") or "", name, value)


def _metric(kind: str, name: str, value: float) -> resources.Object:
    average = {"type": "AverageValue", "averageValue": quantity(value)}
    if kind in (types.SOURCE_EXTERNAL, types.SOURCE_DOMAIN):
        return {"type": "External", "external": {"metric": {"name": name}, "target": average}}
    if name.lower() == "cpu":
        target = {"type": "Utilization", "averageUtilization": math.ceil(value)}
        return {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    if name.lower() == "memory":
        target = {"type": "AverageValue", "averageValue": f"{max(1, int(value))}Mi"}
        return {"type": "Resource", "resource": {"name": "memory", "target": target}}
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": average}}


def quantity(value: float) -> str:
    """``value``, above 0, as a Kubernetes quantity: whole numbers as they are, others in thousandths, none of them 0."""
    return str(int(value)) if value == int(value) else f"{max(1, round(value * 1000))}m"


def _rules(window: float, percent: float, select: str) -> resources.Object:
    share = 100 if percent < 0 else max(1, int(percent + 1e-9))
    return {
        "stabilizationWindowSeconds": min(round(window), _LONGEST_WINDOW),
        "selectPolicy": select,
        "policies": [{"type": "Percent", "value": share, "periodSeconds": PERIOD}],
    }
