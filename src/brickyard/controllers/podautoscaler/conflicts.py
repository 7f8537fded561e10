"""Who may scale a target that several want. Pure.

The oldest autoscaler wins, then the first by name: the same after every restart. Autoscalers of two roles of one StormService agree; one
of a role and one of the whole service do not, nor do two that scale the number of role sets by different roles. A
HorizontalPodAutoscaler that somebody else made has what it names: two that scale one thing undo each other's work, and ours is the one
that can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from brickyard.api.kinds import resources
from brickyard.controllers.podautoscaler import targets
from brickyard.kube.objects import meta, owners

BY_TARGET: Final = "target"
"""Index of autoscalers of both sorts: the identity of what they scale."""
Valid = Callable[[resources.Object], bool]


def indexer(autoscaler: resources.Object) -> Iterator[str]:
    """Files an autoscaler, or a HorizontalPodAutoscaler, under its target."""
    yield targets.reference(autoscaler).identity


def winner_over(
    autoscaler: resources.Object, sharing: Sequence[resources.Object], valid: Valid
) -> resources.Object | None:
    """Which of ``sharing``, all of one target, keeps ``autoscaler`` from it; None when nothing does.

    Those that are being deleted or fail ``valid`` claim nothing; neither does one that itself has to stand back.
    """
    claimed: list[resources.Object] = []
    for each in sorted((each for each in sharing if not meta.is_deleting(each)), key=_age):
        itself = meta.uid(each) == meta.uid(autoscaler)
        rival = next((other for other in claimed if _clash(other, each)), None)
        if itself:
            return rival
        if rival is None and valid(each):
            claimed.append(each)
    return None


def foreign(autoscaler: resources.Object, found: Iterable[resources.Object]) -> resources.Object | None:
    """The HorizontalPodAutoscaler of ``found``, all of one target, that no PodAutoscaler made; None when there is none."""
    for each in found:
        owner = owners.controller_of(each)
        ours = owner is not None and owner.get("kind") == resources.POD_AUTOSCALER.kind
        if not ours and not meta.is_deleting(each) and meta.namespace(each) == meta.namespace(autoscaler):
            return each
    return None


def _age(autoscaler: resources.Object) -> tuple[str, str]:
    return str(meta.metadata(autoscaler).get("creationTimestamp") or ""), meta.name(autoscaler)


def _clash(one: resources.Object, other: resources.Object) -> bool:
    left, right = targets.reference(one), targets.reference(other)
    return not (left.role_alone and right.role_alone) or left.role == right.role
