"""Functions on strings: CEL's own, the strings extension, and regular expressions by RE2."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import re2

from brickyard.embedded.apiserver.cel import errors, library, times, values
from brickyard.embedded.apiserver.cel.library import overload, search, walk

_LONGEST: Final = 3 * 2**20
"""Characters of a string that a function may make."""
_MOST_FOUND: Final = 200_000
_BLANKS: Final = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_UPPER: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOWER: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@functools.lru_cache(maxsize=512)
def pattern(text: str) -> Any:
    """A regular expression as Go has them: linear in what it is matched with.

    Raises:
        EvaluationError: it is none, or its program is too large.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except (re2.error, ValueError, UnicodeEncodeError) as error:
        why = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise errors.EvaluationError(f"error parsing regexp: {why}") from error


def _to_match(given: Sequence[Any]) -> library.Sizes:
    """Text, pattern, and the program that is made of the pattern: it can be a thousand times as long."""
    text, wanted, *_ = given
    return [len(text), len(wanted), pattern(wanted).programsize]


def _per_piece(price: float) -> Callable[[library.Sizes, Any], float]:
    """What takes a step of its own for each piece of its answer."""
    return lambda sizes, found: price * len(found)


def _fits(size: int) -> None:
    if size > _LONGEST:
        raise errors.BudgetError("operation cancelled: actual cost limit exceeded")


def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise errors.EvaluationError(f"index out of range: {at}")
    return text[at : at + 1]


def _found(method: str) -> Callable[..., int]:
    """``indexOf`` or ``lastIndexOf``, from an offset or not."""

    def run(text: str, part: str, at: int | None = None) -> int:
        if at is not None and not 0 <= at <= len(text):
            raise errors.EvaluationError(f"index out of range: {at}")
        if method == "find":
            return text.find(part, at or 0)
        return text.rfind(part) if at is None else text.rfind(part, 0, at + len(part))

    return run


def _replaced(text: str, old: str, new: str, limit: int = -1) -> str:
    count = text.count(old) if limit < 0 else min(limit, text.count(old))
    _fits(len(text) + count * max(0, len(new) - len(old)))
    return text.replace(old, new, limit)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if not separator:
        letters = list(text)
        return letters if limit < 0 or len(letters) <= limit else [*letters[: limit - 1], text[limit - 1 :]]
    return text.split(separator, limit - 1 if limit > 0 else -1)


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= len(text):
        raise errors.EvaluationError(f"index out of range: {start}")
    if not 0 <= stop <= len(text):
        raise errors.EvaluationError(f"index out of range: {stop}")
    if start > stop:
        raise errors.EvaluationError(f"invalid substring range. start: {start}, end: {stop}")
    return text[start:stop]


def _joined(items: list[str], separator: str = "") -> str:
    if not all(isinstance(each, str) for each in items):
        raise errors.EvaluationError(values.NO_OVERLOAD)
    _fits(sum(map(len, items)) + len(separator) * len(items))
    return separator.join(items)


def _matches(text: str, wanted: str) -> bool:
    return pattern(wanted).search(text) is not None


def _find(text: str, wanted: str) -> str:
    found = pattern(wanted).search(text)
    return str(found.group()) if found else ""


def _find_all(text: str, wanted: str, limit: int = -1) -> list[str]:
    result: list[str] = []
    for found in pattern(wanted).finditer(text):
        if len(result) == limit:
            break
        result.append(str(found.group()))
        if len(result) > _MOST_FOUND:
            raise errors.BudgetError("operation cancelled: actual cost limit exceeded")
    return result


_QUOTES = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v", "\\": "\\", '"': '"'}


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\{_QUOTES[each]}" if each in _QUOTES else each for each in text) + '"'


# Format strings.

_CLAUSE = re.compile(r"%(?:%|(?:\.(\d{1,3}))?([sdfebxXo]))")


def _formatted(template: str, arguments: list[Any]) -> str:
    given, spent = iter(arguments), [len(template)]
    tail = _CLAUSE.sub("", template)
    if "%" in tail:
        raise errors.EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{tail}"')

    def clause(match: re.Match[str]) -> str:
        if match.group() == "%%":
            return "%"
        try:
            argument = next(given)
        except StopIteration:
            raise errors.EvaluationError(f"index {len(arguments)} out of range") from None
        text = _clause(match.group(2), match.group(1), argument)
        spent[0] += len(text)
        _fits(spent[0])
        return text

    return _CLAUSE.sub(clause, template)


def _clause(letter: str, precision: str | None, value: Any) -> str:  # noqa: PLR0911 - one line per letter
    digits = int(precision) if precision else 6
    whole = isinstance(value, int) and not isinstance(value, bool)
    match letter:
        case "s":
            return _shown(value)
        case "d" if whole or isinstance(value, float):
            return str(value) if whole else values.text_of_float(value)
        case "f" | "e" if values.is_number(value):
            return f"{float(value):.{digits}{letter}}" if math.isfinite(value) else _SPECIAL[str(float(value))]
        case "b" if whole or isinstance(value, bool):
            return f"{int(value):b}"
        case "o" if whole:
            return f"{value:o}"
        case "x" | "X" if whole:
            return f"{value:{letter}}"
        case "x" | "X" if isinstance(value, str | bytes):
            data = (value.encode() if isinstance(value, str) else value).hex()
            return data.upper() if letter == "X" else data
    raise errors.EvaluationError(f"error during formatting: %{letter} cannot write a {values.type_of(value).name}")


def _shown(value: Any) -> str:
    """A value as ``%s`` writes it."""
    if isinstance(value, list):
        return f"[{', '.join(_shown(each) for each in value)}]"
    if isinstance(value, dict):
        inner = sorted((_shown(key), _shown(each)) for key, each in value.items())
        return "{" + ", ".join(f"{key}: {each}" for key, each in inner) + "}"
    return _SHOWN.get(type(value), str)(value)


_SPECIAL: Final = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_SHOWN: Mapping[type, Callable[[Any], str]] = {
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
    float: values.text_of_float,
    bytes: lambda value: value.decode(errors="replace"),
    values.Duration: times.text_of_length,
    values.Timestamp: times.text_of_moment,
    values.TypeName: lambda value: value.name,
}


def _deep(given: Any) -> list[int]:
    return [values.weight_of(each) for each in given]


def _methods(arguments: str, result: str, run: Callable[..., Any], *more: Any) -> library.Overload:
    return overload(f"string.({arguments}) -> {result}", run, *more)


def _regular(
    signature: str,
    run: Callable[..., Any],
    size: Callable[[library.Sizes], int] = library.one,
    toll: Callable[[library.Sizes, Any], float] = library.growth,
) -> library.Overload:
    made = overload(signature, run, library.match, size, _to_match, toll)
    # With a limit behind it the pattern is not the last argument.
    return dataclasses.replace(made, literal=pattern) if len(made.arguments) == 2 else made


TABLE: library.Table = {
    "contains": [_methods("string", "bool", lambda text, part: part in text, search)],
    "startsWith": [_methods("string", "bool", str.startswith, lambda sizes: 0.1 * sizes[1])],
    "endsWith": [_methods("string", "bool", str.endswith, lambda sizes: 0.1 * sizes[1])],
    "matches": [
        _regular("string.(string) -> bool", _matches),
        _regular("(string, string) -> bool", _matches),
    ],
    "find": [_regular("string.(string) -> string", _find, library.first)],
    "findAll": [
        _regular("string.(string) -> list(string)", _find_all, library.first, _per_piece(2)),
        _regular("string.(string, int) -> list(string)", _find_all, library.first, _per_piece(2)),
    ],
    "charAt": [_methods("int", "string", _char_at)],
    "indexOf": [
        _methods("string", "int", _found("find"), search),
        _methods("string, int", "int", _found("find"), search),
    ],
    "lastIndexOf": [
        _methods("string", "int", _found("rfind"), search),
        _methods("string, int", "int", _found("rfind"), search),
    ],
    "lowerAscii": [_methods("", "string", lambda text: text.translate(_LOWER), walk, library.first)],
    "upperAscii": [_methods("", "string", lambda text: text.translate(_UPPER), walk, library.first)],
    "trim": [_methods("", "string", lambda text: text.strip(_BLANKS), walk, library.first)],
    "reverse": [_methods("", "string", lambda text: text[::-1], walk, library.first)],
    "replace": [
        _methods("string, string", "string", _replaced, search, lambda sizes: sizes[0] * max(1, sizes[2])),
        _methods("string, string, int", "string", _replaced, search, lambda sizes: sizes[0] * max(1, sizes[2])),
    ],
    "split": [
        _methods("string", "list(string)", _split, walk, library.first, library.plain_sizes, _per_piece(0.5)),
        _methods("string, int", "list(string)", _split, walk, library.first, library.plain_sizes, _per_piece(0.5)),
    ],
    "substring": [
        _methods("int", "string", _substring, walk, library.first),
        _methods("int, int", "string", _substring, walk, library.first),
    ],
    "join": [
        overload("list(string).() -> string", _joined, walk, lambda _: _LONGEST, _deep),
        overload("list(string).(string) -> string", _joined, walk, lambda _: _LONGEST, _deep),
    ],
    "format": [_methods("list(dyn)", "string", _formatted, walk, lambda _: _LONGEST, _deep)],
    "strings.quote": [overload("(string) -> string", _quoted, walk, lambda sizes: 2 * sizes[0] + 2)],
}
