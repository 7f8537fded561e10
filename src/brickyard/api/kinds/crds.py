"""The kinds of AIBrix as CustomResourceDefinitions, made of their declarations: names, subresources, columns, schemas."""

from __future__ import annotations

import inspect
from typing import Any, Final

from brickyard.api.kinds import kind, resources
from brickyard.api.kinds.kvcache import types as kvcache
from brickyard.api.kinds.modeladapter import types as modeladapter
from brickyard.api.kinds.modelclaim import types as modelclaim
from brickyard.api.kinds.podautoscaler import types as podautoscaler
from brickyard.api.kinds.podset import types as podset
from brickyard.api.kinds.rayclusterfleet import types as rayclusterfleet
from brickyard.api.kinds.rayclusterreplicaset import types as rayclusterreplicaset
from brickyard.api.kinds.roleset import types as roleset
from brickyard.api.kinds.stormservice import types as stormservice

KINDS: Final[tuple[type[kind.Kind], ...]] = (
    podautoscaler.PodAutoscaler,
    modeladapter.ModelAdapter,
    modelclaim.ModelClaim,
    stormservice.StormService,
    roleset.RoleSet,
    podset.PodSet,
    kvcache.KVCache,
    rayclusterfleet.RayClusterFleet,
    rayclusterreplicaset.RayClusterReplicaSet,
)


def definitions() -> list[resources.Object]:
    """The nine kinds, each as a fresh CustomResourceDefinition."""
    return [definition(each) for each in KINDS]


def definition(declared: type[kind.Kind]) -> resources.Object:
    """The CustomResourceDefinition of one kind."""
    found = declared.type
    names: dict[str, Any] = {
        "plural": found.plural,
        "singular": found.kind.lower(),
        "kind": found.kind,
        "listKind": f"{found.kind}List",
    }
    if declared.short_names:
        names["shortNames"] = list(declared.short_names)
    return {
        "apiVersion": resources.CUSTOM_RESOURCE_DEFINITION.api_version,
        "kind": resources.CUSTOM_RESOURCE_DEFINITION.kind,
        "metadata": {"name": f"{found.plural}.{found.group}"},
        "spec": {
            "group": found.group,
            "names": names,
            "scope": "Namespaced" if found.namespaced else "Cluster",
            "versions": [_version(declared)],
        },
    }


def _version(declared: type[kind.Kind]) -> dict[str, Any]:
    version: dict[str, Any] = {"name": declared.type.version, "served": True, "storage": True}
    if declared.columns:
        version["additionalPrinterColumns"] = [
            {"name": each.name, "type": each.type, "jsonPath": each.path} for each in declared.columns
        ]
    subresources: dict[str, Any] = {"status": {}}
    if declared.scale is not None:
        subresources["scale"] = {
            "specReplicasPath": declared.scale.spec,
            "statusReplicasPath": declared.scale.status,
            "labelSelectorPath": declared.scale.selector,
        }
    return {**version, "subresources": subresources, "schema": {"openAPIV3Schema": _schema(declared)}}


def _schema(declared: type[kind.Kind]) -> dict[str, Any]:
    schema = {"description": inspect.cleandoc(declared.__doc__ or ""), **declared.schema()}
    # The API server has a schema of metadata and refuses another.
    schema["properties"]["metadata"] = {"type": "object"}
    return schema
