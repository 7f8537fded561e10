"""Custom resources brought into the shape of their schema: unknown fields pruned, nulls dropped, defaults filled in.

Arguments are not changed; what is returned may share parts with them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from brickyard.embedded.apiserver import definitions, schema

Schema = Mapping[str, Any]

PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
INT_OR_STRING = "x-kubernetes-int-or-string"

_TYPE_FIELDS = ("apiVersion", "kind", "metadata")


def _metadata(value: Any) -> Any:
    return schema.pruned(schema.of_definition(definitions.OBJECT_META), value)


def _properties(spec: Schema) -> Mapping[str, Schema]:
    properties: Mapping[str, Schema] = spec.get("properties") or {}
    return properties


def _is_resource(spec: Schema, root: bool) -> bool:
    return root or bool(spec.get(EMBEDDED))


def _keeps_unknown(spec: Schema) -> bool:
    return bool(spec.get(PRESERVE)) or spec.get("additionalProperties") is True


def _of_others(spec: Schema) -> Schema | None:
    """The schema of fields that are not among the properties."""
    others = spec.get("additionalProperties")
    return others if isinstance(others, Mapping) else None


def pruned(spec: Schema, value: Any, *, root: bool = False) -> Any:
    """A copy of ``value`` without the fields that ``spec`` does not have. A resource keeps apiVersion, kind and metadata."""
    if isinstance(value, list):
        items = spec.get("items")
        return [pruned(items, each) for each in value] if items else value
    if not isinstance(value, dict):
        return value
    result = {}
    for name, each in value.items():
        if root and name in _TYPE_FIELDS:
            result[name] = each
        elif _is_resource(spec, root) and name in _TYPE_FIELDS:
            result[name] = _metadata(each) if name == "metadata" else each
        elif name in _properties(spec):
            result[name] = pruned(_properties(spec)[name], each)
        elif (others := _of_others(spec)) is not None:
            result[name] = pruned(others, each)
        elif _keeps_unknown(spec):
            result[name] = each
    return result


def unknown_fields(spec: Schema, value: Any, path: str = "", *, root: bool = False) -> list[str]:
    """Paths of what ``pruned`` would drop."""
    if isinstance(value, list):
        items = spec.get("items")
        pairs = enumerate(value if items else ())
        return [each for index, item in pairs for each in unknown_fields(items or {}, item, f"{path}[{index}]")]
    if not isinstance(value, dict):
        return []
    found: list[str] = []
    for name, each in value.items():
        inner = f"{path}.{name}" if path else name
        if _is_resource(spec, root) and name in _TYPE_FIELDS:
            if name == "metadata":
                found += schema.unknown_fields(schema.of_definition(definitions.OBJECT_META), each, inner)
        elif name in _properties(spec):
            found += unknown_fields(_properties(spec)[name], each, inner)
        elif (others := _of_others(spec)) is not None:
            found += unknown_fields(others, each, inner)
        elif not _keeps_unknown(spec):
            found.append(inner)
    return found


def defaulted(spec: Schema, value: Any) -> Any:
    """A copy of ``value`` with absent fields filled in. A null that may not be null counts as absent."""
    if isinstance(value, list):
        items = spec.get("items") or {}
        return [defaulted(items, each) for each in value]
    if not isinstance(value, dict):
        return value
    properties, others = _properties(spec), _of_others(spec)
    result = {}
    for name, each in value.items():
        inner = properties.get(name, others)
        if inner is None:
            result[name] = each
        elif each is not None or inner.get("nullable"):
            result[name] = defaulted(inner, each)
    for name, inner in properties.items():
        if name not in result and "default" in inner:
            result[name] = defaulted(inner, copy.deepcopy(inner["default"]))
    return result
