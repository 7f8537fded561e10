"""Which schedule holds, and until when. Pure; time zone data is the system's.

Times of a schedule are those on a clock on the wall. Where that leaps forward, a schedule that begins in the hour left out begins with
the leap; where it is set back, an hour happens twice and schedules of that hour hold twice. So what counts is only ever what the wall
says, and a transition is a moment at which another schedule (or none) begins to hold.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final

from brickyard.api.kinds.podautoscaler import schedules
from brickyard.scaling import contract

AHEAD: Final = 14
"""Days looked ahead: a weekly schedule whose hour is left out this week begins next week."""
_DAY: Final = 86_400.0


def active(settings: contract.Settings, now: float) -> schedules.Window | None:
    """The first schedule that holds at Unix time ``now``."""
    return _active(settings, now, schedules.timezone(settings.timezone)) if settings.hours else None


def next_transition(settings: contract.Settings, now: float) -> float | None:
    """Unix time, later than ``now``, at which another schedule begins to hold, or none; None when that is not within two weeks."""
    if not settings.hours:
        return None
    zone = schedules.timezone(settings.timezone)
    today = datetime.datetime.fromtimestamp(now, zone).date()
    for ahead in range(AHEAD + 1):
        for moment in sorted(set(_edges(settings, today + datetime.timedelta(days=ahead), zone))):
            if moment > now and _active(settings, moment, zone) is not _active(settings, moment - 1, zone):
                return moment
    return None


def _active(settings: contract.Settings, now: float, zone: datetime.tzinfo) -> schedules.Window | None:
    local = datetime.datetime.fromtimestamp(now, zone)
    day, minute = local.weekday(), local.hour * 60 + local.minute
    return next((each for each in settings.hours if day in each.days and each.start <= minute < each.end), None)


def _edges(settings: contract.Settings, date: datetime.date, zone: datetime.tzinfo) -> Iterator[float]:
    """Moments of ``date`` at which something may begin or end."""
    midnight = datetime.datetime.combine(date, datetime.time(), zone)
    following = datetime.datetime.combine(date + datetime.timedelta(days=1), datetime.time(), zone)
    if midnight.utcoffset() != following.utcoffset():
        yield _leap(midnight.timestamp(), following.timestamp(), zone)
    for window in settings.hours:
        if date.weekday() in window.days:
            for minute in (window.start, window.end):
                wall = datetime.datetime.combine(date, datetime.time(minute // 60, minute % 60), zone)
                yield wall.timestamp()
                yield wall.replace(fold=1).timestamp()


def _leap(before: float, after: float, zone: datetime.tzinfo) -> float:
    """The second, later than ``before`` and not later than ``after``, from which the wall clock has the offset of ``after``."""
    new = datetime.datetime.fromtimestamp(after, zone).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.datetime.fromtimestamp(middle, zone).utcoffset() == new:
            after = middle
        else:
            before = middle
    return after
