"""What programs work on.

JSON's own values stand for themselves: bool, int, float, str, None, list, dict (read, never changed). What JSON has no form for is
here. Equality and order are CEL's: numbers compare across their types, everything else only with its own kind.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from brickyard.embedded.apiserver.cel import errors

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
UINT_MAX: Final = 2**64 - 1
NO_OVERLOAD: Final = "no such overload"
HEAVIEST: Final = 4_000_000
"""More than a request can hold: nothing is weighed further."""


_SIZED: Final = frozenset({str, bytes, list, dict})


class UInt(int):
    """An unsigned integer: a type of its own."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time in nanoseconds."""

    nanoseconds: int


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A moment: nanoseconds since 1970 in UTC."""

    nanoseconds: int

    def at(self, zone: datetime.tzinfo = datetime.UTC) -> datetime.datetime:
        """As a calendar time, without what is below a microsecond."""
        start = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        return (start + datetime.timedelta(microseconds=self.nanoseconds // 1000)).astimezone(zone)


@dataclasses.dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be missing."""

    present: bool = False
    value: Any = None


NOTHING: Final = Optional()


@dataclasses.dataclass(frozen=True, slots=True)
class TypeName:
    """A type as a value, as in ``type(self.x) == int``."""

    name: str


_NAMES: Mapping[type, str] = {
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    type(None): "null_type",
    UInt: "uint",
    Duration: "google.protobuf.Duration",
    Timestamp: "google.protobuf.Timestamp",
    Optional: "optional_type",
    TypeName: "type",
}


def type_of(value: Any) -> TypeName:
    """The type of a value as a value."""
    return TypeName(_NAMES.get(type(value)) or f"kubernetes.{type(value).__name__}")


def whole(number: int) -> int:
    """``number`` if it is an int of CEL.

    Raises:
        EvaluationError: it has more than 64 bits.
    """
    if INT_MIN <= number <= INT_MAX:
        return number
    raise errors.EvaluationError("integer overflow")


def natural(number: int) -> UInt:
    """``number`` as a uint of CEL.

    Raises:
        EvaluationError: it is negative or has more than 64 bits.
    """
    if 0 <= number <= UINT_MAX:
        return UInt(number)
    raise errors.EvaluationError("unsigned integer overflow")


def is_number(value: Any) -> bool:
    """Whether ``value`` is an int, uint or double."""
    return type(value) in (int, float, UInt)


def equal(left: Any, right: Any) -> bool:
    """CEL's equality. Of two kinds of values none are equal; numbers are of one kind; NaN equals nothing."""
    kind = type(left)
    if kind is not type(right):
        return is_number(left) and is_number(right) and bool(left == right)
    if kind is list:
        return len(left) == len(right) and all(equal(*pair) for pair in zip(left, right, strict=True))
    if kind is dict:
        return left.keys() == right.keys() and all(equal(each, right[key]) for key, each in left.items())
    return bool(left == right)


def compare(left: Any, right: Any) -> int:
    """-1, 0 or 1 as ``left`` is less than, equal to or greater than ``right``; 2 where NaN is neither.

    Raises:
        EvaluationError: they have no order.
    """
    numbers = is_number(left) and is_number(right)
    if not numbers and (type(left) is not type(right) or type(left) in (list, dict, type(None), Optional, TypeName)):
        raise errors.EvaluationError(NO_OVERLOAD)
    if numbers and (math.isnan(left) or math.isnan(right)):
        return 2
    return int(left > right) - int(left < right)


def frozen(value: Any) -> Any:
    """A hashable stand-in: equal values have equal stand-ins."""
    if isinstance(value, list):
        return ("list", *(frozen(each) for each in value))
    if isinstance(value, dict):
        return ("map", frozenset((key, frozen(each)) for key, each in value.items()))
    return ("bool", value) if isinstance(value, bool) else value


def size_of(value: Any) -> int:
    """What a value counts as in costs: characters, bytes, items; 1 for everything else."""
    return len(value) if type(value) in _SIZED else 1


def weight_of(value: Any) -> int:
    """What comparing a value as a whole may cost: everything in it.

    Raises:
        BudgetError: it holds more than a request can bring: a list may hold one other several times, and that one again another, so
            that a handful of lists is more than anybody can walk.
    """
    found = _weight(value, HEAVIEST)
    if found > HEAVIEST:
        raise errors.BudgetError("operation cancelled: actual cost limit exceeded")
    return found


def _weight(value: Any, most: int) -> int:
    """The weight of a value, or something above ``most``."""
    if isinstance(value, list):
        parts: Iterable[Any] = value
    elif isinstance(value, dict):
        parts = itertools.chain(value, value.values())
    else:
        return size_of(value)
    found = 1
    for each in parts:
        found += _weight(each, most - found) if isinstance(each, list | dict) else size_of(each)
        if found > most:
            break
    return found


def text_of_float(number: float) -> str:
    """A double as Go's ``%g`` writes it: as short as it can be, with an exponent from 1e+06 on and below 1e-04."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    shortest = decimal.Decimal(repr(number)).normalize()
    if -4 <= (exponent := shortest.adjusted()) < 6 or not number:
        return f"{shortest:f}"
    return f"{shortest.scaleb(-exponent):f}e{exponent:+03d}"
