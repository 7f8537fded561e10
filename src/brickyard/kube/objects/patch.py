"""Patches that need no knowledge of the kind: JSON merge patch (RFC 7386) and JSON patch (RFC 6902).

Strategic merge, which does need it, is in ``strategic``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import jsonpatch
import jsonpointer
import orjson

from brickyard.kube.objects import equality, errors

# Kubernetes' own bounds: a patch of a few kilobytes must not cost megabytes.
MAX_OPERATIONS = 10_000
MAX_COPIED_BYTES = 3 * 1024 * 1024


def merge_patch(target: Any, patch: Any) -> Any:
    """``target`` with ``patch`` merged in: objects key by key, null removes, anything else replaces.

    Neither argument is changed; unchanged parts are shared with ``target``.
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def merge_patch_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest merge patch that turns ``old`` into ``new``; ``{}`` when they are equal.

    A null inside ``new`` cannot be expressed by a merge patch: it reads as "remove".
    """
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := merge_patch_between(before, value):
                patch[key] = inner
        elif key not in old or not equality.identical(before, value):
            patch[key] = value
    return patch


def json_patch_between(old: Any, new: Any, at: str = "") -> list[dict[str, Any]]:
    """JSON patch operations that turn ``old`` into ``new``; none when they are equal.

    Lists are compared from both ends, so that one element put in front is one ``add``. ``at`` is a JSON pointer to both.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _between_objects(old, new, at)
    if isinstance(old, list) and isinstance(new, list):
        return _between_lists(old, new, at)
    return [] if equality.scalars_equal(old, new) else [{"op": "replace", "path": at, "value": new}]


def _between_objects(old: Mapping[str, Any], new: Mapping[str, Any], at: str) -> list[dict[str, Any]]:
    gone = sorted(key for key in old if key not in new)
    operations: list[dict[str, Any]] = [{"op": "remove", "path": f"{at}/{jsonpointer.escape(key)}"} for key in gone]
    for key, value in new.items():
        path = f"{at}/{jsonpointer.escape(key)}"
        if key in old:
            operations += json_patch_between(old[key], value, path)
        else:
            operations.append({"op": "add", "path": path, "value": value})
    return operations


def _between_lists(old: list[Any], new: list[Any], at: str) -> list[dict[str, Any]]:
    shorter = min(len(old), len(new))
    head = next((index for index in range(shorter) if not equality.identical(old[index], new[index])), shorter)
    tail = next(
        (index for index in range(shorter - head) if not equality.identical(old[-1 - index], new[-1 - index])), None
    )
    tail = shorter - head if tail is None else tail
    before, after = old[head : len(old) - tail], new[head : len(new) - tail]
    both = min(len(before), len(after))
    operations: list[dict[str, Any]] = []
    for index in range(both):
        operations += json_patch_between(before[index], after[index], f"{at}/{head + index}")
    # What is removed goes from the end, so that the places of the rest stay what they are.
    operations += [{"op": "remove", "path": f"{at}/{head + index}"} for index in range(len(before) - 1, both - 1, -1)]
    for index in range(both, len(after)):
        operations.append({"op": "add", "path": f"{at}/{head + index}", "value": after[index]})
    return operations


def json_patch(target: Any, operations: Any) -> Any:
    """``target`` after ``operations``, a list of RFC 6902 operations as decoded JSON. Neither argument is changed.

    Raises:
        MalformedPatchError: this is no list of operations, or there are more than ``MAX_OPERATIONS``.
        PatchConflictError: a ``test`` failed, a path does not exist, or ``copy`` operations multiply the object beyond
            ``MAX_COPIED_BYTES``.
    """
    if not isinstance(operations, list):
        raise errors.MalformedPatchError("a JSON patch is a list of operations")
    if len(operations) > MAX_OPERATIONS:
        raise errors.MalformedPatchError(
            f"the patch has {len(operations)} operations, the limit is {MAX_OPERATIONS}: send several patches"
        )
    steps = [_operation(each) for each in operations]
    document, copied = copy.deepcopy(target), 0
    for raw, step in zip(operations, steps, strict=True):
        if raw["op"] == "copy":
            copied += _copied_size(document, raw)
            if copied > MAX_COPIED_BYTES:
                raise errors.PatchConflictError(f"copy operations of the patch add more than {MAX_COPIED_BYTES} bytes")
        document = _apply(document, step, raw)
    return document


def _operation(raw: Any) -> Any:
    if not isinstance(raw, Mapping):
        raise errors.MalformedPatchError(f"an operation of a JSON patch is an object, not {raw!r}")
    try:
        return jsonpatch.JsonPatch([raw])
    except (jsonpatch.InvalidJsonPatch, jsonpointer.JsonPointerException) as error:
        raise errors.MalformedPatchError(str(error)) from error


def _copied_size(document: Any, raw: Mapping[str, Any]) -> int:
    try:
        return len(orjson.dumps(jsonpointer.resolve_pointer(document, str(raw.get("from")))))
    except jsonpointer.JsonPointerException:
        return 0  # there is nothing to copy; the operation itself says so better


def _apply(document: Any, step: Any, raw: Mapping[str, Any]) -> Any:
    try:
        return step.apply(document, in_place=True)
    except jsonpatch.InvalidJsonPatch as error:
        raise errors.MalformedPatchError(str(error)) from error
    except jsonpatch.JsonPatchTestFailed as error:
        raise errors.PatchConflictError(f"testing path {raw.get('path')!r} failed") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise errors.PatchConflictError(f"{raw.get('op')} operation does not apply: {error}") from error
