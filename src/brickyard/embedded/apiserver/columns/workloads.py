"""Columns of Deployments and ReplicaSets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.columns import cells
from brickyard.kube.objects import errors, paths, selectors


def _ready(obj: resources.Object, now: float) -> str:
    del now
    return f"{paths.get(obj, 'status.readyReplicas', 0)}/{paths.get(obj, 'spec.replicas', 0)}"


def _containers(field: str) -> contract.Cell:
    def cell(obj: resources.Object, now: float) -> str:
        del now
        return ",".join(each.get(field) or "" for each in paths.get(obj, "spec.template.spec.containers", ()))

    return cell


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """A label selector in one line; ``<none>`` where it selects nothing or everything."""
    try:
        return str(selectors.from_label_selector(selector)) or cells.NONE
    except errors.SelectorError:
        return "<error>"


def _selector(obj: resources.Object, now: float) -> str:
    del now
    return selector_text(paths.get(obj, "spec.selector"))


_WIDE = (
    contract.Column("Containers", _containers("name"), priority=1, description="Names of the template's containers."),
    contract.Column("Images", _containers("image"), priority=1, description="Images of the template's containers."),
    contract.Column("Selector", _selector, priority=1, description="Labels of the pods that belong to it."),
)

DEPLOYMENT = (
    cells.NAME,
    contract.Column("Ready", _ready, description="Number of the pod with ready state, of those wanted."),
    contract.Column("Up-to-date", cells.at("status.updatedReplicas", 0), description="Pods of the current template."),
    contract.Column(
        "Available", cells.at("status.availableReplicas", 0), description="Pods ready for minReadySeconds."
    ),
    cells.AGE,
    *_WIDE,
)
REPLICA_SET = (
    cells.NAME,
    contract.Column("Desired", cells.at("spec.replicas", 0), "integer", description="Number of pods wanted."),
    contract.Column("Current", cells.at("status.replicas", 0), "integer", description="Number of pods there are."),
    contract.Column("Ready", cells.at("status.readyReplicas", 0), "integer", description="Number of pods ready."),
    cells.AGE,
    *_WIDE,
)
