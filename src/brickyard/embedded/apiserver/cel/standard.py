"""CEL's own operators and conversions, and the functions on lists, sets and optionals that Kubernetes adds."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from brickyard.embedded.apiserver.cel import compiler, errors, library, times, types, values
from brickyard.embedded.apiserver.cel.library import overload


def _arithmetic() -> library.Table:
    whole, natural = values.whole, values.natural
    plain = {
        "_+_": lambda a, b: a + b,
        "_-_": lambda a, b: a - b,
        "_*_": lambda a, b: a * b,
        "_/_": _quotient,
        "_%_": _remainder,
    }
    table: library.Table = {}
    for name, apply in plain.items():
        table[name] = [
            overload("(int, int) -> int", _checked(apply, whole)),
            overload("(uint, uint) -> uint", _checked(apply, natural)),
        ]
        if name != "_%_":
            table[name].append(overload("(double, double) -> double", _of_doubles(name, apply)))
    for form in ("string", "bytes", "list(A)"):
        adding = overload(f"({form}, {form}) -> {form}", plain["_+_"], library.walk, library.total)
        table["_+_"].append(adding)
    table["_+_"] += [
        overload("(duration, duration) -> duration", lambda a, b: times.length(a.nanoseconds + b.nanoseconds)),
        overload("(timestamp, duration) -> timestamp", lambda a, b: times.moment(a.nanoseconds + b.nanoseconds)),
        overload("(duration, timestamp) -> timestamp", lambda a, b: times.moment(a.nanoseconds + b.nanoseconds)),
    ]
    table["_-_"] += [
        overload("(duration, duration) -> duration", lambda a, b: times.length(a.nanoseconds - b.nanoseconds)),
        overload("(timestamp, timestamp) -> duration", lambda a, b: times.length(a.nanoseconds - b.nanoseconds)),
        overload("(timestamp, duration) -> timestamp", lambda a, b: times.moment(a.nanoseconds - b.nanoseconds)),
    ]
    table["-_"] = [overload("(int) -> int", lambda a: whole(-a)), overload("(double) -> double", lambda a: -a)]
    return table


def _checked(apply: Callable[[int, int], int], check: Callable[[int], int]) -> Callable[[int, int], int]:
    return lambda a, b: check(apply(int(a), int(b)))


def _quotient(a: int, b: int) -> int:
    if b == 0:
        raise errors.EvaluationError("division by zero")
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: int, b: int) -> int:
    if b == 0:
        raise errors.EvaluationError("modulus by zero")
    if b == -1:
        # As the quotient does, which the least of all ints does not have.
        values.whole(-a)
    return (abs(a) % abs(b)) * (1 if a >= 0 else -1)


def _of_doubles(name: str, apply: Callable[[Any, Any], Any]) -> Callable[[float, float], float]:
    def divide(a: float, b: float) -> float:
        if b != 0:
            return a / b
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)

    return divide if name == "_/_" else apply


def _least(sizes: Sequence[int]) -> float:
    return library.TRAVERSAL * min(sizes)


def _to_compare(given: Sequence[Any]) -> Sequence[int]:
    """Comparing costs what has to be looked at: nothing where kinds or sizes differ."""
    left, right = given
    if type(left) is not type(right) or not isinstance(left, list | dict) or len(left) != len(right):
        return [values.size_of(each) for each in given]
    weight = values.weight_of(left)
    return [weight, weight]


def _ordered() -> library.Table:
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "_<_": lambda a, b: values.compare(a, b) == -1,
        "_<=_": lambda a, b: values.compare(a, b) in (-1, 0),
        "_>_": lambda a, b: values.compare(a, b) == 1,
        "_>=_": lambda a, b: values.compare(a, b) in (0, 1),
    }
    pairs = [(form, form) for form in ("bool", "string", "bytes", "timestamp", "duration")]
    numbers = ("int", "uint", "double")
    pairs += [(one, other) for one in numbers for other in numbers]
    return {
        name: [overload(f"({one}, {other}) -> bool", test, _least) for one, other in pairs]
        for name, test in tests.items()
    }


def _different(one: Any, other: Any) -> bool:
    return not values.equal(one, other)


_EQUALITY: library.Table = {
    "_==_": [overload("(A, A) -> bool", values.equal, _least, weigh=_to_compare)],
    "_!=_": [overload("(A, A) -> bool", _different, _least, weigh=_to_compare)],
    "!_": [overload("(bool) -> bool", lambda a: not compiler.truth(a))],
}


def _at(items: list[Any], index: Any) -> Any:
    if not isinstance(index, int) and not (isinstance(index, float) and index.is_integer()):
        raise errors.EvaluationError(values.NO_OVERLOAD)
    if not 0 <= index < len(items):
        raise errors.EvaluationError(f"index out of bounds: {int(index)}")
    return items[int(index)]


def _maybe_at(items: list[Any], index: int) -> values.Optional:
    return values.Optional(True, items[index]) if 0 <= index < len(items) else values.NOTHING


def _maybe_entry(holder: dict[Any, Any], key: Any) -> values.Optional:
    return values.Optional(True, holder[key]) if key in holder else values.NOTHING


def _within(found: values.Optional, key: Any) -> values.Optional:
    """What a value that may be missing has at ``key``, if it is there and has it."""
    if not found.present:
        return found
    return _maybe_at(found.value, key) if isinstance(found.value, list) else _maybe_entry(found.value, key)


_INDEXED = (("list(A)", "int", "A"), ("map(A, B)", "A", "B"))


def _is_in(item: Any, items: list[Any]) -> bool:
    return any(values.equal(item, each) for each in items)


def _is_key(key: Any, holder: dict[Any, Any]) -> bool:
    return not isinstance(key, list | dict) and key in holder and not (isinstance(key, bool) and key not in holder)


def _to_find(given: Sequence[Any]) -> Sequence[int]:
    item, items = given
    plain = isinstance(item, str | int | float | bool)
    return [1, len(items) if plain else values.weight_of(items)]


_INDEXING: library.Table = {
    "_[_]": [
        overload("(list(A), int) -> A", _at),
        overload("(list(A), dyn) -> A", _at),
        overload("(map(A, B), A) -> B", compiler.entry),
        *(overload(f"(optional({form}), {key}) -> optional({held})", _within) for form, key, held in _INDEXED),
    ],
    "_[?_]": [
        overload("(list(A), int) -> optional(A)", _maybe_at),
        overload("(map(A, B), A) -> optional(B)", _maybe_entry),
        *(overload(f"(optional({form}), {key}) -> optional({held})", _within) for form, key, held in _INDEXED),
    ],
    "@in": [
        overload("(A, list(A)) -> bool", _is_in, library.walk, weigh=_to_find),
        overload("(A, map(A, B)) -> bool", _is_key),
    ],
}


def _number(text: str, form: Callable[[str], Any], name: str) -> Any:
    try:
        # Python also reads digits with underscores and blanks around them.
        return form(text if re.fullmatch(r"[+-]?[0-9.A-Za-z+-]{1,40}", text) else "")
    except ValueError as error:
        raise errors.EvaluationError(f"type conversion error from 'string' to '{name}'") from error


def _rounded(number: float) -> int:
    if not -(2.0**63) < number < 2.0**63:
        raise errors.EvaluationError("integer overflow")
    return int(number)


def _rounded_natural(number: float) -> values.UInt:
    if not -1.0 < number < 2.0**64:
        raise errors.EvaluationError("unsigned integer overflow")
    return values.UInt(int(number))


def _boolean(text: str) -> bool:
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise errors.EvaluationError("type conversion error from 'string' to 'bool'")


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise errors.EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from error


def _same(value: Any) -> Any:
    return value


_SIZE = [
    overload(signature, len)
    for form in ("string", "bytes", "list(A)", "map(A, B)")
    for signature in (f"({form}) -> int", f"{form}.() -> int")
]

_CONVERSIONS: library.Table = {
    "size": _SIZE,
    "dyn": [overload("(A) -> dyn", _same)],
    "type": [overload("(A) -> type", values.type_of)],
    "bool": [overload("(bool) -> bool", _same), overload("(string) -> bool", _boolean)],
    "int": [
        overload("(int) -> int", _same),
        overload("(uint) -> int", lambda a: values.whole(int(a))),
        overload("(double) -> int", _rounded),
        overload("(string) -> int", lambda a: values.whole(_number(a, int, "int"))),
        overload("(timestamp) -> int", lambda a: a.nanoseconds // 10**9),
    ],
    "uint": [
        overload("(uint) -> uint", _same),
        overload("(int) -> uint", values.natural),
        overload("(double) -> uint", _rounded_natural),
        overload("(string) -> uint", lambda a: values.natural(_number(a, int, "uint"))),
    ],
    "double": [
        overload("(double) -> double", _same),
        overload("(int) -> double", float),
        overload("(uint) -> double", float),
        overload("(string) -> double", lambda a: _number(a, float, "double")),
    ],
    "string": [
        overload("(string) -> string", _same, size=library.first),
        overload("(bool) -> string", lambda a: "true" if a else "false", size=lambda _: 5),
        overload("(int) -> string", str, size=lambda _: 20),
        overload("(uint) -> string", str, size=lambda _: 20),
        overload("(double) -> string", values.text_of_float, size=lambda _: 25),
        overload("(bytes) -> string", _decoded, library.walk, library.first),
        overload("(timestamp) -> string", times.text_of_moment, size=lambda _: 40),
        overload("(duration) -> string", times.text_of_length, size=lambda _: 40),
    ],
    "bytes": [
        overload("(bytes) -> bytes", _same, size=library.first),
        overload("(string) -> bytes", str.encode, library.walk, lambda sizes: 4 * sizes[0]),
    ],
}


# Lists.


def _is_sorted(items: list[Any]) -> bool:
    return all(values.compare(*pair) <= 0 for pair in itertools.pairwise(items))


def _extreme(sign: int, name: str) -> Callable[[list[Any]], Any]:
    def run(items: list[Any]) -> Any:
        if not items:
            raise errors.EvaluationError(f"{name} called on empty list")
        found = items[0]
        for each in items[1:]:
            if values.compare(each, found) == sign:
                found = each
        return found

    return run


def _sum_of(zero: Any, check: Callable[[Any], Any]) -> Callable[[list[Any]], Any]:
    def run(items: list[Any]) -> Any:
        total = zero
        for each in items:
            total = check(total + each)
        return total

    return run


def _index_of(items: list[Any], item: Any) -> int:
    return next((at for at, each in enumerate(items) if values.equal(each, item)), -1)


def _last_index_of(items: list[Any], item: Any) -> int:
    return next((at for at in range(len(items) - 1, -1, -1) if values.equal(items[at], item)), -1)


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if not 0 <= start <= end <= len(items):
        raise errors.EvaluationError(f"cannot slice({start}, {end}), list has {len(items)} items")
    return items[start:end]


def _flat(items: list[Any]) -> list[Any]:
    return [inner for each in items for inner in (each if isinstance(each, list) else [each])]


def _distinct(items: list[Any]) -> list[Any]:
    return list({values.frozen(each): each for each in reversed(items)}.values())[::-1]


def _sorted(items: list[Any]) -> list[Any]:
    if items and any(values.compare(items[0], each) == 2 for each in items):
        raise errors.EvaluationError(values.NO_OVERLOAD)
    return sorted(items)


def _whole_weight(given: Sequence[Any]) -> Sequence[int]:
    return [values.weight_of(each) for each in given]


def _to_search(given: Sequence[Any]) -> Sequence[int]:
    """Where the place is asked for, an item takes three times as long as where only its presence is."""
    return [3 * each for each in _to_find([given[1], given[0]])]


def _inner_weight(given: Sequence[Any]) -> Sequence[int]:
    """How many items a list of lists holds: as many lists of it may be one and the same, there can be far more than lists."""
    return [sum(len(each) if isinstance(each, list) else 1 for each in given[0])]


_COMPARABLE = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")


def _as_counts(given: Sequence[Any]) -> Sequence[int]:
    return [max(0, each) for each in given]


def _of_each(sizes: Sequence[int]) -> float:
    return sizes[0]


_LISTS: library.Table = {
    "isSorted": [overload(f"list({each}).() -> bool", _is_sorted, library.walk) for each in _COMPARABLE],
    "min": [overload(f"list({each}).() -> {each}", _extreme(-1, "min"), library.walk) for each in _COMPARABLE],
    "max": [overload(f"list({each}).() -> {each}", _extreme(1, "max"), library.walk) for each in _COMPARABLE],
    "sum": [
        overload("list(int).() -> int", _sum_of(0, values.whole), library.walk),
        overload("list(uint).() -> uint", _sum_of(values.UInt(0), values.natural), library.walk),
        overload("list(double).() -> double", _sum_of(0.0, _same), library.walk),
        overload(
            "list(duration).() -> duration",
            lambda items: times.length(sum(each.nanoseconds for each in items)),
            library.walk,
        ),
    ],
    "indexOf": [overload("list(A).(A) -> int", _index_of, library.walk, weigh=_to_search)],
    "lastIndexOf": [overload("list(A).(A) -> int", _last_index_of, library.walk, weigh=_to_search)],
    "slice": [overload("list(A).(int, int) -> list(A)", _slice, library.walk, library.first)],
    "flatten": [
        overload("list(list(A)).() -> list(A)", _flat, library.walk, lambda sizes: sizes[0] ** 2, _inner_weight)
    ],
    "distinct": [overload("list(A).() -> list(A)", _distinct, library.walk, library.first, _whole_weight)],
    "reverse": [overload("list(A).() -> list(A)", lambda items: items[::-1], library.walk, library.first)],
    "sort": [overload(f"list({e}).() -> list({e})", _sorted, library.walk, library.first) for e in _COMPARABLE],
    "lists.range": [
        overload(
            "(int) -> list(int)", lambda count: list(range(count)), _of_each, lambda _: types.UNBOUNDED, _as_counts
        )
    ],
}


def _key_set(items: list[Any]) -> set[Any]:
    return {values.frozen(each) for each in items}


_SETS: library.Table = {
    name: [overload("(list(A), list(A)) -> bool", run, library.walk, weigh=_whole_weight)]
    for name, run in {
        "sets.contains": lambda a, b: _key_set(b) <= _key_set(a),
        "sets.equivalent": lambda a, b: _key_set(a) == _key_set(b),
        "sets.intersects": lambda a, b: bool(_key_set(a) & _key_set(b)),
    }.items()
}


# Values that may be missing.


def _held(found: values.Optional) -> Any:
    if not found.present:
        raise errors.EvaluationError("optional.none() dereference")
    return found.value


def _if_any(value: Any) -> values.Optional:
    empty = value is None or (not isinstance(value, values.Optional) and not value)
    return values.NOTHING if empty else values.Optional(True, value)


_OPTIONALS: library.Table = {
    "optional.of": [overload("(A) -> optional(A)", lambda value: values.Optional(True, value))],
    "optional.none": [overload("() -> optional(A)", lambda: values.NOTHING)],
    "optional.ofNonZeroValue": [overload("(A) -> optional(A)", _if_any)],
    "hasValue": [overload("optional(A).() -> bool", lambda found: found.present)],
    "value": [overload("optional(A).() -> A", _held)],
    "orValue": [overload("optional(A).(A) -> A", lambda a, other: a.value if a.present else other)],
    "or": [overload("optional(A).(optional(A)) -> optional(A)", lambda a, other: a if a.present else other)],
}

TABLE = library.merged(_arithmetic(), _ordered(), _EQUALITY, _INDEXING, _CONVERSIONS, _LISTS, _SETS, _OPTIONALS)
