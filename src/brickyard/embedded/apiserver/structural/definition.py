"""Whether a schema is structural: the rules that make pruning and filling in possible.

Kubernetes' documentation states them under "Specifying a structural schema". What a schema may hold beside them is checked here
too, since no typed decoder looks inside ``items`` and ``additionalProperties``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from brickyard.api.kinds import faults
from brickyard.embedded.apiserver.structural import defaults, listtypes, patterns, rules, shape

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_NEVER = (
    "$ref",
    "definitions",
    "dependencies",
    "deprecated",
    "discriminator",
    "id",
    "patternProperties",
    "readOnly",
    "writeOnly",
    "xml",
)
_NOT_IN_LOGIC = (
    "additionalProperties",
    "default",
    "description",
    "nullable",
    "title",
    "type",
    shape.PRESERVE,
    shape.EMBEDDED,
)
_NUMBERS = ("maximum", "minimum", "multipleOf")
_COUNTS = ("maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties")
_LOGIC = ("allOf", "anyOf", "oneOf")


def complete_violations(spec: Any, path: str) -> faults.Errors:
    """Everything wrong with a kind's schema: whether it is structural, and where it is, its defaults and rules."""
    if patterns.are_too_large(spec):
        yield faults.forbidden(path, "the patterns are too large together: repeat classes of many letters fewer times")
        return
    found = list(violations(spec, path, root=True))
    yield from found
    if not found:
        yield from defaults.violations(spec, path)
        yield from rules.faults_of(spec, path)


def violations(spec: Any, path: str, *, root: bool = False) -> faults.Errors:
    """Everything that keeps ``spec``, which stands at ``path``, from being structural."""
    if not isinstance(spec, Mapping):
        yield faults.invalid(path, spec, "must be a schema object")
        return
    yield from _type(spec, path, root)
    yield from _content(spec, path)
    yield from listtypes.violations(spec, path)
    yield from _children(spec, path)
    for place, part in _logic_parts(spec, path):
        yield from _logic(part, place, int_or_string=bool(spec.get(shape.INT_OR_STRING)))


def _type(spec: Mapping[str, Any], path: str, root: bool) -> faults.Errors:
    found = spec.get("type")
    free = spec.get(shape.PRESERVE) or spec.get(shape.INT_OR_STRING)
    if root and found != "object":
        yield faults.invalid(f"{path}.type", found or "", "must be object at the root")
    elif not found and not free:
        yield faults.required(f"{path}.type", "must not be empty for specified object fields")
    elif found and found not in _TYPES:
        yield faults.not_supported(f"{path}.type", found, _TYPES)
    elif found and spec.get(shape.INT_OR_STRING):
        yield faults.forbidden(f"{path}.type", f"must be empty if {shape.INT_OR_STRING} is true")


def _content(spec: Mapping[str, Any], path: str) -> faults.Errors:
    for name in _NEVER:
        if spec.get(name):
            yield faults.forbidden(f"{path}.{name}", f"{name} is not supported")
    if spec.get("uniqueItems"):
        yield faults.forbidden(
            f"{path}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        )
    if "pattern" in spec:
        yield from _pattern(spec["pattern"], f"{path}.pattern")
    yield from _bounds(spec, path)
    for name in ("enum", "required", *_LOGIC):
        if name in spec and not isinstance(spec[name], list):
            yield faults.invalid(f"{path}.{name}", spec[name], "must be a list")
    if any(not isinstance(each, str) for each in _listed(spec, "required")):
        yield faults.invalid(f"{path}.required", spec["required"], "must be a list of strings")


def _bounds(spec: Mapping[str, Any], path: str) -> faults.Errors:
    for names, kinds, word in ((_NUMBERS, (int, float), "a number"), (_COUNTS, (int,), "an integer")):
        for name in names:
            if name in spec and (isinstance(spec[name], bool) or not isinstance(spec[name], kinds)):
                yield faults.invalid(f"{path}.{name}", spec[name], f"must be {word}")


def _listed(spec: Mapping[str, Any], name: str) -> list[Any]:
    found = spec.get(name)
    return found if isinstance(found, list) else []


def _pattern(pattern: Any, path: str) -> faults.Errors:
    if not isinstance(pattern, str):
        yield faults.invalid(path, pattern, "must be a string")
        return
    try:
        patterns.compiled(pattern)
    except ValueError as error:
        yield faults.invalid(path, pattern, f"must be a valid regular expression, but isn't: {error}")


def _children(spec: Mapping[str, Any], path: str) -> faults.Errors:
    properties, others = spec.get("properties"), spec.get("additionalProperties")
    if isinstance(properties, Mapping):
        for name, each in properties.items():
            yield from violations(each, f"{path}.properties[{name}]")
    elif properties is not None:
        yield faults.invalid(f"{path}.properties", properties, "must be an object of schemas")
    if properties and others is not None and others is not False:
        yield faults.forbidden(
            f"{path}.additionalProperties", "additionalProperties and properties are mutually exclusive"
        )
    if isinstance(others, Mapping):
        yield from violations(others, f"{path}.additionalProperties")
    elif others is not None and not isinstance(others, bool):
        yield faults.invalid(f"{path}.additionalProperties", others, "must be a schema or a boolean")
    if spec.get("type") == "array" and "items" not in spec:
        yield faults.required(f"{path}.items", "must be specified")
    elif "items" in spec:
        yield from violations(spec["items"], f"{path}.items")


def _logic_parts(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name in _LOGIC:
        for index, each in enumerate(_listed(spec, name)):
            yield f"{path}.{name}[{index}]", each
    if "not" in spec:
        yield f"{path}.not", spec["not"]


def _logic(spec: Any, path: str, *, int_or_string: bool) -> faults.Errors:
    """A schema inside allOf, anyOf, oneOf or not: it judges values, and must not shape them."""
    if not isinstance(spec, Mapping):
        yield faults.invalid(path, spec, "must be a schema object")
        return
    for name in _NOT_IN_LOGIC:
        # The two types of an int-or-string are the one exception.
        if spec.get(name) and not (name == "type" and int_or_string):
            yield faults.forbidden(f"{path}.{name}", "must be empty to be structural")
    yield from _content(spec, path)
    properties = spec.get("properties")
    for name, each in properties.items() if isinstance(properties, Mapping) else ():
        yield from _logic(each, f"{path}.properties[{name}]", int_or_string=False)
    if "items" in spec:
        yield from _logic(spec["items"], f"{path}.items", int_or_string=False)
    for place, part in _logic_parts(spec, path):
        yield from _logic(part, place, int_or_string=int_or_string)
