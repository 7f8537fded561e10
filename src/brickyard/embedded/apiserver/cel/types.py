"""What is known of a value before there is one: its type, and how large it can become.

Types are compared by name and parameters. ``dyn`` fits everything and is checked when the program runs. In signatures of functions
``A`` and ``B`` stand for any type, the same wherever they recur.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

UNBOUNDED: Final = 3 * 2**20
"""The size of what nothing bounds: a request holds no more than this."""


@dataclasses.dataclass(frozen=True, slots=True)
class Type:
    """A type.

    ``fields`` are those of an object, by the names expressions use for them. ``limit`` is the most characters or items a value has.
    ``merge`` says whether a list is a set or a map by some of its items' fields (``keys``).
    """

    name: str
    parameters: tuple[Type, ...] = ()
    fields: Mapping[str, Field] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    limit: int = dataclasses.field(default=UNBOUNDED, compare=False, repr=False)
    merge: Literal["", "set", "map"] = dataclasses.field(default="", compare=False, repr=False)
    keys: tuple[str, ...] = dataclasses.field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        if not self.parameters:
            return _SHOWN.get(self.name, self.name)
        return f"{_SHOWN.get(self.name, self.name)}({', '.join(str(each) for each in self.parameters)})"

    @property
    def item(self) -> Type:
        """Of a list its items' type, of a map its values', of an optional its value's; else dyn."""
        return self.parameters[-1] if self.parameters else DYN


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field of an object: the key it has in JSON, and its type."""

    key: str
    type: Type


_SHOWN = {
    "duration": "google.protobuf.Duration",
    "timestamp": "google.protobuf.Timestamp",
    "null": "null",
    "optional": "optional_type",
}

DYN: Final = Type("dyn")
BOOL: Final = Type("bool", limit=1)
INT: Final = Type("int", limit=1)
UINT: Final = Type("uint", limit=1)
DOUBLE: Final = Type("double", limit=1)
STRING: Final = Type("string")
BYTES: Final = Type("bytes")
NULL: Final = Type("null", limit=1)
DURATION: Final = Type("duration", limit=1)
TIMESTAMP: Final = Type("timestamp", limit=1)
VARIABLES: Final = frozenset("ABC")

_SIZED = frozenset({"string", "bytes", "list", "map", "dyn"})
_NULLABLE = frozenset({"null", "duration", "timestamp", "dyn", "object"})


def list_of(item: Type, limit: int = UNBOUNDED) -> Type:
    """A list."""
    return Type("list", (item,), limit=limit)


def map_of(key: Type, value: Type, limit: int = UNBOUNDED) -> Type:
    """A map."""
    return Type("map", (key, value), limit=limit)


def optional_of(item: Type) -> Type:
    """A value that may be missing."""
    return Type("optional", (item,), limit=1)


def object_of(name: str, fields: Mapping[str, Field]) -> Type:
    """An object with known fields; ``name`` makes it unlike other objects."""
    return Type("object", (Type(name),), fields, limit=max(1, len(fields)))


def bounded(found: Type, limit: int) -> Type:
    """``found`` of at most ``limit`` characters or items."""
    return dataclasses.replace(found, limit=min(limit, UNBOUNDED)) if found.name in _SIZED else found


_WORD = re.compile(r"\s*([A-Za-z0-9_.]+)\s*")


@functools.cache
def parsed(text: str) -> Type:
    """The type that ``list(A)`` or ``map(string, int)`` writes."""
    found, end = _read(text, 0)
    if end != len(text):
        raise ValueError(f"{text!r} is no type")
    return found


def _read(text: str, at: int) -> tuple[Type, int]:
    match = _WORD.match(text, at)
    if match is None:
        raise ValueError(f"{text!r} is no type")
    name, at, parameters = match.group(1), match.end(), []
    if text[at : at + 1] == "(":
        while text[at] != ")":
            inner, at = _read(text, at + 1)
            parameters.append(inner)
        at += 1
    fixed = not parameters and name not in _SIZED
    return Type(name, tuple(parameters), limit=1 if fixed else UNBOUNDED), at


Bindings = dict[str, Type]


def fits(wanted: Type, found: Type, bindings: Bindings) -> bool:
    """Whether a value of ``found`` may be where ``wanted`` is asked for. Variables of ``wanted`` are bound on the way."""
    if wanted.name in VARIABLES:
        bound = bindings.get(wanted.name)
        if bound is None or (bound.name in ("dyn", "null") and fits(found, bound, {})):
            bindings[wanted.name] = found
            return True
        return fits(bound, found, bindings)
    if "dyn" in (wanted.name, found.name):
        return True
    if found.name == "null" and wanted.name in _NULLABLE:
        return True
    if wanted.name != found.name or len(wanted.parameters) != len(found.parameters):
        return False
    return all(fits(*pair, bindings) for pair in zip(wanted.parameters, found.parameters, strict=True))


def substituted(found: Type, bindings: Bindings) -> Type:
    """``found`` with its variables replaced by what they are bound to."""
    if found.name in VARIABLES:
        return bindings.get(found.name, DYN)
    if not found.parameters or found.fields:
        return found
    inner = tuple(substituted(each, bindings) for each in found.parameters)
    return dataclasses.replace(found, parameters=inner)


def joined(one: Type, other: Type) -> Type | None:
    """The type of a value that is either; None where they have nothing in common."""
    if "dyn" in (one.name, other.name):
        return DYN
    if fits(one, other, {}):
        return bounded(one, max(one.limit, other.limit)) if one.name != "null" else other
    return other if fits(other, one, {}) else None


LITERALS: Mapping[str, Type] = {
    "bool": BOOL,
    "int": INT,
    "UInt": UINT,
    "float": DOUBLE,
    "str": STRING,
    "bytes": BYTES,
    "NoneType": NULL,
}


def of_literal(value: Any) -> Type:
    """The type of a literal."""
    found = LITERALS[type(value).__name__]
    return bounded(found, len(value)) if isinstance(value, str | bytes) else found
