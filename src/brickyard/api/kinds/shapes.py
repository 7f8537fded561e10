"""Reading JSON whose shape nobody has checked: what is not of the asked type is not there.

Rules are asked before the schema has spoken, and behind webhooks that failed. None of these functions raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

_INT64: Final = range(-(2**63), 2**63)


def at(value: Any, *path: str) -> Any:
    """What lies at ``path`` below ``value``; None where nothing does."""
    for each in path:
        value = value.get(each) if isinstance(value, dict) else None
    return value


def mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """The object at ``path``, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, dict) else {}


def sequence(value: Any, *path: str) -> Sequence[Any]:
    """The list at ``path``, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, list) else ()


def text(value: Any, *path: str) -> str | None:
    """The string at ``path``: "" where nothing is, None where something else is."""
    found = at(value, *path)
    if found is None:
        return ""
    return found if isinstance(found, str) else None


def integer(value: Any, *path: str) -> int | None:
    """The integer at ``path``; None where none of 64 bits is."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) and found in _INT64 else None


def annotation(obj: Any, key: str) -> str:
    """An annotation's text; "" where it is absent or no text."""
    return text(obj, "metadata", "annotations", key) or ""


def is_open(holder: Any, path: Sequence[str]) -> bool:
    """Whether something can be placed at ``path`` without replacing what is no object: only objects and absences lie on the way."""
    for each in path:
        if holder is None:
            return True
        if not isinstance(holder, dict):
            return False
        holder = holder.get(each)
    return True


def placed(holder: Any, path: Sequence[str], value: Any) -> dict[str, Any]:
    """A copy of ``holder`` with ``value`` at ``path``; only what lies on the way is copied. What stands in the way is replaced."""
    head, *below = path
    own = holder if isinstance(holder, dict) else {}
    return {**own, head: placed(own.get(head), below, value) if below else value}


def without(holder: Any, path: Sequence[str]) -> Any:
    """A copy of ``holder`` without what lies at ``path``; ``holder`` itself where nothing does."""
    head, *below = path
    if not isinstance(holder, dict) or head not in holder:
        return holder
    if not below:
        return {key: each for key, each in holder.items() if key != head}
    shrunk = without(holder[head], below)
    return holder if shrunk is holder[head] else {**holder, head: shrunk}
