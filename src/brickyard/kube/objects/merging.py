"""What an apply does to an object's value: merge what is applied into what is there, and take out what is no longer applied.

Both follow the kind's structure. Arguments are not changed; an answer shares unchanged parts with them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from brickyard.kube.objects import errors, fieldsets, structure


def check(node: structure.Node, config: Mapping[str, Any]) -> None:
    """Refuse an applied object whose lists cannot be merged.

    Raises:
        UnkeyedListError: elements of a keyed list or set lack their identity or share it. The text begins with the list's path.
    """
    for name, value in config.items():
        with _under(f".{name}"):
            _check(node.child(name), value)


@contextlib.contextmanager
def _under(prefix: str) -> Iterator[None]:
    """Puts a path element before the complaint that leaves the block."""
    try:
        yield
    except errors.UnkeyedListError as error:
        raise errors.UnkeyedListError(f"{prefix}{error}") from None


def _check(node: structure.Node, value: Any) -> None:
    if structure.is_object(node, value):
        check(node, value)
    elif structure.is_collection(node, value):
        seen: set[str] = set()
        for position, each in enumerate(value):
            element = _element(node, position, each)
            if element in seen:
                raise errors.UnkeyedListError(f": duplicate entries for key {fieldsets.text((element,))}")
            seen.add(element)
            with _under(fieldsets.text((element,))):
                _check(node.inner(), each)


def _element(node: structure.Node, position: int, value: Any) -> str:
    try:
        return structure.element_of(node, value)
    except errors.UnkeyedListError as error:
        raise errors.UnkeyedListError(f": element {position}{error}") from None


def merge(node: structure.Node, live: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """``live`` with every field that ``config`` speaks of as it says. Nothing is taken away.

    ``config`` has passed ``check``. The order of a list is that of ``config`` for what it names; the others keep their places
    among them.
    """
    merged = dict(live)
    for name, value in config.items():
        merged[name] = _merged(node.child(name), live[name], value) if name in live else value
    return merged


def _merged(node: structure.Node, live: Any, config: Any) -> Any:
    if config is None and live and (structure.is_object(node, live) or structure.is_collection(node, live)):
        return live  # nothing said of what is in it is no wish to be rid of it
    if structure.is_object(node, live) and isinstance(config, dict):
        return merge(node, live, config)
    if structure.is_collection(node, live) and isinstance(config, list):
        return _merged_list(node, live, config)
    return config


def _merged_list(node: structure.Node, live: Sequence[Any], config: Sequence[Any]) -> list[Any]:
    wanted = {structure.element_of(node, each): each for each in config}
    found: dict[str, list[Any]] = {}
    strangers = []
    for each in live:
        try:
            found.setdefault(structure.element_of(node, each), []).append(each)
        except errors.UnkeyedListError:
            strangers.append(each)
    result = []
    for element in _interleaved(list(found), list(wanted)):
        there = found.get(element, [])
        if element not in wanted:
            result += there
        elif len(there) == 1:
            result.append(_merged(node.inner(), there[0], wanted[element]))
        else:
            result.append(wanted[element])
    return result + strangers


def _interleaved(live: Sequence[str], config: Sequence[str]) -> Iterator[str]:
    """Both without repeats: the order of ``config``, and each other element of ``live`` behind what it stood behind.

    live      config    order
    a b c     c a       b c a        (a is passed over: c is wanted first)
    a b c     a x c     a b x c
    a b       x         a b x
    """
    named, present = set(config), set(live)
    rest = list(live)
    for element in config:
        while rest and rest[0] != element and (element in present or rest[0] not in named):
            passed = rest.pop(0)
            if passed not in named:
                yield passed
        if rest and rest[0] == element:
            rest.pop(0)
        yield element
    yield from (each for each in rest if each not in named)


def remove(
    node: structure.Node,
    value: Mapping[str, Any],
    fields: fieldsets.FieldSet,
    kept: fieldsets.FieldSet = fieldsets.LEAF,
) -> dict[str, Any]:
    """``value`` without the members of ``fields`` and all that is inside them. What is left empty goes as well, but for ``kept``."""
    left: dict[str, Any] = {}
    for name, each in value.items():
        below, stays = fields.get("f:" + name), kept.get("f:" + name)
        if below is None:
            left[name] = each
        elif not fieldsets.is_member(below):
            rest = _without(node.child(name), each, below, stays or fieldsets.LEAF)
            if rest or not each or (stays is not None and fieldsets.is_member(stays)):
                left[name] = rest
    return left


def _without(node: structure.Node, value: Any, fields: fieldsets.FieldSet, kept: fieldsets.FieldSet) -> Any:
    if structure.is_object(node, value):
        return remove(node, value, fields, kept)
    if not structure.is_collection(node, value):
        return value
    rest = []
    for each in value:
        element = _element_in(node, each, fields)
        below = fields[element] if element else None
        if below is None:
            rest.append(each)
        elif not fieldsets.is_member(below):
            rest.append(_without(node.inner(), each, below, kept.get(element) or fieldsets.LEAF))
    return rest


def _element_in(node: structure.Node, value: Any, fields: fieldsets.FieldSet) -> str:
    """The element of ``fields`` that speaks of ``value``; "" when none does."""
    try:
        element = structure.element_of(node, value)
    except errors.UnkeyedListError:
        return ""
    return element if element in fields else ""
