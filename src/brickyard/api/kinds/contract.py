"""What a kind's own rules are to those who ask: the embedded API server, the admission webhook and the reconciler.

One pure object per kind answers all three, so that a manifest means the same on one machine, behind a webhook, and where the
webhook was down. The order is that of an API server: ``convert`` on what the client sent, before unknown fields are pruned;
``default`` after the schema's own defaults; ``validate`` last, beside the schema's validation.

Rules never trust shapes: behind a webhook that failed, a ``spec`` may be missing, null or hold a value of another type. Types are the
schema's to refuse, and rules pass over wrong ones in silence. What else the schema says they may say again, since a reconciler asks
them alone; where both are asked, ``faults.beyond`` keeps a field from being complained of twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from brickyard.api.kinds import faults, resources


@dataclasses.dataclass(frozen=True, slots=True)
class Converted:
    """An object in today's form. ``warnings`` say, one per legacy form found, what it was taken for and what to write instead."""

    obj: resources.Object
    warnings: Sequence[str] = ()


class KindRules(Protocol):
    """The rules of one kind. Pure: arguments are not changed; what is returned may share parts with them."""

    def convert(self, obj: resources.Object) -> Converted:
        """``obj`` with the fields of today filled from legacy forms. Legacy keys stay; a field of today that was given wins."""
        ...

    def default(self, obj: resources.Object) -> resources.Object:
        """``obj`` with what the schema cannot default: annotations, an injected sidecar. Doing it twice changes nothing."""
        ...

    def validate(self, obj: resources.Object, old: resources.Object | None) -> faults.Errors:
        """Everything wrong with ``obj`` beyond its schema; ``old`` is None on create."""
        ...


class NoRules:
    """Fills ``KindRules`` for a kind whose schema says everything; also the base of those that differ in one point."""

    def convert(self, obj: resources.Object) -> Converted:
        return Converted(obj)

    def default(self, obj: resources.Object) -> resources.Object:
        return obj

    def validate(self, obj: resources.Object, old: resources.Object | None) -> faults.Errors:
        del obj, old
        yield from ()
