"""Whose object is it: which of the candidates an owner has, takes in, or lets go.

Decided here (pure), applied by ``ownership``. The rows are tried from the top:

    controller    | matches selector | owner or object    | outcome
                  |                  | being deleted      |
    --------------|------------------|--------------------|--------
    somebody else | any              | any                | ignored
    the owner     | yes              | any                | owned
    the owner     | no               | owner              | ignored
    the owner     | no               | owner lives on     | released
    none          | no               | any                | ignored
    none          | yes              | either             | ignored
    none          | yes              | neither            | adopted
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable

from brickyard.api.kinds import resources
from brickyard.kube.objects import meta, owners, selectors


class Outcome(enum.Enum):
    """What becomes of one candidate."""

    IGNORED = "ignored"
    OWNED = "owned"
    RELEASED = "released"
    ADOPTED = "adopted"


@dataclasses.dataclass(frozen=True, slots=True)
class Claims:
    """Candidates by outcome, each in the order they came in; ignored ones are left out."""

    owned: tuple[resources.Object, ...] = ()
    adopt: tuple[resources.Object, ...] = ()
    release: tuple[resources.Object, ...] = ()

    @property
    def settled(self) -> bool:
        """Nothing has to be written."""
        return not self.adopt and not self.release

    @property
    def all_owned(self) -> tuple[resources.Object, ...]:
        """What the owner has once the claims are applied."""
        return self.owned + self.adopt


def outcome(owner: resources.Object, matches: bool, candidate: resources.Object) -> Outcome:
    """One row of the table above."""
    owner_leaves = meta.is_deleting(owner)
    controller = owners.controller_of(candidate)
    if controller is not None:
        if controller["uid"] != meta.uid(owner):
            return Outcome.IGNORED
        if matches:
            return Outcome.OWNED
        return Outcome.IGNORED if owner_leaves else Outcome.RELEASED
    if not matches or owner_leaves or meta.is_deleting(candidate):
        return Outcome.IGNORED
    return Outcome.ADOPTED


def claim(owner: resources.Object, selector: selectors.LabelSelector, candidates: Iterable[resources.Object]) -> Claims:
    """Sort ``candidates`` (all of the owner's namespace) by outcome."""
    found: dict[Outcome, list[resources.Object]] = {each: [] for each in Outcome}
    for candidate in candidates:
        matches = selector.matches(meta.labels(candidate))
        found[outcome(owner, matches, candidate)].append(candidate)
    return Claims(
        owned=tuple(found[Outcome.OWNED]),
        adopt=tuple(found[Outcome.ADOPTED]),
        release=tuple(found[Outcome.RELEASED]),
    )
