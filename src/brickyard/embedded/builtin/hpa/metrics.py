"""What one metric of an autoscaler comes to, once its numbers are here. Pure. Values are thousandths."""

from __future__ import annotations

import decimal
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin.hpa import proposals
from brickyard.embedded.builtin.hpa.plan import Reading
from brickyard.kube.objects import meta, quantities

Spec = Mapping[str, Any]

FIELDS = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
"""Type of a metric → the field that says the rest."""


def milli(quantity: str | int | float) -> int:
    """Thousandths of a quantity, rounded up."""
    return math.ceil(quantities.parse(quantity) * 1000)


def text(value: int) -> str:
    """Thousandths as a quantity."""
    return quantities.format_decimal(decimal.Decimal(value) / 1000)


def usage(items: Iterable[Spec], resource: str, container: str = "") -> dict[str, int]:
    """What each pod uses of ``resource``, by PodMetrics; of one container where it is named. Pods that do not say it are left out."""
    found = {}
    for item in items:
        chosen = [each for each in item.get("containers") or () if container in ("", each["name"])]
        amounts = [(each.get("usage") or {}).get(resource) for each in chosen]
        if chosen and all(each is not None for each in amounts):
            found[item["metadata"]["name"]] = sum(milli(each) for each in amounts if each is not None)
    return found


def requests(pods: Iterable[resources.Object], resource: str, container: str = "") -> dict[str, int]:
    """What each pod requests of ``resource``.

    Raises:
        UnmeasuredError: a container requests nothing: a share of nothing is no number.
    """
    found = {}
    for pod in pods:
        spec = pod.get("spec") or {}
        beside = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
        total = 0
        for each in [*(spec.get("containers") or ()), *beside]:
            if container not in ("", each["name"]):
                continue
            asked = ((each.get("resources") or {}).get("requests") or {}).get(resource)
            if asked is None:
                raise proposals.UnmeasuredError(
                    f"missing request for {resource} in container {each['name']} of Pod {meta.name(pod)}"
                )
            total += milli(asked)
        found[meta.name(pod)] = total
    return found


def of_pods(
    metric: Spec,
    pods: Sequence[resources.Object],
    values: Mapping[str, int],
    scale: tuple[int, float],
    tolerance: proposals.Tolerance,
) -> Reading:
    """A metric that each pod has: Resource, ContainerResource, Pods. ``scale`` is the current size and the time.

    Raises:
        UnmeasuredError: no number can be proposed.
    """
    current, now = scale
    kind, source = metric["type"], metric[FIELDS[metric["type"]]]
    target = source["target"]
    resource = source.get("name", "")
    groups = proposals.group(pods, values, now, cpu=resource == "cpu")
    measured = groups.values
    told: dict[str, Any] = {}
    goal: proposals.Goal
    if target.get("averageUtilization") is not None:
        asked = proposals.Utilization(
            int(target["averageUtilization"]), requests(pods, resource, source.get("container", ""))
        )
        goal = asked
        if measured:
            told["averageUtilization"] = asked.percent(measured)
    else:
        goal = proposals.Average(milli(target["averageValue"]))
    replicas = proposals.from_pods(goal, groups, current, tolerance)
    told["averageValue"] = text(sum(measured.values()) // len(measured))
    return Reading(_name(kind, source), replicas, _entry(kind, source, told))


def of_whole(metric: Spec, value: int, ready: int, current: int, tolerance: proposals.Tolerance) -> Reading:
    """A metric of something else: Object, External. ``ready`` pods are there to share it."""
    kind, source = metric["type"], metric[FIELDS[metric["type"]]]
    target = source["target"]
    if target.get("averageValue") is not None:
        replicas = proposals.from_total(value, milli(target["averageValue"]), current, tolerance)
        told = {"averageValue": text(-(-value // current) if current else 0)}
    else:
        replicas = proposals.from_value(value, milli(target["value"]), ready, current, tolerance)
        told = {"value": text(value)}
    return Reading(_name(kind, source), replicas, _entry(kind, source, told))


def failed(metric: Spec, message: str) -> Reading:
    """A metric that cannot be measured."""
    kind, source = metric["type"], metric[FIELDS[metric["type"]]]
    name = _name(kind, source)
    return Reading(name, None, reason=f"FailedGet{kind}Metric", why=f"failed to get {name}: {message}")


def _name(kind: str, source: Spec) -> str:
    if kind in ("Resource", "ContainerResource"):
        of = f" of container {source['container']}" if kind == "ContainerResource" else ""
        share = source["target"].get("averageUtilization") is not None
        return (
            f"{source['name']} resource utilization (percentage of request){of}"
            if share
            else f"{source['name']} resource{of}"
        )
    name = source["metric"]["name"]
    if kind == "Object":
        return f"{source['describedObject']['kind']} metric {name}"
    return f"pods metric {name}" if kind == "Pods" else f"external metric {name}"


def _entry(kind: str, source: Spec, current: Spec) -> dict[str, Any]:
    kept = {key: each for key, each in source.items() if key != "target"}
    return {"type": kind, FIELDS[kind]: {**kept, "current": dict(current)}}
