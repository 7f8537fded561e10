"""How a legacy form becomes today's: the field of today is filled, the legacy key stays, the client is told.

A field of today that the client gave wins. To know it from one that was filled at an earlier write, what was filled is remembered in
an annotation: when somebody edits a legacy key of a stored object and applies it again, the new value comes through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from brickyard.api import names
from brickyard.api.kinds import contract, resources, shapes

Path = tuple[str, ...]

_MEMORY: Final = ("metadata", "annotations", names.CONVERTED)

_LARGEST: Final = 32 * 1024
"""Bytes of memory. The annotations of an object have room for 256 KiB in all, and more than this is not worth their place."""
_DEPTH: Final = 16
"""Values nested deeper are nothing that a conversion makes; two of them are held for different."""


class Draft:
    """An object on its way to today's form. The object it was made of is not changed."""

    def __init__(self, obj: resources.Object) -> None:
        self._obj = obj
        self._warnings: list[str] = []
        self._filled = {
            path: value for path, value in _remembered(obj).items() if _covers(shapes.at(obj, *_parts(path)), value)
        }
        self.drop_empty_annotations(("metadata",))

    def at(self, *path: str) -> Any:
        """What lies at ``path`` now; None where nothing does."""
        return shapes.at(self._obj, *path)

    def text(self, *path: str) -> str:
        """The string at ``path`` now; "" where none is."""
        return shapes.text(self._obj, *path) or ""

    def given(self, path: Path) -> bool:
        """Whether the client gave the field at ``path``: it is there and no earlier conversion filled it."""
        return self.at(*path) is not None and _name(path) not in self._filled

    def fill(self, path: Path, value: Any) -> bool:
        """Give the field at ``path`` a value, unless the client did; whether it was given this one.

        Where something other than an object stands in the way, nothing is filled: it is the schema's to refuse.
        """
        if self.given(path) or not shapes.is_open(self._obj, path):
            return False
        self._obj = shapes.placed(self._obj, path, value)
        self._filled[_name(path)] = value
        return True

    def replace(self, path: Path, value: Any) -> None:
        """Rewrite what the client gave, without remembering."""
        self._obj = shapes.placed(self._obj, path, value)

    def drop(self, path: Path) -> None:
        """Take away what lies at ``path``."""
        self._obj = shapes.without(self._obj, path)

    def warn(self, text: str) -> None:
        """Tell the client: what was found, what it is taken for, what to write instead."""
        self._warnings.append(text)

    def drop_empty_annotations(self, path: Path) -> None:
        """Take away the annotations without a value of the metadata at ``path``, which no typed client could read."""
        found = shapes.mapping(self._obj, *path, "annotations")
        empty = [key for key, value in found.items() if value is None]
        if empty:
            self.replace((*path, "annotations"), {key: each for key, each in found.items() if key not in empty})
        for key in empty:
            self.warn(f"{'.'.join(path)}.annotations[{key}] has no value and is dropped; give it one or leave it out")

    def done(self) -> contract.Converted:
        """The object of today, with what was filled remembered."""
        memory = _written(self._filled)
        if memory and shapes.is_open(self._obj, _MEMORY):
            self._obj = shapes.placed(self._obj, _MEMORY, memory)
        else:
            self.drop(_MEMORY)
        return contract.Converted(self._obj, tuple(self._warnings))


def _remembered(obj: resources.Object) -> Mapping[str, Any]:
    try:
        found = orjson.loads(shapes.annotation(obj, names.CONVERTED) or "{}")
    except orjson.JSONDecodeError:
        return {}  # somebody else wrote there: nothing is known, so every field counts as given
    return found if isinstance(found, dict) else {}


def _written(filled: Mapping[str, Any]) -> str:
    try:
        text = orjson.dumps(filled, option=orjson.OPT_SORT_KEYS) if filled else b""
    except TypeError:
        return ""  # nested or large beyond what JSON of ours can hold: the write itself is refused for that in a moment
    return text.decode() if len(text) <= _LARGEST else ""


def _covers(found: Any, filled: Any, depth: int = _DEPTH) -> bool:
    """Whether ``found`` is ``filled``, apart from fields that the schema's defaults added to it."""
    if depth == 0:
        return False
    if isinstance(filled, dict):
        return isinstance(found, dict) and all(
            key in found and _covers(found[key], each, depth - 1) for key, each in filled.items()
        )
    if isinstance(filled, list):
        return (
            isinstance(found, list)
            and len(found) == len(filled)
            and all(_covers(*pair, depth - 1) for pair in zip(found, filled, strict=True))
        )
    return type(found) is type(filled) and bool(found == filled)


def _name(path: Sequence[str]) -> str:
    return "/".join(each.replace("~", "~0").replace("/", "~1") for each in path)


def _parts(name: str) -> Path:
    return tuple(each.replace("~1", "/").replace("~0", "~") for each in name.split("/"))
