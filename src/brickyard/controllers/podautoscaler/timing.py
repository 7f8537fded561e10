"""When an autoscaler is looked at next, and when it may take its next step. Pure; times are Unix seconds.

Each has its own place in the period, by its uid, so that five hundred of them are spread over it however they were made. Between two
places comes what is due by itself: the edge of a schedule, the end of a wait.

A step is so many times the replicas at most, and one comes in a period: who edits a spec, several gateways that begin to hold requests, or
a controller that starts again make us look sooner, not go further.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

_GRACE = 0.25
"""Of a period: a place so near after a look is left out."""
_APART = 0.75
"""Of a period: a step that follows another one of its direction sooner waits."""
_SHORTEST = 0.05
"""Seconds: a clock that is a little behind must not make us look twice at once."""


def place(uid: str, period: float) -> float:
    """Seconds into the period at which the autoscaler ``uid`` is looked at."""
    return zlib.crc32(uid.encode()) / 2**32 * period


def next_look(uid: str, now: float, period: float, *due: float | None) -> float:
    """Seconds until the next look. ``due``: Unix times at which bounds change or a wait is over; None for never."""
    left = (place(uid, period) - now) % period
    if left < period * _GRACE:
        left += period
    soonest = min((at - now for at in due if at is not None and at > now), default=left)
    return max(min(left, soonest), _SHORTEST)


class Step(NamedTuple):
    """A change of the target's size: when it was ordered, and whether it was a way up."""

    at: float
    up: bool


def waits(step: Step, before: Step | None, period: float) -> float | None:
    """Unix time until which ``step`` waits, since ``before`` was a moment ago; None where it need not.

    A step in the other direction never waits, nor does any after a clock was set back.
    """
    if before is None or before.up != step.up or not 0 <= step.at - before.at < period * _APART:
        return None
    return before.at + period * _APART
