"""Columns of autoscalers, budgets, priorities, quotas, roles, webhooks: what steers other objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.columns import cells, workloads
from brickyard.kube.objects import paths

_SHOWN = 2
_SOURCES = {"External": "external", "Pods": "pods", "Object": "object"}


def _reference(obj: resources.Object, now: float) -> str:
    del now
    target = paths.get(obj, "spec.scaleTargetRef", {})
    return f"{target.get('kind') or ''}/{target.get('name') or ''}"


def _targets(obj: resources.Object, now: float) -> str:
    """``cpu: <unknown>/80%, 3/10 (avg) + 1 more...``."""
    del now
    wanted, found = paths.get(obj, "spec.metrics", ()), paths.get(obj, "status.currentMetrics", ())
    texts = [_target(metric, found[at] if at < len(found) else {}) for at, metric in enumerate(wanted)]
    more = f" + {len(texts) - _SHOWN} more..." if len(texts) > _SHOWN else ""
    return (", ".join(texts[:_SHOWN]) or cells.NONE) + more


def _target(metric: Mapping[str, Any], observed: Mapping[str, Any]) -> str:
    kind = metric.get("type")
    field = {"Resource": "resource", "ContainerResource": "containerResource"}.get(str(kind))
    if field is not None:
        source = metric.get(field) or {}
        return f"{source.get('name')}: {_of_resource(source, (observed.get(field) or {}).get('current') or {})}"
    other = _SOURCES.get(str(kind))
    if other is None:
        return "<unknown type>"
    target = (metric.get(other) or {}).get("target") or {}
    current = (observed.get(other) or {}).get("current") or {}
    average = target.get("averageValue") is not None
    name = "averageValue" if average else "value"
    mean = " (avg)" if average and kind != "Pods" else ""
    return f"{_quantity(current.get(name))}/{target.get(name)}{mean}"


def _of_resource(source: Mapping[str, Any], current: Mapping[str, Any]) -> str:
    target = source.get("target") or {}
    if target.get("averageValue") is not None:
        return f"{_quantity(current.get('averageValue'))}/{target['averageValue']}"
    share = current.get("averageUtilization")
    shown = cells.UNKNOWN if share is None else f"{share}%"
    wanted = target.get("averageUtilization")
    return f"{shown}/{'<auto>' if wanted is None else f'{wanted}%'}"


def _quantity(value: Any) -> str:
    return cells.UNKNOWN if value in (None, "") else str(value)


HORIZONTAL_POD_AUTOSCALER = (
    cells.NAME,
    contract.Column("Reference", _reference, description="What it scales."),
    contract.Column("Targets", _targets, description="Measured and wanted values of its metrics."),
    contract.Column("MinPods", cells.at("spec.minReplicas", "<unset>"), description="Fewest replicas."),
    contract.Column("MaxPods", cells.at("spec.maxReplicas", 0), description="Most replicas."),
    contract.Column("Replicas", cells.at("status.currentReplicas", 0), description="Replicas there are."),
    cells.AGE,
)
POD_DISRUPTION_BUDGET = (
    cells.NAME,
    contract.Column("Min Available", cells.at("spec.minAvailable", "N/A"), description="Pods that must stay."),
    contract.Column("Max Unavailable", cells.at("spec.maxUnavailable", "N/A"), description="Pods that may be missing."),
    contract.Column(
        "Allowed Disruptions", cells.at("status.disruptionsAllowed", 0), "integer", description="Evictions allowed now."
    ),
    cells.AGE,
)


def _flag(field: str) -> contract.Cell:
    def cell(obj: resources.Object, now: float) -> str:
        del now
        return "true" if obj.get(field) else "false"

    return cell


PRIORITY_CLASS = (
    cells.NAME,
    contract.Column("Value", cells.at("value", 0), "integer", description="The priority."),
    contract.Column("Global-Default", _flag("globalDefault"), "boolean", description="Whether it is the default."),
    cells.AGE,
    contract.Column(
        "PreemptionPolicy", cells.at("preemptionPolicy", ""), description="Whether its pods displace others."
    ),
)


def _subjects(kind: str) -> contract.Cell:
    def cell(obj: resources.Object, now: float) -> str:
        del now
        return ", ".join(_subject(each) for each in obj.get("subjects") or () if each.get("kind") == kind)

    return cell


def _subject(subject: Mapping[str, Any]) -> str:
    name = str(subject.get("name") or "")
    return f"{subject.get('namespace') or ''}/{name}" if subject.get("kind") == "ServiceAccount" else name


def _role(obj: resources.Object, now: float) -> str:
    del now
    role = obj.get("roleRef") or {}
    return f"{role.get('kind')}/{role.get('name')}"


ROLE_BINDING = (
    cells.NAME,
    contract.Column("Role", _role, description="The role it gives."),
    cells.AGE,
    contract.Column("Users", _subjects("User"), priority=1, description="Users it is given to."),
    contract.Column("Groups", _subjects("Group"), priority=1, description="Groups it is given to."),
    contract.Column(
        "ServiceAccounts", _subjects("ServiceAccount"), priority=1, description="Service accounts it is given to."
    ),
)


def _webhooks(obj: resources.Object, now: float) -> int:
    del now
    return len(obj.get("webhooks") or ())


WEBHOOK_CONFIGURATION = (
    cells.NAME,
    contract.Column("Webhooks", _webhooks, "integer", description="Number of webhooks."),
    cells.AGE,
)


def _quota(limits: bool) -> contract.Cell:
    """Entries ``name: used/hard``: those of limits, or all others."""

    def cell(obj: resources.Object, now: float) -> str:
        del now
        return ", ".join(_used(obj, limits))

    return cell


def _used(obj: resources.Object, limits: bool) -> Iterator[str]:
    used = paths.get(obj, "status.used", {})
    for name, hard in sorted(paths.get(obj, "status.hard", {}).items()):
        if name.startswith("limits") == limits:
            yield f"{name}: {used.get(name, 0)}/{hard}"


RESOURCE_QUOTA = (
    cells.NAME,
    contract.Column("Request", _quota(limits=False), description="Used and allowed amounts."),
    contract.Column("Limit", _quota(limits=True), description="Used and allowed limits."),
    cells.AGE,
)


def _pods(obj: resources.Object, now: float) -> str:
    del now
    return workloads.selector_text(paths.get(obj, "spec.podSelector"))


NETWORK_POLICY = (
    cells.NAME,
    contract.Column("Pod-Selector", _pods, description="Pods it is about."),
    cells.AGE,
)
NAMED = (cells.NAME, cells.AGE)


def _hosts(obj: resources.Object, now: float) -> str:
    del now
    hosts = [each["host"] for each in paths.get(obj, "spec.rules", ()) if each.get("host")]
    return cells.shortened(hosts) if hosts else "*"


def _addresses(obj: resources.Object, now: float) -> str:
    del now
    found = paths.get(obj, "status.loadBalancer.ingress", ())
    return ",".join(each.get("ip") or each.get("hostname") or "" for each in found)


def _ingress_ports(obj: resources.Object, now: float) -> str:
    del now
    return "80, 443" if paths.get(obj, "spec.tls") else "80"


INGRESS = (
    cells.NAME,
    contract.Column("Class", cells.at("spec.ingressClassName"), description="Who carries it out."),
    contract.Column("Hosts", _hosts, description="Host names it is for."),
    contract.Column("Address", _addresses, description="Where it is reached."),
    contract.Column("Ports", _ingress_ports, description="Ports it listens on."),
    cells.AGE,
)
