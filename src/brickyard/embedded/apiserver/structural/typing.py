"""What expressions know of a schema's values: their types, how large they can be, and their form while a rule runs.

Fields go by escaped names, since not every key of JSON is a name of the language: ``a-b`` is ``a__dash__b``, ``namespace`` is
``__namespace__``. What a schema says nothing about (preserved unknown fields) is out of reach; an int-or-string may be either.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

from brickyard.embedded.apiserver.cel import errors, syntax, times, types
from brickyard.embedded.apiserver.structural import shape

Schema = Mapping[str, Any]
Lift = Callable[[Any], Any]

_NAME = re.compile(r"[A-Za-z_./-][A-Za-z0-9_./-]*", re.ASCII)
_FORMATS: Mapping[str, tuple[types.Type, int]] = {
    "byte": (types.BYTES, types.UNBOUNDED),
    "duration": (types.DURATION, 1),
    "date": (types.TIMESTAMP, 1),
    "date-time": (types.TIMESTAMP, 1),
}
_SIMPLE: Mapping[str, types.Type] = {"boolean": types.BOOL, "integer": types.INT, "number": types.DOUBLE}
_SMALLEST: Mapping[str, int] = {"boolean": 4, "integer": 1, "number": 1, "string": 2, "array": 2, "object": 2}


def escaped(name: str) -> str | None:
    """The name by which expressions call a field; None when there is none."""
    if name in syntax.RESERVED:
        return f"__{name}__"
    if not _NAME.fullmatch(name):
        return None
    plain = name.replace("__", "__underscores__")
    return plain.replace(".", "__dot__").replace("-", "__dash__").replace("/", "__slash__")


def _bound(spec: Schema, word: str, otherwise: int) -> int:
    found = spec.get(word)
    return max(0, min(found, types.UNBOUNDED)) if isinstance(found, int) else otherwise


def smallest(spec: Schema) -> int:
    """The fewest bytes that a value takes in a request: what bounds how many of them there can be."""
    size = _SMALLEST.get(spec.get("type", ""), 1)
    if spec.get("type") != "object":
        return size
    properties, required = spec.get("properties") or {}, spec.get("required") or ()
    needed = (name for name in required if name in properties and "default" not in properties[name])
    return size + sum(len(name) + 4 + smallest(properties[name]) for name in needed)


def cardinality(spec: Schema) -> int:
    """How many items a list, or values a map, can have at most."""
    if spec.get("type") == "array":
        return _bound(spec, "maxItems", types.UNBOUNDED // (smallest(spec.get("items") or {}) + 1))
    others = spec.get("additionalProperties")
    least = smallest(others) if isinstance(others, Mapping) else 1
    return _bound(spec, "maxProperties", types.UNBOUNDED // (least + 6))


def declared(spec: Schema, name: str, *, root: bool = False) -> types.Type | None:
    """The type of ``spec``'s values; None where expressions cannot know them. ``name`` tells objects of different places apart."""
    if spec.get(shape.INT_OR_STRING):
        return types.DYN
    form = spec.get("type")
    if form == "array":
        return _list(spec, name)
    if form == "object" or root:
        return _object(spec, name, root=root)
    if form == "string":
        return _string(spec)
    return _SIMPLE.get(form or "")


def _list(spec: Schema, name: str) -> types.Type | None:
    items = spec.get("items")
    item = _below(items, f"{name}.@items") if items else None
    if item is None:
        return None
    kind = spec.get("x-kubernetes-list-type")
    return types.Type(
        "list",
        (item,),
        limit=cardinality(spec),
        merge=kind if kind in ("set", "map") else "",
        keys=tuple(spec.get("x-kubernetes-list-map-keys") or ()),
    )


def _below(spec: Schema, name: str) -> types.Type | None:
    return declared(spec, name, root=bool(spec.get(shape.EMBEDDED)))


def _object(spec: Schema, name: str, *, root: bool) -> types.Type | None:
    others = spec.get("additionalProperties")
    if isinstance(others, Mapping) and not root:
        value = _below(others, f"{name}.@values")
        return None if value is None else types.map_of(types.STRING, value, cardinality(spec))
    fields = {}
    for key, inner in (spec.get("properties") or {}).items():
        called, form = escaped(key), _below(inner, f"{name}.{key}")
        if called is not None and form is not None:
            fields[called] = types.Field(key, form)
    if root:
        named = {each: types.Field(each, types.STRING) for each in ("name", "generateName")}
        fields["metadata"] = types.Field("metadata", types.object_of(f"{name}.metadata", named))
        fields |= {each: types.Field(each, types.STRING) for each in ("apiVersion", "kind")}
    return types.object_of(name, fields)


def _string(spec: Schema) -> types.Type:
    special = _FORMATS.get(spec.get("format", ""))
    if special is not None:
        return types.bounded(special[0], _bound(spec, "maxLength", special[1]))
    words = [each for each in spec.get("enum") or () if isinstance(each, str)]
    return types.bounded(types.STRING, _bound(spec, "maxLength", max(map(len, words)) if words else types.UNBOUNDED))


def lift(spec: Schema) -> Lift | None:
    """What turns a valid value into what programs work on; None where it is that already."""
    if spec.get(shape.INT_OR_STRING):
        return None
    form = spec.get("type")
    if form == "array" and spec.get("items"):
        return _lift_list(spec["items"])
    if form == "object" or spec.get("properties"):
        return _lift_object(spec)
    if form == "string":
        return _LIFTS.get(spec.get("format", ""))
    return {"number": _as_float, "integer": _as_int}.get(form or "")


def _as_float(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _as_int(value: Any) -> Any:
    return int(value) if type(value) is float else value


def _or_as_it_is(parse: Callable[[str], Any]) -> Lift:
    """Texts of a format that the schema's validation lets pass more readily than the language reads them stay texts."""

    def run(value: Any) -> Any:
        try:
            return parse(value)
        except (errors.EvaluationError, binascii.Error, ValueError, TypeError):
            return value

    return run


_LIFTS: Mapping[str, Lift] = {
    "byte": _or_as_it_is(lambda text: base64.b64decode(text, validate=True)),
    "duration": _or_as_it_is(times.duration),
    "date": _or_as_it_is(times.day),
    "date-time": _or_as_it_is(times.timestamp),
}


def _lift_list(items: Schema) -> Lift | None:
    inner = lift(items)
    if inner is None:
        return None
    return lambda value: [inner(each) for each in value] if isinstance(value, list) else value


def _lift_object(spec: Schema) -> Lift | None:
    lifts = {key: found for key, each in (spec.get("properties") or {}).items() if (found := lift(each)) is not None}
    others = spec.get("additionalProperties")
    rest = lift(others) if isinstance(others, Mapping) else None
    if not lifts and rest is None:
        return None

    def run(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            key: each if (found := lifts.get(key, rest)) is None or each is None else found(each)
            for key, each in value.items()
        }

    return run
