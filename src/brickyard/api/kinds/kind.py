"""What a kind of ours says of itself beside its fields: where it is served, what ``kubectl get`` shows, how it is scaled."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Final, Self

from brickyard.api.kinds import core, resources, views


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column that ``kubectl get`` prints. ``path`` is a JSONPath; ``type`` one of string, integer, boolean, date."""

    name: str
    path: str
    type: str = "string"


def age(name: str = "Age") -> Column:
    """The column of an object's age."""
    return Column(name, ".metadata.creationTimestamp", "date")


READY: Final = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
"""The column of condition Ready."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """Where ``/scale`` reads and writes."""

    spec: str = ".spec.replicas"
    status: str = ".status.replicas"
    selector: str = ".status.scalingTargetSelector"


class Kind(views.View):
    """An object of a kind. A subclass adds ``spec`` and ``status``; its docstring begins with what ``kubectl explain`` tells."""

    type: ClassVar[resources.ResourceType]
    short_names: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[tuple[Column, ...]] = ()
    scale: ClassVar[Scale | None] = None

    api_version = views.text("Group and version of this object's form.").absent("")
    kind = views.text("What this object is.").absent("")
    metadata = views.part("Name, labels and what else every object has.", core.Metadata).absent({})

    @classmethod
    def new(cls, name: str, namespace: str) -> Self:
        """An object with nothing but its identity."""
        made = cls({"apiVersion": cls.type.api_version, "kind": cls.type.kind})
        made.metadata.name = name
        made.metadata.namespace = namespace
        return made
