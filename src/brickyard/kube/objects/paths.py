"""Dotted paths into objects: ``.spec.replicas``, ``metadata.labels.model\\.aibrix\\.ai/name``.

The leading dot is optional; a backslash keeps a dot inside a key. Lists are not entered.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

_PART = re.compile(r"((?:[^.\\]|\\.)+)")


@functools.lru_cache(maxsize=1024)
def split(path: str) -> tuple[str, ...]:
    """The keys of ``path``."""
    return tuple(re.sub(r"\\(.)", r"\1", part) for part in _PART.findall(path))


def get(obj: Any, path: str, default: Any = None) -> Any:
    """The value at ``path``, or ``default`` where any step of it is absent or null."""
    for key in split(path):
        # Nearly always a dict: asking that first is many times cheaper than asking for a Mapping.
        obj = obj.get(key) if type(obj) is dict or isinstance(obj, Mapping) else None
        if obj is None:
            return default
    return obj


def put(obj: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of ``obj`` with ``value`` at ``path``; steps on the way are made where they are absent, the rest is shared."""
    return _put(obj, split(path), value)


def _put(obj: Mapping[str, Any], keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    key, rest = keys[0], keys[1:]
    if not rest:
        return {**obj, key: value}
    inner = obj.get(key)
    return {**obj, key: _put(inner if isinstance(inner, Mapping) else {}, rest, value)}


def without(obj: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A copy of ``obj`` that has nothing at ``path``; ``obj``'s own content when it had nothing there."""
    return _without(obj, split(path))


def _without(obj: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    key, rest = keys[0], keys[1:]
    if not rest:
        return {name: value for name, value in obj.items() if name != key}
    inner = obj.get(key)
    return {**obj, key: _without(inner, rest)} if isinstance(inner, Mapping) else dict(obj)
