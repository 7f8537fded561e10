"""The rules of a RayClusterReplicaSet: it finds its clusters by their labels, those of its template unless it says others."""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import contract, faults, resources, shapes

_SELECTOR: Final = ("spec", "selector")


class Rules(contract.NoRules):
    """Fills ``contract.KindRules``."""

    def default(self, obj: resources.Object) -> resources.Object:
        labels = shapes.mapping(obj, "spec", "template", "metadata", "labels")
        if shapes.at(obj, *_SELECTOR) is not None or not labels:
            return obj
        return shapes.placed(obj, _SELECTOR, {"matchLabels": dict(labels)})

    def validate(self, obj: resources.Object, old: resources.Object | None) -> faults.Errors:
        """An empty spec asks for nothing and needs no selector."""
        if old is None and obj.get("spec") and shapes.at(obj, *_SELECTOR) is None:
            yield faults.required("spec.selector", "write it, or give spec.template.metadata.labels")
