"""When an autoscaler is looked at next. Pure; times are Unix seconds.

Each has its own place in the period, by its uid, so that five hundred of them are spread over it however they were made. Between two
places comes what is due by itself: the edge of a schedule.
"""

from __future__ import annotations

import zlib

_GRACE = 0.25
"""Of a period: a place so near after a look is left out."""
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
