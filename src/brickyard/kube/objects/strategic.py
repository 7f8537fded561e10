"""Strategic merge patch: merge patch that knows which lists are sets of named things.

What ``kubectl apply``, ``edit``, ``set`` and ``scale`` send for built-in kinds. Beside plain values a patch may hold directives:

    $patch: replace | delete                in an object: take it whole, empty it;
                                            in a list element: replace the list by the others, delete the element
    $deleteFromPrimitiveList/F: [v, …]      remove these scalars from list F
    $setElementOrder/F: [k, …]              the order that list F shall have; elements unknown to the patch keep their place
    $retainKeys: [k, …]                     in an object: remove every key that is not named (for unions)

The rules follow Kubernetes' own implementation, including the order of merged lists: elements named by the patch stand in the
patch's order, the rest is woven in where the live list had it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.kube.objects import errors, mergekeys

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_PREFIX = "$deleteFromPrimitiveList/"
_ORDER_PREFIX = "$setElementOrder/"

_PLAIN = mergekeys.Field()


def strategic_merge(target: Mapping[str, Any], patch: Any, api_version: str, kind: str) -> dict[str, Any]:
    """``target`` with ``patch`` merged in. Neither argument is changed or shared with the answer.

    Raises:
        UnsupportedPatchError: the kind has no merge keys; custom resources take a merge patch instead.
        MalformedPatchError: a directive is not what it should be.
        PatchConflictError: an element of a merged list lacks its key.
    """
    struct = mergekeys.KINDS.get((api_version, kind))
    if struct is None:
        raise errors.UnsupportedPatchError(
            f"{kind} ({api_version}) has no strategic merge: send application/merge-patch+json",
            hint="kubectl patch --type=merge",
        )
    if not isinstance(patch, Mapping):
        raise errors.MalformedPatchError("a strategic merge patch is an object")
    merged: dict[str, Any] = copy.deepcopy(dict(target))
    return _merge_map(merged, copy.deepcopy(dict(patch)), struct)


def _merge_map(original: dict[str, Any], patch: dict[str, Any], struct: mergekeys.Struct) -> dict[str, Any]:
    """Both arguments are ours to change."""
    if _PATCH in patch:
        directive = patch.pop(_PATCH)
        if directive == "replace":
            return _plain_map(patch)
        if directive == "delete":
            return {}
        raise errors.MalformedPatchError(f"{_PATCH}: {directive!r} is not known: write replace or delete")
    _retain(original, patch)
    for name in [key for key in patch if key.startswith(_ORDER_PREFIX)]:
        _merge_ordered(original, patch, name.removeprefix(_ORDER_PREFIX), struct)
    removals = {key: patch.pop(key) for key in list(patch) if key.startswith(_DELETE_PREFIX)}
    for name, value in patch.items():
        _merge_value(original, name, value, struct.get(name, _PLAIN))
    for name, values in removals.items():
        _delete_scalars(original, name.removeprefix(_DELETE_PREFIX), values)
    return original


def _merge_value(original: dict[str, Any], name: str, value: Any, field: mergekeys.Field) -> None:
    before = original.get(name)
    if value is None:
        original.pop(name, None)
    elif isinstance(before, dict) and isinstance(value, dict):
        original[name] = _merge_map(before, value, _struct(field))
    elif field.merge and isinstance(before, list) and isinstance(value, list):
        original[name] = _merge_list(before, value, field)
    elif _is_directed(value):
        original.pop(
            name, None
        )  # a directive about an object that is not there: Kubernetes leaves it out, content and all
    else:
        original[name] = _without_directives(value)


def _struct(field: mergekeys.Field) -> mergekeys.Struct:
    return mergekeys.STRUCTS[field.struct] if field.struct else {}


def _retain(original: dict[str, Any], patch: dict[str, Any]) -> None:
    if _RETAIN not in patch:
        return
    kept = patch.pop(_RETAIN)
    if not isinstance(kept, list):
        raise errors.MalformedPatchError(f"{_RETAIN} is a list of keys, not {kept!r}")
    stray = [key for key, value in patch.items() if value is not None and not key.startswith("$") and key not in kept]
    if stray:
        raise errors.MalformedPatchError(
            f"{_RETAIN} must name every key that the patch sets; {', '.join(stray)} is missing"
        )
    for key in [key for key in original if key not in kept]:
        del original[key]


def _delete_scalars(original: dict[str, Any], name: str, values: Any) -> None:
    if not isinstance(values, list):
        raise errors.MalformedPatchError(f"{_DELETE_PREFIX}{name} is a list of values, not {values!r}")
    before = original.get(name)
    if isinstance(before, list):
        original[name] = [each for each in before if each not in values]


def _merge_ordered(original: dict[str, Any], patch: dict[str, Any], name: str, struct: mergekeys.Struct) -> None:
    """Apply ``$setElementOrder/<name>`` together with the list it orders; both leave the patch."""
    order = patch.pop(_ORDER_PREFIX + name)
    if not isinstance(order, list):
        raise errors.MalformedPatchError(f"{_ORDER_PREFIX}{name} is a list, not {order!r}")
    field = struct.get(name, _PLAIN)
    removed = patch.pop(_DELETE_PREFIX + name, None)
    before = original.get(name)
    live = list(before) if isinstance(before, list) else []
    _check_order(patch.get(name), order, name, field.key)
    if name in patch:
        _merge_value(original, name, patch.pop(name), field)
    if removed is not None:
        _delete_scalars(original, name, removed)
    merged = original.get(name)
    if isinstance(merged, list):
        original[name] = _ordered(merged, order, live, field.key)


def _check_order(elements: Any, order: list[Any], name: str, key: str) -> None:
    """What a patch adds or changes must stand in the order that it asks for: else the two contradict each other."""
    if not isinstance(elements, list) or not elements or not order:
        return
    asked = iter([_key_of(each, key) for each in order])
    for element in elements:
        if not _is_directed(element) and _key_of(element, key) not in asked:  # consumes what it passes
            raise errors.MalformedPatchError(f"the order of {name} in the patch does not match {_ORDER_PREFIX}{name}")


def _merge_list(original: list[Any], patch: list[Any], field: mergekeys.Field) -> list[Any]:
    if not field.key:
        merged = list(original)
        merged += [each for index, each in enumerate(patch) if each not in original and each not in patch[:index]]
        return _ordered(merged, patch, original, "")
    elements, kept, replaced = _directed(patch, original, field.key)
    if replaced:
        return [_without_directives(each) for each in elements]
    merged = list(kept)
    for element in elements:
        index = _find(merged, element, field.key)
        if index is None:
            merged.append(_without_directives(element))
        else:
            merged[index] = _merge_map(merged[index], dict(element), _struct(field))
    return _ordered(merged, elements, kept, field.key)


def _directed(patch: list[Any], original: list[Any], key: str) -> tuple[list[dict[str, Any]], list[Any], bool]:
    """The patch's plain elements, what is left of the original, and whether the list is to be replaced."""
    plain, kept, replaced = [], original, False
    for element in patch:
        if not isinstance(element, dict):
            raise errors.MalformedPatchError(f"an element of a list merged by {key} is an object, not {element!r}")
        match element.get(_PATCH):
            case "replace":
                replaced = True
            case "delete":
                identity = _identity(element, key)
                kept = [each for each in kept if not (isinstance(each, dict) and each.get(key) == identity)]
            case None:
                _identity(element, key)
                plain.append(element)
            case other:
                raise errors.MalformedPatchError(f"{_PATCH}: {other!r} is not known in a list: write replace or delete")
    return plain, kept, replaced


def _identity(element: Mapping[str, Any], key: str) -> Any:
    if key not in element:
        raise errors.PatchConflictError(f"map: {dict(element)!r} does not contain declared merge key: {key}")
    return element[key]


def _find(elements: Sequence[Any], wanted: Any, key: str) -> int | None:
    """Where in ``elements`` the one stands that is, or has the key of, ``wanted``."""
    identity = _key_of(wanted, key)
    return next((index for index, each in enumerate(elements) if _key_of(each, key) == identity), None)


def _key_of(element: Any, key: str) -> Any:
    return element.get(key) if key and isinstance(element, Mapping) else element


def _ordered(merged: list[Any], order: Sequence[Any], live: Sequence[Any], key: str) -> list[Any]:
    """``merged`` sorted: what ``order`` names by ``order``, the rest woven in by its place in ``live``."""
    places = {id(each): _find(order, each, key) for each in merged}
    named = sorted((each for each in merged if places[id(each)] is not None), key=lambda each: places[id(each)] or 0)
    others = [each for each in merged if places[id(each)] is None]
    result: list[Any] = []
    while named and others:
        left, right = _find(live, others[0], key), _find(live, named[0], key)
        first = others if left is not None and right is not None and left < right else named
        result.append(first.pop(0))
    return result + named + others


def _is_directed(value: Any) -> bool:
    return isinstance(value, Mapping) and _PATCH in value


def _plain_map(value: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: each for key, each in value.items() if not key.startswith("$") and each is not None}
    return {key: _without_directives(each) for key, each in plain.items() if not _is_directed(each)}


def _without_directives(value: Any) -> Any:
    """A value taken from a patch as it is: directives have done their work, nulls and deletions have nothing to remove."""
    if isinstance(value, Mapping):
        return _plain_map(value)
    if isinstance(value, list):
        return [_without_directives(each) for each in value if not _is_directed(each)]
    return value
