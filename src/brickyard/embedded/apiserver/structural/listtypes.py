"""Lists that are sets or maps, at the creation of a definition: what their items have to be for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults

_LIST, _KEYS, _MAP = "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"
_SCALARS = ("boolean", "integer", "number", "string")


def violations(spec: Mapping[str, Any], path: str) -> faults.Errors:
    """What is wrong with the list and map types of a schema that stands at ``path``."""
    if (kind := spec.get(_MAP)) is not None:
        yield from faults.one_of(f"{path}.{_MAP}", kind, ("atomic", "granular"))
        if spec.get("type") != "object":
            yield faults.invalid(f"{path}.type", spec.get("type") or "", f"must be object if {_MAP} is specified")
    kind, keys = spec.get(_LIST), spec.get(_KEYS)
    if keys and kind != "map":
        yield faults.invalid(f"{path}.{_LIST}", kind, f"must be map if {_KEYS} is non-empty")
    if kind is None:
        return
    if spec.get("type") != "array":
        yield faults.invalid(f"{path}.type", spec.get("type") or "", f"must be array if {_LIST} is specified")
        return
    yield from faults.one_of(f"{path}.{_LIST}", kind, ("atomic", "map", "set"))
    items = spec.get("items")
    if kind not in ("set", "map") or not isinstance(items, Mapping):
        return
    if items.get("nullable"):
        yield faults.forbidden(f"{path}.items.nullable", f"cannot be nullable when {_LIST} is {kind}")
    yield from _set(items, path) if kind == "set" else _map(items, keys, path)


def _set(items: Mapping[str, Any], path: str) -> faults.Errors:
    """Items are compared whole, so they have to be one thing."""
    form = items.get("type")
    if form == "object" and items.get(_MAP) != "atomic":
        text = f"items of type object in {_LIST}=set must be atomic"
        yield (
            faults.not_supported(f"{path}.items.{_MAP}", items.get(_MAP), ("atomic",))
            if items.get(_MAP)
            else faults.forbidden(f"{path}.items.{_MAP}", text)
        )
    if form == "array" and items.get(_LIST) not in (None, "atomic"):
        yield faults.not_supported(f"{path}.items.{_LIST}", items.get(_LIST), ("atomic",))


def _map(items: Mapping[str, Any], keys: Any, path: str) -> faults.Errors:
    if items.get("type") != "object":
        yield faults.invalid(f"{path}.items.type", items.get("type") or "", f"must be object if {_LIST} is map")
    if not isinstance(keys, list) or not keys or not all(isinstance(each, str) for each in keys):
        yield faults.required(f"{path}.{_KEYS}", f"must not be empty if {_LIST} is map")
        return
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        found = properties.get(key)
        if keys.index(key) < index:
            yield faults.duplicate(f"{path}.{_KEYS}[{index}]", key)
        if not isinstance(found, Mapping):
            yield faults.invalid(f"{path}.{_KEYS}[{index}]", key, "entries must all be names of item properties")
            continue
        below = f"{path}.items.properties[{key}]"
        if found.get("type") not in _SCALARS:
            yield faults.invalid(
                f"{below}.type", found.get("type") or "", f"must be a scalar type if parent {_LIST} is map"
            )
        if key not in (items.get("required") or ()) and "default" not in found:
            text = f"this property is in {_KEYS}, so it must have a default or be a required property"
            yield faults.required(f"{below}.default", text)
        if found.get("nullable"):
            yield faults.forbidden(f"{below}.nullable", f"this property is in {_KEYS}, so it cannot be nullable")
