"""What happens next if the metrics stay as they are. Pure.

What holds a way down up ends when the last guard does. Bounds of schedules change the answer when they begin to hold. A step that a rate
cut goes on with the next pass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from brickyard.scaling import bounds, contract, schedule, words


@dataclasses.dataclass(frozen=True, slots=True)
class Guard:
    """Something that holds up a recommendation ``until`` a Unix time; None: until the metrics change."""

    until: float | None
    why: str
    down: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class _Event:
    at: float
    why: str


def foresee(
    settings: contract.Settings,
    found: contract.Recommendation,
    guards: Sequence[Guard],
) -> contract.Recommendation:
    """``found`` with the first thing that changes it by itself."""
    events = [each for each in (_released(found, guards), _stepped(found), _transition(settings, found)) if each]
    if not events:
        return found
    first = min(events, key=lambda each: each.at)
    return dataclasses.replace(found, next_at=first.at, next_why=first.why)


def with_transition(settings: contract.Settings, found: contract.Recommendation) -> contract.Recommendation:
    """``found``, which bounds alone decided, with the schedule that changes it."""
    event = _transition(settings, found)
    return dataclasses.replace(found, next_at=event.at, next_why=event.why) if event else found


def _released(found: contract.Recommendation, guards: Sequence[Guard]) -> _Event | None:
    ends = [each for each in guards if each.until is not None]
    if not ends or len(ends) != len(guards):
        return None
    last = max(ends, key=lambda each: each.until or 0.0)
    if last.until is None or found.asked is None:
        return None
    way = "down" if last.down else "up"
    return _Event(
        last.until, f"the way {way} towards {words.replicas(found.asked)} opens; what holds it until then: {last.why}"
    )


def _stepped(found: contract.Recommendation) -> _Event | None:
    limits = [each.limit for each in found.steps]
    if (
        found.asked is None
        or not found.moves
        or not limits
        or limits[-1] not in (contract.Limit.UP_RATE, contract.Limit.DOWN_RATE)
    ):
        return None
    return _Event(found.at, f"it goes on towards {words.replicas(found.asked)}")


def _transition(settings: contract.Settings, found: contract.Recommendation) -> _Event | None:
    at = schedule.next_transition(settings, found.at)
    if at is None or found.desired is None:
        return None
    later = bounds.effective(settings, at)
    wanted = found.desired if found.asked is None else max(found.asked, _floor(found))
    after = (bounds.check(later, found.desired) or (later.clamp(wanted), ""))[0]
    if after == found.desired:
        return None
    name = f"schedule {later.schedule} begins" if later.schedule else f"schedule {found.schedule} ends"
    return _Event(at, f"{name}: {words.bounds(later.minimum, later.maximum)}")


def _floor(found: contract.Recommendation) -> int:
    """What the metrics want at least once the bounds of now are gone: what they wanted before the bounds."""
    last = found.steps[-1] if found.steps else None
    if last is not None and last.limit in (contract.Limit.MINIMUM, contract.Limit.MAXIMUM):
        return last.before
    return found.desired or 0
