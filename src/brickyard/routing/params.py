"""A policy's parameters: strict, because a misspelt one that is silently ignored costs days."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from brickyard.routing import errors


def parse(kind: type, given: Mapping[str, Any], policy: str) -> Any:
    """An instance of the parameter class ``kind`` with ``given`` over its defaults.

    Fields are of type ``str``, ``bool``, ``int`` or ``float`` (which takes whole numbers too, and neither NaN nor an infinity: a
    bound that is none would switch a rule off unseen). The class may check ranges
    in ``__post_init__`` and raise ValueError.

    Raises:
        UnknownParameterError: ``kind`` has no such field; the nearest is named.
        BadParameterError: a value has the wrong type, or the class refuses it.
    """
    hints = typing.get_type_hints(kind)
    known = [field.name for field in dataclasses.fields(kind)]
    for name, value in given.items():
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise errors.UnknownParameterError(
                f"policy {policy!r} has no parameter {name!r}: {errors.nearest(name, known)}{takes}"
            )
        if not _fits(value, hints[name]):
            wanted = "float and finite" if hints[name] is float else hints[name].__name__
            raise errors.BadParameterError(
                f"parameter {name!r} of policy {policy!r} must be of type {wanted}, not {value!r}"
            )
    try:
        return kind(**given)
    except ValueError as error:
        raise errors.BadParameterError(f"policy {policy!r}: {error}") from error


def _fits(value: object, kind: type) -> bool:
    if isinstance(value, bool):  # a bool is an int to isinstance, and never meant as one here
        return kind is bool
    if kind is float:
        return isinstance(value, (int, float)) and -_HUGE < value < _HUGE
    return isinstance(value, kind)


_HUGE = float("inf")
