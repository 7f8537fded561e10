"""How a companion is declared, and the CustomResourceDefinition made of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from brickyard.api import names
from brickyard.api.kinds import resources

Schema = dict[str, Any]

_APPROVED: Final = {"api-approved.kubernetes.io": "unapproved, stands in where the project itself is not installed"}
_PROTECTED: Final = (".k8s.io", ".kubernetes.io")
_PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A printer column; ``priority`` 1 is shown with ``-o wide``."""

    name: str
    path: str
    type: str = "string"
    priority: int = 0


AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")


@dataclasses.dataclass(frozen=True, slots=True)
class Companion:
    """A kind of another project. ``versions`` are served beside that of ``type``, which is the one that is stored; all look alike."""

    type: resources.ResourceType
    description: str
    spec: Schema
    status: Schema = dataclasses.field(default_factory=lambda: anything("What its own project last saw of it."))
    versions: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = (AGE,)
    has_status: bool = True
    scale: Mapping[str, str] | None = None


def anything(description: str) -> Schema:
    """An object of any fields."""
    return {"type": "object", "description": description, _PRESERVE: True}


def record(description: str, properties: Mapping[str, Schema], required: Sequence[str] = (), **more: Any) -> Schema:
    """An object with known fields, which keeps the others too: the projects' own definitions know more than ours."""
    schema = {"type": "object", "description": description, _PRESERVE: True, "properties": dict(properties), **more}
    return {**schema, "required": list(required)} if required else schema


def text(description: str, **more: Any) -> Schema:
    """A string; ``more`` are keywords of the schema such as ``default``."""
    return {"type": "string", "description": description, **more}


def number(description: str, **more: Any) -> Schema:
    """A whole number."""
    return {"type": "integer", "description": description, "format": "int32", **more}


def flag(description: str, **more: Any) -> Schema:
    """True or false."""
    return {"type": "boolean", "description": description, **more}


def listed(description: str, items: Schema, **more: Any) -> Schema:
    """A list."""
    return {"type": "array", "description": description, "items": items, **more}


def labels(description: str) -> Schema:
    """Text by text."""
    return {"type": "object", "description": description, "additionalProperties": {"type": "string"}}


def conditions(description: str = "States it is in, one per type.") -> Schema:
    """metav1 Conditions, kept apart by their type."""
    properties = {
        "type": text("What is said."),
        "status": text("Whether it is so.", enum=["True", "False", "Unknown"]),
        "reason": text("Why, in one word."),
        "message": text("Why, for people."),
        "lastTransitionTime": text("Since when.", format="date-time"),
        "observedGeneration": {"type": "integer", "description": "Of which generation it is said.", "format": "int64"},
    }
    item = record("One state.", properties, ["type", "status"])
    keyed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return listed(description, item, **keyed)


def pending(*kinds: str, reason: str = "Pending") -> list[dict[str, str]]:
    """Conditions of what no controller has looked at yet, as the projects' definitions have them for a default."""
    common = {"status": "Unknown", "reason": reason, "message": "Waiting for controller"}
    return [{"type": kind, **common, "lastTransitionTime": "1970-01-01T00:00:00Z"} for kind in kinds]


def definition(companion: Companion) -> resources.Object:
    """A fresh CustomResourceDefinition."""
    found = companion.type
    spelled: dict[str, Any] = {
        "plural": found.plural,
        "singular": found.kind.lower(),
        "kind": found.kind,
        "listKind": f"{found.kind}List",
    }
    for key, words in (("shortNames", companion.short_names), ("categories", companion.categories)):
        if words:
            spelled[key] = list(words)
    metadata: dict[str, Any] = {"name": f"{found.plural}.{found.group}", "labels": {names.STORED_ONLY: "true"}}
    if found.group.endswith(_PROTECTED):
        metadata["annotations"] = dict(_APPROVED)
    return {
        "apiVersion": resources.CUSTOM_RESOURCE_DEFINITION.api_version,
        "kind": resources.CUSTOM_RESOURCE_DEFINITION.kind,
        "metadata": metadata,
        "spec": {
            "group": found.group,
            "names": spelled,
            "scope": "Namespaced" if found.namespaced else "Cluster",
            "versions": [_version(companion, each) for each in (found.version, *companion.versions)],
        },
    }


def _version(companion: Companion, name: str) -> dict[str, Any]:
    properties: dict[str, Schema] = {"metadata": {"type": "object"}, "spec": companion.spec}
    if companion.has_status:
        properties["status"] = companion.status
    schema = {"type": "object", "description": companion.description, "properties": properties}
    subresources: dict[str, Any] = {"status": {}} if companion.has_status else {}
    if companion.scale is not None:
        subresources["scale"] = dict(companion.scale)
    version: dict[str, Any] = {
        "name": name,
        "served": True,
        "storage": name == companion.type.version,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [_column(each) for each in companion.columns],
    }
    return {**version, "subresources": subresources} if subresources else version


def _column(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return {**found, "priority": column.priority} if column.priority else found
