"""Keys that stand twice in one object of a body: JSON allows it, every decoder takes the last, and the first is lost in silence. Pure.

A JSON body without them, nearly every one, is told by counting: each key of the decoded value ends in a quote and a colon in the text, and
only a duplicate, or a text that looks like a key, makes the text hold more of those than the value has keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml

_KEY_ENDS: Final = re.compile(rb'"[ \t\r\n]*:')
_MOST: Final = 100
"""Duplicates told of one body."""


def find(body: bytes, value: Any) -> Sequence[str]:
    """The paths, such as ``spec.replicas``, of keys that stand more than once in the JSON text ``body``, whose value is ``value``."""
    if len(_KEY_ENDS.findall(body)) == _keys(value):
        return ()
    try:
        found = list(_duplicates(json.loads(body, object_pairs_hook=_Pairs), ""))
    except (ValueError, RecursionError):
        # The faster decoder took it: what this one does not read is no reason to refuse it.
        return ()
    return list(dict.fromkeys(found))[:_MOST]


def find_yaml(body: bytes, value: Any) -> Sequence[str]:
    """The same of a YAML text that holds no aliases, in the words of Kubernetes' decoder: ``line 6: key "a" already set in map``."""
    if body.lstrip()[:1] == b"{" and len(_KEY_ENDS.findall(body)) == _keys(value):
        return ()
    found: list[str] = []
    try:
        left: list[yaml.Node | None] = [yaml.compose(body, yaml.CSafeLoader)]
    except (yaml.YAMLError, RecursionError):
        # JSON with letters that YAML does not know: as above.
        return ()
    while left and len(found) < _MOST:
        node = left.pop()
        if isinstance(node, yaml.MappingNode):
            found += _repeated(node)
            left += [each for _, each in reversed(node.value)]
        elif isinstance(node, yaml.SequenceNode):
            left += reversed(node.value)
    return found[:_MOST]


def _repeated(mapping: yaml.MappingNode) -> Iterator[str]:
    seen = set()
    for key, _ in mapping.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in seen:
                yield f'line {key.start_mark.line + 1}: key "{key.value}" already set in map'
            seen.add(key.value)


def _keys(value: Any) -> int:
    total, left = 0, [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            total += len(each)
            left.extend(each.values())
        elif isinstance(each, list):
            left.extend(each)
    return total


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written."""


def _duplicates(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen = set()
        for key, each in value:
            below = f"{path}.{key}" if path else key
            if key in seen:
                yield below
            seen.add(key)
            yield from _duplicates(each, below)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _duplicates(each, f"{path}[{index}]")
