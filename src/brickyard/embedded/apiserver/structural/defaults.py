"""Defaults of a schema, at the creation of a definition: each has to be what its own schema admits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import faults
from brickyard.embedded.apiserver.structural import judge, shape


def violations(spec: Any, path: str) -> faults.Errors:
    """What is wrong with the defaults in a structural schema that stands at ``path``."""
    if not isinstance(spec, Mapping):
        return
    if "default" in spec:
        yield from _default(spec, spec["default"], f"{path}.default")
    for name, each in (spec.get("properties") or {}).items():
        yield from violations(each, f"{path}.properties[{name}]")
    for word in ("items", "additionalProperties"):
        yield from violations(spec.get(word), f"{path}.{word}")


def _default(spec: Mapping[str, Any], value: Any, path: str) -> faults.Errors:
    if value is None and not spec.get("nullable"):
        return
    if shape.unknown_fields(spec, value):
        yield faults.invalid(path, value, "must not have unknown fields")
        return
    for each in judge.violations(spec, shape.defaulted(spec, value)):
        below = "" if each.path == "<nil>" else f"{'' if each.path.startswith('[') else '.'}{each.path}"
        yield faults.FieldError(path + below, each.reason, each.message)
