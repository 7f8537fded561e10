"""Who owns whom, and what an owner's end means for what it owns. Pure.

owner reference points at                  the reference is
an object that lives, same uid             solid
… that waits for its dependents to go      waiting   (it is going, and holds the finalizer foregroundDeletion)
nothing, or another life of the name       dangling
a kind that is not served                  solid     (nobody can tell)

solid   dangling or waiting   verdict
some    none                  leave it
some    some                  drop the other references
none    some, any waiting     delete it, in the foreground when it has dependents of its own
none    dangling only         delete it, keeping the policy that its own finalizers ask for
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Sequence

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import deletion, records


class Tie(enum.Enum):
    """What an owner reference points at."""

    SOLID = "solid"
    WAITING = "waiting"
    DANGLING = "dangling"


class Verdict(enum.Enum):
    """What to do with a dependent."""

    LEAVE = "leave"
    UNTIE = "untie"
    DELETE = "delete"


@dataclasses.dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict; ``uids`` are the references to drop (UNTIE), ``policy`` is how to delete (DELETE)."""

    verdict: Verdict
    uids: frozenset[str] = frozenset()
    policy: deletion.Policy = "Background"


def tie(owner: records.Record | None, dependent: records.Record, *, known: bool) -> Tie:
    """What a reference of ``dependent`` is; ``owner`` is the living object of its uid, ``known`` whether we would know it."""
    if not known:
        return Tie.SOLID
    # An owner lives in the same namespace or in none.
    if owner is None or owner.key.namespace not in ("", dependent.key.namespace):
        return Tie.DANGLING
    if owner.deleting and deletion.FOREGROUND in owner.finalizers:
        return Tie.WAITING
    return Tie.SOLID


def rule(dependent: records.Record, ties: Sequence[tuple[str, Tie]], *, has_dependents: bool) -> Ruling:
    """The verdict on ``dependent``, given (uid, tie) of each of its references."""
    if not ties or all(each is Tie.SOLID for _, each in ties):
        return Ruling(Verdict.LEAVE)
    if any(each is Tie.SOLID for _, each in ties):
        return Ruling(Verdict.UNTIE, frozenset(uid for uid, each in ties if each is not Tie.SOLID))
    if any(each is Tie.WAITING for _, each in ties):
        return Ruling(Verdict.DELETE, policy="Foreground" if has_dependents else "Background")
    if deletion.ORPHAN in dependent.finalizers:
        return Ruling(Verdict.DELETE, policy="Orphan")
    return Ruling(Verdict.DELETE, policy="Foreground" if deletion.FOREGROUND in dependent.finalizers else "Background")


def untied(uids: frozenset[str]) -> Callable[[resources.Object], None]:
    """What drops the references to ``uids`` from an object."""

    def mutate(obj: resources.Object) -> None:
        kept = [each for each in obj["metadata"].get("ownerReferences") or () if each.get("uid") not in uids]
        if kept:
            obj["metadata"]["ownerReferences"] = kept
        else:
            obj["metadata"].pop("ownerReferences", None)

    return mutate


def without_finalizer(name: str) -> Callable[[resources.Object], None]:
    """What drops a finalizer from an object."""

    def mutate(obj: resources.Object) -> None:
        kept = [each for each in obj["metadata"].get("finalizers") or () if each != name]
        if kept:
            obj["metadata"]["finalizers"] = kept
        else:
            obj["metadata"].pop("finalizers", None)

    return mutate
