"""What is kept of each autoscaler between two passes, and nothing longer than the autoscaler lives.

A card belongs to one life of one autoscaler (its uid). What was measured belongs to one life of one target as well: an autoscaler that is
given another target, or whose target was made anew, begins to observe afresh.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.controllers import errors
from brickyard.controllers.podautoscaler import events, history, status, targets, timing, validity
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import recorder
from brickyard.scaling import contract, decide, settings


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What an autoscaler's spec and annotations say.

    Attributes:
        today: the autoscaler in today's form.
        fault: why it cannot be worked with; None when it can.
        settings: None where there is a fault.
        problems: settings that are not used.
        wanted: what it scales.
    """

    today: resources.Object
    fault: validity.Fault | None
    settings: contract.Settings | None
    problems: tuple[contract.Problem, ...]
    wanted: targets.Reference


@dataclasses.dataclass(slots=True)
class Card:
    """One autoscaler.

    Attributes:
        memory: what ``decide`` remembers.
        history: of the last hours.
        made: the last recommendation; None before the first.
        settings: that it was made with.
        status: as last written; None before.
        written_at: Unix time of that.
        asked: the HorizontalPodAutoscaler as last written.
        target: identity and uid of what was observed.
        known: replicas of the target as last seen, or as ordered since; None before it was seen, or when it is not there.
        step: the last change that was ordered, in this life or the one before; None where there was none.
        waits: Unix time until which the next one waits; None where none does.
    """

    teller: events.Teller
    memory: decide.Memory = dataclasses.field(default_factory=decide.Memory)
    history: history.History = dataclasses.field(default_factory=history.History)
    made: contract.Recommendation | None = None
    settings: contract.Settings | None = None
    status: Mapping[str, Any] | None = None
    written_at: float = 0.0
    asked: resources.Object | None = None
    target: tuple[str, str] = ("", "")
    known: int | None = None
    step: timing.Step | None = None
    waits: float | None = None
    _source: tuple[Any, Mapping[str, str]] = (None, {})
    _reading: Reading | None = None

    def read(self, autoscaler: resources.Object) -> Reading:
        """What ``autoscaler`` says, worked out again only when it says something else."""
        source = (autoscaler.get("spec"), meta.annotations(autoscaler))
        if self._reading is None or self._source != source:
            self._source, self._reading = source, read(autoscaler)
        return self._reading

    def meet(self, wanted: targets.Reference, size: targets.Size) -> None:
        """The target is ``size`` now: what was observed of another one is forgotten."""
        target = (f"{wanted.identity}/{wanted.role}", size.uid)
        if target != self.target:
            if any(self.target):
                self.step = None
            self.target = target
            self.memory = decide.Memory()
        self.known = size.replicas

    def expects(self, autoscaler: resources.Object, found: resources.Object | None) -> bool:
        """Whether ``found``, None when it is gone, is the target as this autoscaler knows it already."""
        if found is None:
            return self.known is None
        wanted = self.read(autoscaler).wanted
        try:
            size = targets.size(wanted, found)
        except errors.TargetError:
            return False
        return (size.uid, size.replicas) == (self.target[1], self.known)


@dataclasses.dataclass(frozen=True, slots=True)
class Pass:
    """One look at an autoscaler that can be worked with.

    Attributes:
        autoscaler: as it is stored.
        today: the same in today's form.
        wanted: what it scales.
        start: what is known already.
    """

    autoscaler: resources.Object
    card: Card
    today: resources.Object
    wanted: targets.Reference
    settings: contract.Settings
    start: status.Finding
    bounds: status.Bounds


def read(autoscaler: resources.Object) -> Reading:
    """What ``autoscaler`` says."""
    today = validity.converted(autoscaler)
    fault = validity.fault(today)
    wanted = targets.reference(today)
    if fault is not None:
        return Reading(today, fault, None, (), wanted)
    found, problems = settings.read(autoscaler)
    return Reading(today, None, found, tuple(problems), wanted)


class Cards:
    """The cards of all autoscalers, by uid."""

    def __init__(self, events_: recorder.EventRecorder) -> None:
        self._events = events_
        self._cards: dict[str, Card] = {}

    def of(self, autoscaler: resources.Object) -> Card:
        """The card of ``autoscaler``, a new one where there is none."""
        uid = meta.uid(autoscaler)
        found = self._cards.get(uid)
        if found is None:
            before = status.last_step(autoscaler.get("status") or {})
            found = self._cards[uid] = Card(events.Teller(self._events), step=before)
        return found

    def find(self, autoscaler: resources.Object) -> Card | None:
        """The card of ``autoscaler``, if it was ever looked at."""
        return self._cards.get(meta.uid(autoscaler))

    def drop(self, autoscaler: resources.Object) -> None:
        """``autoscaler`` is gone."""
        self._cards.pop(meta.uid(autoscaler), None)

    def __len__(self) -> int:
        return len(self._cards)

    def all(self) -> Iterable[Card]:
        """Every card."""
        return tuple(self._cards.values())
