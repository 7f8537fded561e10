"""Regular expressions of schemas, which are Go's (RE2), as Python's."""

from __future__ import annotations

import functools
import re


@functools.lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """``pattern`` for ``search``. In Go ``$`` is the very end of the text, in Python also before a last newline.

    Raises:
        ValueError: it is no regular expression.
    """
    try:
        return re.compile(_translated(pattern))
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error


def _translated(pattern: str) -> str:
    result, in_class, escaped = [], False, False
    for character in pattern:
        if escaped:
            result.append("Z" if character == "z" and not in_class else character)
            escaped = False
            continue
        escaped = character == "\\"
        if character == "[" and not in_class:
            in_class = True
        elif character == "]" and in_class:
            in_class = False
        result.append(r"\Z" if character == "$" and not in_class else character)
    return "".join(result)
