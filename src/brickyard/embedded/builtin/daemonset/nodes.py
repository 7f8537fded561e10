"""Which nodes a DaemonSet is for, and which node a pod of it is for. Pure.

A pod names its node before it is bound, by an affinity to that name, as in a cluster. A node selector and the required node affinity of
the template choose nodes by their labels; a node that is cordoned or not ready is no reason to do without the pod.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.objects import meta, selectors

TOLERATIONS: tuple[Mapping[str, str], ...] = (
    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/disk-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/memory-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/pid-pressure", "operator": "Exists", "effect": "NoSchedule"},
    {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"},
)
"""What every pod of a DaemonSet puts up with."""
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def wants(daemon_set: resources.Object, node: resources.Object) -> bool:
    """Whether the DaemonSet is to have a pod on ``node``."""
    spec = daemon_set["spec"]["template"].get("spec") or {}
    labels = meta.labels(node)
    if spec.get("nodeName") not in (None, "", meta.name(node)):
        return False
    if not (spec.get("nodeSelector") or {}).items() <= labels.items():
        return False
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED)
    terms = (required or {}).get("nodeSelectorTerms") or ()
    return required is None or any(_holds(term, meta.name(node), labels) for term in terms)


def _holds(term: Mapping[str, Any], name: str, labels: Mapping[str, str]) -> bool:
    """One term of an affinity: all of its expressions; a term without any selects nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    known = {"metadata.name": name}
    by_label = all(_matches(each, labels) for each in expressions)
    return bool(expressions or fields) and by_label and all(_matches(each, known) for each in fields)


def _matches(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    operator, values = expression.get("operator"), expression.get("values") or ()
    if operator in ("Gt", "Lt"):
        return _compares(labels.get(expression["key"]), str(operator), str(values[0]) if values else "")
    return selectors.from_label_selector({"matchExpressions": [dict(expression)]}).matches(labels)


def _compares(value: str | None, operator: str, bound: str) -> bool:
    try:
        found, limit = int(value or ""), int(bound)
    except ValueError:
        return False
    return found > limit if operator == "Gt" else found < limit


def pin(spec: dict[str, Any], node: str) -> None:
    """Make a pod's ``spec`` one for ``node``."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    affinity = spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})
    terms: Sequence[Mapping[str, Any]] = (affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    affinity[_REQUIRED] = {"nodeSelectorTerms": [{**each, "matchFields": [field]} for each in terms]}
    known = spec.get("tolerations") or []
    spec["tolerations"] = [*known, *(dict(each) for each in TOLERATIONS if each not in known)]


def node_of(pod: resources.Object) -> str:
    """The node that a pod is on or for; "" where it does not say."""
    if name := pod["spec"].get("nodeName"):
        return str(name)
    required = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == "metadata.name" and field.get("operator") == "In" and len(field["values"]) == 1:
                return str(field["values"][0])
    return ""
