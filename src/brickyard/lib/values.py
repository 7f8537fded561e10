"""Values made once per request: frozen for whoever reads the code, plain for the interpreter.

A frozen dataclass pays for each field of each instance (its ``__init__`` goes through ``object.__setattr__``): several microseconds
a request, for a promise that the type checker keeps as well. ``value`` makes that promise to the type checker only.
"""

from __future__ import annotations

import dataclasses
import typing
from typing import TypeVar

T = TypeVar("T")


@typing.dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def value(cls: type[T]) -> type[T]:
    """A slotted dataclass whose fields mypy lets nobody set. Equal by its fields; not hashable, since nothing enforces it at run time."""
    return dataclasses.dataclass(slots=True)(cls)
