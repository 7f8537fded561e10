"""What a rule says beside its expressions: its message, its reason, and the path of the field that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from brickyard.api.kinds import faults

_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_STEP = re.compile(r"\.([^.\[\]']+)|\['((?:[^'\\]|\\.)*)'\]")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


def steps(path: str) -> Iterator[str]:
    """The names in ``.a['b-c'].d``.

    Raises:
        ValueError: it is no such path.
    """
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise ValueError(f"expected [ or . but got: {path[at:]}")
        plain, quoted = match.groups()
        yield plain if plain is not None else re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), quoted)
        at = match.end()


def text_of(path: str) -> str:
    """A rule's path as it is appended to that of the rule's value."""
    try:
        return "".join(f".{each}" for each in steps(path))
    except ValueError:
        return ""


def reached(path: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of the field that ``path`` leads to.

    Raises:
        ValueError: it leads nowhere.
    """
    for name in steps(path):
        properties, others = spec.get("properties"), spec.get("additionalProperties")
        below = properties.get(name) if isinstance(properties, Mapping) else others
        spec = below if isinstance(below, Mapping) else {}
        if not spec:
            raise ValueError("does not refer to a valid field")
    return spec


def _problem(path: str, spec: Mapping[str, Any]) -> str:
    try:
        reached(path, spec)
    except ValueError as error:
        return str(error)
    return ""


def wording(rule: Mapping[str, Any], spec: Mapping[str, Any], path: str) -> faults.Errors:
    """What is wrong with a rule of ``spec`` beside its expressions. ``path`` is the rule's."""
    given = {name: rule.get(name) for name in ("rule", "message", "messageExpression", "reason", "fieldPath")}
    for name, value in given.items():
        if value is not None and not isinstance(value, str):
            yield faults.invalid(f"{path}.{name}", value, "must be a string")
            return
    yield from _texts(given, path)
    if given["reason"]:
        yield from faults.one_of(f"{path}.reason", given["reason"], _REASONS)
    if given["fieldPath"] and (why := _problem(given["fieldPath"].strip(), spec)):
        yield faults.invalid(f"{path}.fieldPath", given["fieldPath"], f"fieldPath must be a valid path: {why}")


def _texts(given: Mapping[str, str | None], path: str) -> faults.Errors:
    text, message = (given["rule"] or "").strip(), (given["message"] or "").strip()
    expression = given["messageExpression"]
    if not text:
        yield faults.required(f"{path}.rule", "rule is not specified")
    if given["message"] and not message:
        yield faults.invalid(f"{path}.message", given["message"], "message must be non-empty if specified")
    elif "\n" in message:
        yield faults.invalid(f"{path}.message", given["message"], "message must not contain line breaks")
    elif "\n" in text and not message:
        yield faults.required(f"{path}.message", "message must be specified if rule contains line breaks")
    if expression and not expression.strip():
        yield faults.required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
