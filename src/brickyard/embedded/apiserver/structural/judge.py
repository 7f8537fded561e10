"""What is wrong with a custom resource, by its schema, worded as Kubernetes words it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from brickyard.api.kinds import faults
from brickyard.embedded.apiserver.admission import metadata
from brickyard.embedded.apiserver.structural import correlation, formats, patterns, shape

Schema = Mapping[str, Any]


UNCHECKED: Final = faults.FieldError(
    "<nil>",
    "FieldValueInvalid",
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation",
)
"""Stands for the rules of an object that does not have the shape they rely on."""

_BLOCKING = frozenset({"FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid"})


def blocks(found: Sequence[faults.FieldError]) -> bool:
    """Whether rules cannot rely on an object with these faults."""
    return any(each.reason in _BLOCKING for each in found)


def violations(spec: Schema, value: Any, old: Any = correlation.ABSENT) -> faults.Errors:
    """Every violation of the object ``value``. What was there before an update (``old``) and did not change is passed over."""
    yield from _judged(spec, correlation.Pair(value, old), "")


def _judged(spec: Schema, pair: correlation.Pair, path: str) -> faults.Errors:
    value = pair.value
    if pair.unchanged:
        return
    if value is None:
        # Nulls that may not be null are gone by now, but for those in lists.
        if not spec.get("nullable") and "type" in spec:
            yield _wrong_type(path, value, spec["type"])
        return
    if not _fits(spec, value):
        yield _wrong_type(path, value, "integer,string" if spec.get(shape.INT_OR_STRING) else spec["type"])
        return
    if "enum" in spec and not any(_frozen(value) == _frozen(each) for each in spec["enum"]):
        yield faults.not_supported(_named(path), value, [_word(each) for each in spec["enum"]])
    if isinstance(value, str):
        yield from _text(spec, value, path)
    elif isinstance(value, list):
        yield from _list(spec, pair, path)
    elif isinstance(value, dict):
        yield from _object(spec, pair, path)
    elif not isinstance(value, bool):
        yield from _number(spec, value, path)
    yield from _combined(spec, value, path)


def _named(path: str) -> str:
    return path or "<nil>"


def _word(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def _fits(spec: Schema, value: Any) -> bool:
    if spec.get(shape.INT_OR_STRING):
        return _TYPES["integer"](value) or _TYPES["string"](value)
    wanted = spec.get("type")
    if not wanted:
        return True
    whole = wanted == "integer" and isinstance(value, float) and value.is_integer()
    return whole or _TYPES[wanted](value)


def _wrong_type(path: str, value: Any, wanted: str) -> Any:
    found = "null" if value is None else next(name for name in _TYPE_ORDER if _TYPES[name](value))
    return faults.wrong_type(_named(path), found, f'{path} in body must be of type {wanted}: "{found}"')


_TYPE_ORDER = ("object", "array", "string", "boolean", "integer", "number")


def _text(spec: Schema, value: str, path: str) -> faults.Errors:
    if len(value) > spec.get("maxLength", len(value)):
        yield faults.too_long(_named(path), spec["maxLength"])
    if len(value) < spec.get("minLength", 0):
        yield faults.invalid(_named(path), value, f"{path} in body should be at least {spec['minLength']} chars long")
    if "pattern" in spec and not patterns.compiled(spec["pattern"]).search(value):
        yield faults.invalid(_named(path), value, f"{path} in body should match '{spec['pattern']}'")
    check = formats.TEXTS.get(spec.get("format", ""))
    if check is not None and not check(value):
        yield faults.invalid(_named(path), value, f'{path} in body must be of type {spec["format"]}: "{value}"')


def _number(spec: Schema, value: float, path: str) -> faults.Errors:
    form = spec.get("format", "")
    low, high = formats.NUMBERS.get(form, (None, None))
    if low is not None and high is not None and not low <= value <= high:
        text = f"Checked value must be of type {spec.get('type')} with format {form} in {path}"
        yield faults.invalid(_named(path), value, text)
    yield from _within(spec, value, path)


def _within(spec: Schema, value: float, path: str) -> faults.Errors:
    low, high = spec.get("minimum"), spec.get("maximum")
    if low is not None and (value < low or (value == low and spec.get("exclusiveMinimum"))):
        words = "greater than" if spec.get("exclusiveMinimum") else "greater than or equal to"
        yield faults.invalid(_named(path), value, f"{path} in body should be {words} {low:g}")
    if high is not None and (value > high or (value == high and spec.get("exclusiveMaximum"))):
        words = "less than" if spec.get("exclusiveMaximum") else "less than or equal to"
        yield faults.invalid(_named(path), value, f"{path} in body should be {words} {high:g}")
    step = spec.get("multipleOf")
    if step and not _is_multiple(value, step):
        yield faults.invalid(_named(path), value, f"{path} in body should be a multiple of {step:g}")


def _is_multiple(value: float, step: float) -> bool:
    if isinstance(value, int) and float(step).is_integer():
        return value % int(step) == 0
    ratio = value / step
    return math.isfinite(ratio) and abs(ratio - round(ratio)) <= _EXACT


_EXACT: Final = 1e-9


def _list(spec: Schema, pair: correlation.Pair, path: str) -> faults.Errors:
    value: list[Any] = pair.value
    if len(value) > spec.get("maxItems", len(value)):
        # What is too long is not looked into: nobody wants to be told of ten thousand items.
        yield faults.too_many(_named(path), len(value), spec["maxItems"])
        return
    if len(value) < spec.get("minItems", 0):
        yield faults.invalid(_named(path), len(value), f"{path} in body should have at least {spec['minItems']} items")
    if spec.get("uniqueItems") and len({_frozen(each) for each in value}) < len(value):
        yield faults.invalid(_named(path), value, f"{path} in body shouldn't contain duplicates")
    yield from _unique(spec, value, path)
    items = spec.get("items") or {}
    for index, item in pair.items(spec):
        yield from _judged(items, item, f"{path}[{index}]")


def _frozen(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _unique(spec: Schema, value: list[Any], path: str) -> faults.Errors:
    """Sets hold each item once, maps each key once."""
    kind, seen = spec.get("x-kubernetes-list-type"), set()
    if kind not in ("set", "map"):
        return
    for index, each in enumerate(value):
        key = each
        if kind == "map" and isinstance(each, dict):
            key = {name: each.get(name) for name in spec.get("x-kubernetes-list-map-keys", ())}
        if (frozen := _frozen(key)) in seen:
            yield faults.duplicate(f"{path}[{index}]", key)
        seen.add(frozen)


def _object(spec: Schema, pair: correlation.Pair, path: str) -> faults.Errors:
    value: dict[str, Any] = pair.value
    if len(value) > spec.get("maxProperties", len(value)):
        yield faults.too_many(_named(path), len(value), spec["maxProperties"])
    if len(value) < spec.get("minProperties", 0):
        text = f"{path} in body should have at least {spec['minProperties']} properties"
        yield faults.invalid(_named(path), len(value), text)
    for name in spec.get("required", ()):
        if name not in value:
            yield faults.required(_below(path, name))
    if spec.get(shape.EMBEDDED):
        yield from _embedded(value, path)
    properties, others = spec.get("properties") or {}, spec.get("additionalProperties")
    for name, each in pair.entries(spec):
        if name in properties:
            yield from _judged(properties[name], each, _below(path, name))
        elif isinstance(others, Mapping):
            yield from _judged(others, each, _below(path, name))


def _embedded(value: dict[str, Any], path: str) -> faults.Errors:
    """An object in an object: it says what it is, and its metadata is as good as any other's."""
    for name in ("apiVersion", "kind"):
        if not value.get(name):
            yield faults.required(_below(path, name), "must not be empty")
        elif not isinstance(value[name], str):
            yield _wrong_type(_below(path, name), value[name], "string")
    inner, below = value.get("metadata"), _below(path, "metadata")
    if inner is not None and not isinstance(inner, dict):
        yield _wrong_type(below, inner, "object")
        return
    for name, rule in (("labels", metadata.label_map), ("annotations", metadata.annotation_map)):
        found = (inner or {}).get(name)
        if found is None:
            continue
        if isinstance(found, dict) and all(isinstance(each, str) for each in found.values()):
            yield from rule(f"{below}.{name}", found)
        else:
            yield _wrong_type(f"{below}.{name}", found, "object")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _combined(spec: Schema, value: Any, path: str) -> faults.Errors:
    if spec.get(shape.INT_OR_STRING):
        # Its anyOf repeats what the flag says.
        return
    for part in spec.get("allOf", ()):
        yield from _judged(part, correlation.Pair(value), path)
    if "anyOf" in spec and not any(_holds(spec["anyOf"], value)):
        yield _unmatched(path, value, "must validate at least one schema (anyOf)")
    if "oneOf" in spec and (count := sum(_holds(spec["oneOf"], value))) != 1:
        found = "Found none valid" if not count else f"Found {count} valid alternatives"
        yield _unmatched(path, value, f"must validate one and only one schema (oneOf). {found}")
    if "not" in spec and all(_holds([spec["not"]], value)):
        yield _unmatched(path, value, "must not validate the schema (not)")


def _holds(parts: Iterable[Schema], value: Any) -> list[bool]:
    return [next(_judged(part, correlation.Pair(value), ""), None) is None for part in parts]


def _unmatched(path: str, value: Any, text: str) -> Any:
    return faults.invalid(_named(path), value, f'"{path}" {text}')
