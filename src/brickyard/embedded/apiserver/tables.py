"""Table output (``as=Table``): what ``kubectl get`` prints, computed here so that every client prints the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.embedded.apiserver.columns import cells

_PLAIN = (cells.NAME, cells.AGE)


def render(
    resource: contract.Resource,
    objects: Iterable[resources.Object],
    now: float,
    *,
    include_object: str = "Metadata",
    header: bool = True,
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A ``meta.k8s.io/v1`` Table of ``objects``.

    ``metadata`` is that of the list (resourceVersion, continue); ``header`` False leaves the column definitions out, as from the
    second event of a watch on. A table of one object is a table of a list of one.
    """
    columns = resource.columns or _PLAIN
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": dict(metadata or {}),
        "columnDefinitions": [_definition(each) for each in columns] if header else None,
        "rows": [_row(columns, each, now, include_object) for each in objects],
    }


def _definition(column: contract.Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row(columns: Iterable[contract.Column], obj: resources.Object, now: float, include_object: str) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": [column.cell(obj, now) for column in columns]}
    if include_object == "Object":
        row["object"] = obj
    elif include_object == "Metadata":
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": _metadata(obj),
        }
    return row


def _metadata(obj: resources.Object) -> dict[str, Any]:
    """A row's metadata without its owners: of a pod they are two thirds of the bytes, and no table shows them."""
    return {name: each for name, each in (obj.get("metadata") or {}).items() if name != "managedFields"}
