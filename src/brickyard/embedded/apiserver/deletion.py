"""What a request to delete comes to: at once, after a grace period, or when finalizers let go. Pure.

    what holds the object                  first request                          again
    nothing                                removed                                removed
    grace period (pods on a node)          deletionTimestamp = now + grace        shorter grace: moved forward; else nothing
    grace 0 asked                          removed                                removed
    finalizers, or a full namespace        deletionTimestamp = now, grace 0       nothing; the policy's finalizers may change

An update that takes the last finalizer from an object whose grace is over removes it (``released``).
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Literal

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import strategies
from brickyard.lib import timestamps

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"

Policy = Literal["", "Background", "Foreground", "Orphan"]


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What the client asked. ``grace`` None and ``policy`` "" mean the kind's own; "" as uid or revision means any."""

    grace: int | None = None
    policy: Policy = ""
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Remove:
    """The object goes now; ``final`` is its last state."""

    final: resources.Object


@dataclasses.dataclass(frozen=True, slots=True)
class Keep:
    """The object stays for now, as ``obj``; ``changed`` says whether that differs from what is stored."""

    obj: resources.Object
    changed: bool


def plan(obj: resources.Object, strategy: strategies.Strategy, options: Options, now: float) -> Remove | Keep:
    """What to do with ``obj`` (not changed). Preconditions are the caller's."""
    metadata: dict[str, Any] = dict(obj["metadata"])
    draft = {**obj, "metadata": metadata}
    finalizers = _finalizers(metadata.get("finalizers") or [], options.policy)
    rewritten = finalizers != (metadata.get("finalizers") or [])
    _set_or_drop(metadata, "finalizers", finalizers)
    grace = strategy.grace(obj, options.grace)
    if grace > 0:
        started = _begin(draft, strategy, grace, now)
        return Keep(draft, changed=started or rewritten)
    if not finalizers and not strategy.held(obj):
        return Remove(draft)
    first = _begin(draft, strategy, 0, now)
    return Keep(draft, changed=first or rewritten)


def released(obj: resources.Object, strategy: strategies.Strategy) -> bool:
    """Whether nothing holds an object any more that was asked to go."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers") or strategy.held(obj):
        return False
    return not metadata.get("deletionGracePeriodSeconds")


def _finalizers(found: list[str], policy: Policy) -> list[str]:
    """The garbage collector's own finalizers follow the policy; others are the business of whoever set them."""
    if not policy:
        return found
    kept = [each for each in found if each not in (FOREGROUND, ORPHAN)]
    wanted = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(policy)
    if wanted is None:
        return kept
    return found if wanted in found and len(kept) + 1 == len(found) else [*kept, wanted]


def _begin(draft: resources.Object, strategy: strategies.Strategy, grace: int, now: float) -> bool:
    """Mark the draft as going in ``grace`` seconds unless it goes as soon already. Whether that changed anything."""
    metadata = draft["metadata"]
    before = metadata.get("deletionTimestamp")
    if before and (metadata.get("deletionGracePeriodSeconds") or 0) <= grace:
        return False
    metadata["deletionGracePeriodSeconds"] = grace
    if before is None:
        metadata["deletionTimestamp"] = timestamps.rfc3339(now + grace)
        if metadata.get("generation"):
            metadata["generation"] += 1
        strategy.doomed(draft, now)
    else:
        # What was promised for later comes earlier, never the other way round.
        earlier = min(timestamps.parse_rfc3339(before), now + grace)
        metadata["deletionTimestamp"] = timestamps.rfc3339(earlier)
    return True


def _set_or_drop(metadata: dict[str, Any], key: str, value: list[str]) -> None:
    if value:
        metadata[key] = value
    else:
        metadata.pop(key, None)
