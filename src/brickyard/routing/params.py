"""A policy's parameters: strict, because a misspelt one that is silently ignored costs days."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from brickyard.routing import errors


def parse(kind: type, given: Mapping[str, Any], policy: str) -> Any:
    """An instance of the parameter class ``kind`` with ``given`` over its defaults.

    Fields are of type ``str``, ``bool``, ``int`` or ``float`` (which takes whole numbers too). The class may check ranges
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
            raise errors.BadParameterError(
                f"parameter {name!r} of policy {policy!r} must be of type {hints[name].__name__}, not {value!r}"
            )
    try:
        return kind(**given)
    except ValueError as error:
        raise errors.BadParameterError(f"policy {policy!r}: {error}") from error


def _fits(value: object, kind: type) -> bool:
    if isinstance(value, bool):  # a bool is an int to isinstance, and never meant as one here
        return kind is bool
    return isinstance(value, (int, float)) if kind is float else isinstance(value, kind)
