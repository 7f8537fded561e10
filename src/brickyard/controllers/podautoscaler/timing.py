"""When an autoscaler is looked at next, and when it may take its next step. Pure; times are Unix seconds.

Each has its own place in the period, by its uid, so that five hundred of them are spread over it however they were made. Between two
places comes what is due by itself: the edge of a schedule.

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


def next_look(uid: str, now: float, period: float, edge: float | None = None) -> float:
    """Seconds until the next look. ``edge``: Unix time at which the bounds change; None when they do not."""
    left = (place(uid, period) - now) % period
    if left < period * _GRACE:
        left += period
    if edge is not None and edge > now:
        left = min(left, edge - now)
    return max(left, _SHORTEST)


class Step(NamedTuple):
    """A change of the target's size: when it was ordered, and whether it was a way up."""

    at: float
    up: bool


def waits(step: Step, before: Step | None, period: float) -> bool:
    """Whether ``step`` comes too soon after ``before``. The other direction never does, nor does anything after a clock was set back."""
    return before is not None and before.up == step.up and 0 <= step.at - before.at < period * _APART
