"""Schemas of the served kinds as OpenAPI components: shipped ones of built-in kinds, made ones of custom kinds.

Version 2 is the form in which definitions are shipped. Version 3 differs in where references point, in that a reference takes no
siblings, and in saying what an int-or-string and a quantity are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from brickyard.embedded.apiserver import contract, custom, definitions

Schema = dict[str, Any]
Schemas = dict[str, Schema]

V3_PREFIX = "#/components/schemas/"
_GVK = "x-kubernetes-group-version-kind"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_V3_SPECIAL: Mapping[str, Schema] = {
    _INT_OR_STRING: {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
    _QUANTITY: {"oneOf": [{"type": "string"}, {"type": "number"}]},
}
# What OpenAPI v2 has no word for.
_NOT_IN_V2 = ("oneOf", "anyOf", "allOf", "not", "nullable", "x-kubernetes-validations")


def name_of(resource: contract.Resource) -> str:
    """Component name of a kind: ``io.k8s.api.apps.v1.Deployment``, ``ai.aibrix.model.v1alpha1.ModelAdapter``."""
    return definitions.name_of(resource.type) or _custom_name(resource)


def _custom_name(resource: contract.Resource) -> str:
    kind = resource.type
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])


def list_name_of(resource: contract.Resource) -> str:
    """Component name of the kind's list."""
    return name_of(resource) + "List"


def components(served: Sequence[contract.Resource], also: Iterable[str] = ()) -> Schemas:
    """Every definition that ``served`` kinds, their lists and the definitions named in ``also`` reach, as OpenAPI v2."""
    found: Schemas = {}
    for resource in served:
        if isinstance(resource.admission, custom.CustomAdmission):
            found[_custom_name(resource)] = _custom(resource, resource.admission.spec)
            found[list_name_of(resource)] = _custom_list(resource)
    roots = [name_of(each) for each in served]
    roots += [list_name_of(each) for each in served if each.review is None]
    waiting = [*also, *roots, definitions.OBJECT_META, definitions.LIST_META]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            found.setdefault(name, definitions.load().get(name) or {"type": "object"})
            waiting.extend(_references(found[name]))
    return dict(sorted(found.items()))


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        name = definitions.referred(schema)
        if name is not None:
            yield name
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _identity(resource: contract.Resource, kind: str) -> list[dict[str, str]]:
    return [{"group": resource.type.group, "version": resource.type.version, "kind": kind}]


def _envelope(name: str) -> Schema:
    """apiVersion, kind and metadata as a built-in definition words them."""
    properties: Schema = definitions.load()[name]["properties"]
    return {field: properties[field] for field in ("apiVersion", "kind", "metadata")}


def _custom(resource: contract.Resource, spec: Mapping[str, Any]) -> Schema:
    schema = {key: value for key, value in spec.items() if key != "properties"}
    properties = {**(spec.get("properties") or {}), **_envelope("io.k8s.api.core.v1.ConfigMap")}
    return {**schema, "properties": properties, _GVK: _identity(resource, resource.type.kind)}


def _custom_list(resource: contract.Resource) -> Schema:
    items = {
        "type": "array",
        "description": f"List of {resource.type.plural}.",
        "items": {"$ref": definitions.REFERENCE_PREFIX + _custom_name(resource)},
    }
    return {
        "description": f"{resource.list_kind} is a list of {resource.type.kind}.",
        "type": "object",
        "required": ["items"],
        "properties": {**_envelope("io.k8s.api.core.v1.ConfigMapList"), "items": items},
        _GVK: _identity(resource, resource.list_kind),
    }


def as_v2(schemas: Schemas) -> Schemas:
    """Without the words that version 2 does not have."""
    return {name: _v2(schema) for name, schema in schemas.items()}


def _v2(schema: Schema) -> Schema:
    result: Schema = {}
    for key, value in _readable(schema).items():
        if key == "properties":
            result[key] = {name: _v2(each) for name, each in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = _v2(value)
        elif key not in _NOT_IN_V2:
            result[key] = value
    return result


def _readable(schema: Schema) -> Schema:
    """A schema as far as clients of version 2 understand it.

    They take every field that is named for the only one there is, and nothing but a value without a type for one that may be null.
    """
    nullable, open_ended = schema.get("nullable"), schema.get("x-kubernetes-preserve-unknown-fields")
    unnamed = (nullable or open_ended) and _GVK not in schema
    dropped = {"items", "properties"} if unnamed else set()
    if nullable or (unnamed and schema.get("type") in ("array", "object")):
        dropped.add("type")
    found = {key: value for key, value in schema.items() if key not in dropped}
    properties = found.get("properties") or {}
    required = [name for name in found.get("required") or () if not (properties.get(name) or {}).get("nullable")]
    return {**found, "required": required} if required else {k: v for k, v in found.items() if k != "required"}


def as_v3(schemas: Schemas) -> Schemas:
    """In the form of version 3."""
    return {name: _V3_SPECIAL.get(name) or _v3(schema) for name, schema in schemas.items()}


def _v3(schema: Schema) -> Schema:
    name = definitions.referred(schema)
    if name is not None:
        reference: Schema = {"$ref": V3_PREFIX + name}
        others = {key: value for key, value in schema.items() if key != "$ref"}
        return {**others, "allOf": [reference]} if others else reference
    result: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            result[key] = {field: _v3(each) for field, each in value.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            result[key] = _v3(value)
        elif key in ("allOf", "anyOf", "oneOf"):
            result[key] = [_v3(each) for each in value]
        else:
            result[key] = value
    return result
