"""What the served kinds are made of, for owning and merging fields: compiled from the OpenAPI definitions of the built-in kinds and from
the schemas of custom ones, once each.

A list is merged by keys, as a set or not at all as ``x-kubernetes-list-type`` says; built-in definitions without it go by their patch
strategy. An object is taken apart unless ``x-kubernetes-map-type`` is atomic.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract, definitions
from brickyard.kube.objects import structure

Schema = Mapping[str, Any]

_LIST_TYPE: Final = "x-kubernetes-list-type"
_LIST_KEYS: Final = "x-kubernetes-list-map-keys"
_MAP_TYPE: Final = "x-kubernetes-map-type"

KEY_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "io.k8s.api.core.v1.ContainerPort": {"protocol": "TCP"},
    "io.k8s.api.core.v1.ServicePort": {"protocol": "TCP"},
    "io.k8s.api.core.v1.LocalObjectReference": {"name": ""},
}
"""Defaults of keys, by definition of the element: published OpenAPI 2 leaves defaults out."""


def of(resource: contract.Resource) -> structure.Node:
    """What objects of ``resource`` are made of. Shared: read, never change."""
    return resource.structure or _of_kind(resource.type)


@functools.cache
def _of_kind(kind: resources.ResourceType) -> structure.Node:
    name = definitions.name_of(kind)
    return _compiler().definition(name) if name is not None else _unknown()


@functools.cache
def _unknown() -> structure.Node:
    """A kind of which nothing is known but that it has metadata."""
    return structure.Node("object", {"metadata": _metadata()}, structure.DEDUCED)


class _Compiler:
    """Compiles definitions once each. A definition that refers to itself gives a tree with a cycle."""

    def __init__(self) -> None:
        self._nodes: dict[str, structure.Node] = {}

    def definition(self, name: str) -> structure.Node:
        node = self._nodes.get(name)
        if node is not None:
            return node
        schema = definitions.load()[name]
        if not schema.get("properties") or schema.get(_MAP_TYPE) == "atomic":
            node = self._nodes[name] = structure.LEAF
            return node
        # Registered before its fields are compiled: one of them may lead back here.
        node = self._nodes[name] = structure.Node("object")
        node.fields = {field: self._compiled(each) for field, each in schema["properties"].items()}
        return node

    def _compiled(self, schema: definitions.Schema) -> structure.Node:
        if schema.get(_MAP_TYPE) == "atomic":
            return structure.LEAF
        name = definitions.referred(schema)
        if name is not None:
            return self.definition(name)
        if schema.get("type") == "array":
            return self._list(schema)
        if schema.get("type") == "object" and "additionalProperties" in schema:
            return structure.Node("object", items=self._compiled(schema["additionalProperties"]))
        return structure.LEAF

    def _list(self, schema: definitions.Schema) -> structure.Node:
        merged = "merge" in schema.get("x-kubernetes-patch-strategy", "").split(",")
        keys = schema.get(_LIST_KEYS) or [schema[each] for each in ("x-kubernetes-patch-merge-key",) if each in schema]
        form = schema.get(_LIST_TYPE) or (("map" if keys else "set") if merged else "atomic")
        if form == "atomic":
            return structure.LEAF
        items = self._compiled(schema["items"])
        if form == "set":
            return structure.Node("set", items=items)
        defaults = KEY_DEFAULTS.get(definitions.referred(schema["items"]) or "", {})
        return structure.Node("keyed", items=items, keys=keys, defaults=defaults)


@functools.cache
def _compiler() -> _Compiler:
    return _Compiler()


def of_schema(schema: Schema) -> structure.Node:
    """What objects of a custom kind with this structural schema (``openAPIV3Schema``) are made of."""
    compiled = _compiled(schema)
    if compiled.form != "object":
        return _unknown()
    return structure.Node("object", {**compiled.fields, "metadata": _metadata()}, compiled.items)


def _metadata() -> structure.Node:
    return _compiler().definition(definitions.OBJECT_META)


def _compiled(schema: Schema) -> structure.Node:
    if schema.get("type") == "array":
        return _compiled_list(schema)
    if schema.get(_MAP_TYPE) == "atomic" or schema.get("x-kubernetes-int-or-string"):
        return structure.LEAF
    fields = {name: _compiled(each) for name, each in (schema.get("properties") or {}).items()}
    if schema.get("x-kubernetes-embedded-resource"):
        fields = {"apiVersion": structure.LEAF, "kind": structure.LEAF, **fields, "metadata": _metadata()}
    items = _others(schema)
    if schema.get("type") != "object" and not fields and items is None:
        return structure.LEAF
    if not fields and items is structure.DEDUCED:
        return structure.DEDUCED
    return structure.Node("object", fields, items)


def _others(schema: Schema) -> structure.Node | None:
    """What fields beside the named ones are made of; None where there are none."""
    others = schema.get("additionalProperties")
    if isinstance(others, Mapping):
        return _compiled(others)
    if others is True or schema.get("x-kubernetes-preserve-unknown-fields"):
        return structure.DEDUCED
    return None


def _compiled_list(schema: Schema) -> structure.Node:
    items: Schema = schema.get("items") or {}
    form = schema.get(_LIST_TYPE) or "atomic"
    if form == "set":
        return structure.Node("set", items=_compiled(items))
    keys = schema.get(_LIST_KEYS) or ()
    if form != "map" or not keys:
        return structure.LEAF
    fields: Mapping[str, Schema] = items.get("properties") or {}
    defaults = {key: fields[key]["default"] for key in keys if "default" in fields.get(key, {})}
    return structure.Node("keyed", items=_compiled(items), keys=tuple(keys), defaults=defaults)
