"""Field errors in Kubernetes' words, one function per reason. Paths are made by the caller: ``spec.containers[0].image``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson


@dataclasses.dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with an object, worded as Kubernetes words it.

    ``path`` like ``spec.template.spec.containers[0].image``; ``reason`` one of FieldValueRequired, FieldValueInvalid,
    FieldValueNotSupported, FieldValueDuplicate, FieldValueForbidden, FieldValueTypeInvalid; ``message`` like ``Required value``.
    """

    path: str
    reason: str
    message: str


Errors = Iterator[FieldError]

_LONGEST_FIELD: Final = 256
"""Characters of a path that names fields only."""
_UNSHOWN: Final = '"..."'
"""Stands for a value that no JSON can show."""


def required(path: str, detail: str = "") -> FieldError:
    """The field must be there."""
    return FieldError(path, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def invalid(path: str, value: Any, detail: str) -> FieldError:
    """The field is there and wrong."""
    return FieldError(path, "FieldValueInvalid", f"Invalid value: {_shown(value)}: {detail}")


def wrong_type(path: str, value: Any, detail: str) -> FieldError:
    """The field holds another JSON type; ``value`` is usually that type's name."""
    return FieldError(path, "FieldValueTypeInvalid", f"Invalid value: {_shown(value)}: {detail}")


def not_supported(path: str, value: Any, supported: Iterable[str]) -> FieldError:
    """The field takes one of a few words."""
    words = ", ".join(f'"{each}"' for each in supported)
    message = f"Unsupported value: {_shown(value)}: supported values: {words}"
    return FieldError(path, "FieldValueNotSupported", message)


def duplicate(path: str, value: Any) -> FieldError:
    """The value must be unique and is not."""
    return FieldError(path, "FieldValueDuplicate", f"Duplicate value: {_shown(value)}")


def forbidden(path: str, detail: str) -> FieldError:
    """The field must not be there, or must not change."""
    return FieldError(path, "FieldValueForbidden", f"Forbidden: {detail}")


def not_found(path: str, value: Any) -> FieldError:
    """The value names something that does not exist."""
    return FieldError(path, "FieldValueNotFound", f"Not found: {_shown(value)}")


def too_long(path: str, limit: int, unit: str = "bytes") -> FieldError:
    """The text is longer than ``limit``; it is not repeated."""
    return FieldError(path, "FieldValueTooLong", f"Too long: may not be more than {limit} {unit}")


def too_many(path: str, count: int, limit: int) -> FieldError:
    """The list is longer than ``limit``."""
    message = f"Too many: {count}: must have at most {limit} item{'' if limit == 1 else 's'}"
    return FieldError(path, "FieldValueTooMany", message)


def beyond(told: Iterable[FieldError], more: Iterable[FieldError]) -> Errors:
    """Those of ``more`` that are about other fields than ``told``, and about no part of one and nothing that one is part of."""
    paths = {each.path for each in told}
    holders = {above for path in paths for above in _upwards(path)}
    return (each for each in more if each.path not in holders and paths.isdisjoint(_upwards(each.path)))


def _upwards(path: str) -> Iterator[str]:
    """``a.b[0]``, ``a.b``, ``a``: every field that the one at ``path`` is part of. No name of a field is very long; a map's key may be."""
    yield path
    for index in range(min(len(path), _LONGEST_FIELD) - 1, 0, -1):
        if path[index] in ".[":
            yield path[:index]


def _shown(value: Any) -> str:
    """``value`` as JSON. Whatever was sent is told of: a refusal that fails would be no refusal."""
    try:
        return orjson.dumps(value, default=str).decode()
    except orjson.JSONEncodeError:
        pass  # an integer beyond 64 bits, half a surrogate pair, very deep nesting
    try:
        return json.dumps(value, default=str, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return _UNSHOWN


def one_of(path: str, value: Any, supported: Iterable[str]) -> Errors:
    """A word that must be given and be one of a few."""
    if value in (None, ""):
        yield required(path)
    elif value not in (words := sorted(supported)):
        yield not_supported(path, value, words)


def not_negative(path: str, holder: Mapping[str, Any], *names: str) -> Errors:
    """Each of the integers ``names`` of ``holder``, where given, is at least 0. ``path`` is the holder's."""
    for name in names:
        value = holder.get(name)
        if value is not None and value < 0:
            yield invalid(f"{path}.{name}", value, "must be greater than or equal to 0")


def unique(path: str, values: Iterable[tuple[str, Any]]) -> Errors:
    """Duplicates among (path below ``path``, value) pairs; absent and empty values are not compared."""
    seen = set()
    for below, value in values:
        if value in (None, ""):
            continue
        if value in seen:
            yield duplicate(f"{path}{below}", value)
        seen.add(value)
