"""Conditions: lists of ``{type, status, reason, message, lastTransitionTime}`` with one entry per type."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """What is to be said. ``status`` is ``True``, ``False`` or ``Unknown``; empty texts and None are left out."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    observed_generation: int | None = None


def find(conditions: Sequence[Mapping[str, Any]] | None, kind: str) -> Mapping[str, Any] | None:
    """The condition of type ``kind``, or None."""
    return next((each for each in conditions or () if each.get("type") == kind), None)


def is_true(conditions: Sequence[Mapping[str, Any]] | None, kind: str) -> bool:
    """Whether the condition of type ``kind`` is there and its status is ``True``."""
    found = find(conditions, kind)
    return found is not None and found.get("status") == "True"


def failing(conditions: Sequence[Mapping[str, Any]] | None, kind: str) -> Mapping[str, Any] | None:
    """The condition of type ``kind`` where its status is ``False``, else None."""
    found = find(conditions, kind)
    return found if found is not None and found.get("status") == "False" else None


def set_condition(
    conditions: Sequence[Mapping[str, Any]] | None, condition: Condition, now: str
) -> list[resources.Object]:
    """A new list in which ``condition`` replaces the one of its type, at its place, or stands at the end.

    ``lastTransitionTime`` becomes ``now`` (RFC 3339) only when the status is another one than before. Fields of the old entry that
    are not spoken of here, such as ``lastProbeTime``, survive.
    """
    result = [dict(each) for each in conditions or ()]
    for index, old in enumerate(result):
        if old.get("type") == condition.type:
            result[index] = _merged(old, condition, now)
            return result
    return [*result, _merged({}, condition, now)]


def upsert(conditions: Sequence[Mapping[str, Any]] | None, condition: Condition, now: str) -> list[resources.Object]:
    """As ``set_condition``, but a condition whose status and reason stay keeps its words too.

    For messages that count or name what changes from pass to pass: they would make every pass a write.
    """
    old = find(conditions, condition.type)
    if old is not None and (old.get("status"), old.get("reason") or "") == (condition.status, condition.reason):
        return [dict(each) for each in conditions or ()]
    return set_condition(conditions, condition, now)


def remove(conditions: Sequence[Mapping[str, Any]] | None, kind: str) -> list[resources.Object]:
    """A new list without the condition of type ``kind``."""
    return [dict(each) for each in conditions or () if each.get("type") != kind]


def _merged(old: Mapping[str, Any], condition: Condition, now: str) -> resources.Object:
    changed = old.get("status") != condition.status or not old.get("lastTransitionTime")
    spoken = {
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": condition.observed_generation,
    }
    kept = {key: value for key, value in old.items() if key not in spoken}
    said = {key: value for key, value in spoken.items() if value not in ("", None)}
    since = now if changed else old["lastTransitionTime"]
    return {**kept, "type": condition.type, "status": condition.status, "lastTransitionTime": since, **said}
