"""Regular expressions of schemas, which are Go's: RE2, so that no pattern takes more than time linear in what it is matched with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from brickyard.embedded.apiserver.cel import errors, strings


def compiled(pattern: str) -> Any:
    """``pattern`` for ``search``.

    Raises:
        ValueError: it is no regular expression.
    """
    try:
        return strings.pattern(pattern)
    except errors.EvaluationError as error:
        raise ValueError(str(error)) from error


LARGEST: Final = 1_000_000
"""Instructions of all patterns of a schema together. A few letters can mean a hundred thousand, and 30 ms; an ordinary name's are 500."""
_VALUES = frozenset({"default", "enum", "example"})


def are_too_large(spec: Any) -> bool:
    """Whether the patterns of a schema would take too long to prepare. None is prepared after the one that is too much."""
    left = LARGEST
    for each in set(_all(spec)):
        try:
            left -= compiled(each).programsize
        except ValueError:
            # What is no pattern is told by itself.
            continue
        if left < 0:
            return True
    return False


def _all(spec: Any) -> Iterator[str]:
    if isinstance(spec, list):
        for each in spec:
            yield from _all(each)
    elif isinstance(spec, Mapping):
        for key, each in spec.items():
            if key == "pattern" and isinstance(each, str):
                yield each
            elif key not in _VALUES:
                yield from _all(each)
