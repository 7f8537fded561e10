"""How many: what ``maxSurge`` and ``maxUnavailable`` come to, and how a change of size is shared among ReplicaSets.

Percentages are of ``spec.replicas``; surge rounds up, unavailable rounds down, so that a rolling update keeps its promise; both zero
could never move, hence one pod may then be unavailable.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin.deployment import revisions
from brickyard.kube.objects import meta

ROLLING_UPDATE = "RollingUpdate"
RECREATE = "Recreate"


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How far a Deployment's pods may stray from ``spec.replicas`` while it rolls, in pods."""

    surge: int
    unavailable: int


def wanted(deployment: resources.Object) -> int:
    """``spec.replicas``, one where it is absent."""
    replicas = deployment["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def strategy(deployment: resources.Object) -> str:
    """``RollingUpdate`` or ``Recreate``."""
    return str((deployment["spec"].get("strategy") or {}).get("type") or ROLLING_UPDATE)


def _pods(value: Any, of: int, *, up: bool) -> int:
    if value is None:
        value = "25%"
    if isinstance(value, str) and value.endswith("%"):
        # Whole-number arithmetic: 0.07 * 100 is 7.000000000000001, which would round up to 8.
        hundredths = int(value[:-1]) * of
        return -(-hundredths // 100) if up else hundredths // 100
    return int(value)


def limits(deployment: resources.Object) -> Limits:
    """The Deployment's limits; none but for a rolling update."""
    if strategy(deployment) != ROLLING_UPDATE:
        return Limits(surge=0, unavailable=0)
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    goal = wanted(deployment)
    surge = _pods(rolling.get("maxSurge"), goal, up=True)
    unavailable = _pods(rolling.get("maxUnavailable"), goal, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(surge=surge, unavailable=min(unavailable, goal))


def specified(replica_set: resources.Object) -> int:
    """A ReplicaSet's ``spec.replicas``."""
    return wanted(replica_set)


def available(replica_set: resources.Object) -> int:
    """Pods of a ReplicaSet that are available and stay.

    A ReplicaSet that was just told to shrink still reports the pods it is about to delete; those are not counted.
    """
    reported = int((replica_set.get("status") or {}).get("availableReplicas") or 0)
    return min(reported, specified(replica_set))


def total(replica_sets: Sequence[resources.Object]) -> int:
    """The sum of their ``spec.replicas``."""
    return sum(map(specified, replica_sets))


def new_size(deployment: resources.Object, new: resources.Object | None, every: Sequence[resources.Object]) -> int:
    """What the newest ReplicaSet may grow (or must shrink) to now. ``every`` holds all ReplicaSets, ``new`` among them."""
    current = 0 if new is None else specified(new)
    goal = wanted(deployment)
    if strategy(deployment) == RECREATE or current > goal:
        return goal
    room = goal + limits(deployment).surge - total(every)
    return current + max(0, min(room, goal - current))


def _fair_share(replica_set: resources.Object, deployment: resources.Object) -> int:
    """How many pods the ReplicaSet should gain (or lose, negative) to keep its part of the whole."""
    size = specified(replica_set)
    goal = wanted(deployment)
    if goal == 0:
        return -size
    before = revisions.max_replicas(replica_set) or int((deployment.get("status") or {}).get("replicas") or 0)
    if before <= 0:
        return 0
    # Half away from zero, as Kubernetes rounds; Python's round() goes to the even number.
    return math.floor(size * (goal + limits(deployment).surge) / before + 0.5) - size


def proportional(
    deployment: resources.Object, active: Sequence[resources.Object]
) -> list[tuple[resources.Object, int]]:
    """Share a change of ``spec.replicas`` among the ReplicaSets of a half-done rollout, in proportion to their sizes.

    Returns each with its new size, the one that takes what is left over first: the biggest, among equals the newest when growing and
    the oldest when shrinking.
    """
    goal = wanted(deployment)
    allowed = goal + limits(deployment).surge if goal > 0 else 0
    to_add = allowed - total(active)
    by_age = revisions.by_age(active)
    if to_add > 0:
        by_age.reverse()
    ranked = sorted(by_age, key=specified, reverse=True)
    sizes: list[int] = []
    added = 0
    for each in ranked:
        share = 0
        if specified(each) and to_add != added:
            share = _fair_share(each, deployment)
            share = min(share, to_add - added) if to_add > 0 else max(share, to_add - added)
        sizes.append(specified(each) + share)
        added += share
    left_over = to_add - added
    for index, size in enumerate(sizes):
        # Growth goes to the first whole; a loss that is more than the first has goes on to the next.
        sizes[index] = max(0, size + left_over)
        left_over -= sizes[index] - size
    return list(zip(ranked, sizes, strict=True))


def shrink_old(
    deployment: resources.Object, new: resources.Object, old: Sequence[resources.Object]
) -> list[tuple[resources.Object, int]]:
    """New sizes of the old ReplicaSets that may shrink now: pods that are not available go first, then those of the oldest.

    Pods of ``new`` that are not available yet are kept in reserve: their number of old pods stays, whatever those are.
    """
    floor = wanted(deployment) - limits(deployment).unavailable
    waiting = specified(new) - available(new)
    spare = total(old) + specified(new) - floor - waiting
    if spare <= 0:
        return []
    kept = {meta.uid(each): specified(each) for each in old}
    ordered = revisions.by_age(old)
    for each in ordered:
        drop = min(spare, specified(each) - available(each))
        kept[meta.uid(each)] -= drop
        spare -= drop
    surplus = sum(map(available, (*old, new))) - floor
    for each in ordered:
        drop = max(0, min(surplus, available(each), kept[meta.uid(each)]))
        kept[meta.uid(each)] -= drop
        surplus -= drop
    return [(each, kept[meta.uid(each)]) for each in ordered if kept[meta.uid(each)] != specified(each)]
