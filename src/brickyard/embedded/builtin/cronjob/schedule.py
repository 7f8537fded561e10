"""When a cron schedule comes due. Pure.

Five fields (minute, hour, day of month, month, day of week) or a word (``@hourly``, ``@every 90s``). Where both days are restricted,
either will do. Times are those of the zone's clocks: a time that a change of clocks leaves out does not come; one that comes twice
comes once, the first time.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
import zoneinfo
from collections.abc import Iterator

_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_SPANS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_NAMES: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {name: number for number, name in enumerate(_MONTHS, 1)},
    {name: number for number, name in enumerate(_DAYS)},
)
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")
_YEARS = 8
"""How far ahead is looked: the longest time between two 29ths of February."""


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """A parsed schedule. ``every`` is seconds, 0 where the five fields count."""

    every: float = 0.0
    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = True
    """Either of the days is unrestricted: both have to fit."""

    def next(self, after: float, zone: datetime.tzinfo) -> float | None:
        """The first time later than ``after`` (Unix seconds); None where there is none for years."""
        if self.every:
            return after + self.every
        start = datetime.datetime.fromtimestamp(after, zone)
        for day in _days(start.date()):
            if not self._is_on(day):
                continue
            for moment in self._moments(day, zone):
                if moment > after:
                    return moment
        return None

    def _is_on(self, day: datetime.date) -> bool:
        if day.month not in self.months:
            return False
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (by_month and by_week) if self.any_day else (by_month or by_week)

    def _moments(self, day: datetime.date, zone: datetime.tzinfo) -> Iterator[float]:
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                clock = datetime.datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                at = clock.timestamp()
                shown = datetime.datetime.fromtimestamp(at, zone)
                if (shown.hour, shown.minute) == (hour, minute):
                    yield at


def _days(first: datetime.date) -> Iterator[datetime.date]:
    for number in range(366 * _YEARS):
        yield first + datetime.timedelta(days=number)


def zone(name: str | None) -> datetime.tzinfo:
    """The zone of that name, UTC where there is none.

    Raises:
        ValueError: this machine does not know it.
    """
    if not name:
        return datetime.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"unknown time zone {name}") from error


def parse(text: str) -> Schedule:
    """The schedule that ``text`` says.

    Raises:
        ValueError: it says none.
    """
    if text.startswith("@every "):
        found = _DURATION.findall(text)
        seconds = sum(float(number) * _UNITS[unit] for number, unit in found)
        if not found:
            raise ValueError(f"failed to parse duration {text}")
        return Schedule(every=max(1.0, float(int(seconds))))
    fields = _WORDS.get(text, text).split()
    if len(fields) != len(_SPANS):
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: {text}")
    sets = [_field(field, place) for place, field in enumerate(fields)]
    either = all(not fields[place].startswith(("*", "?")) for place in (2, 4))
    minutes, hours, days, months, weekdays = sets
    return Schedule(0.0, minutes, hours, days, months, weekdays, any_day=not either)


def _field(field: str, place: int) -> frozenset[int]:
    found: set[int] = set()
    for item in field.split(","):
        span, slash, step = item.partition("/")
        least, most = _SPANS[place]
        if span not in ("*", "?"):
            first, dash, last = span.partition("-")
            low = _number(first, place)
            # ``3/5`` means from 3 on; ``3`` alone means 3.
            least, most = low, _number(last, place) if dash else most if slash else low
        if not _SPANS[place][0] <= least <= most <= _SPANS[place][1]:
            raise ValueError(f"{item} is out of range")
        found.update(range(least, most + 1, int(step) if slash else 1))
    return frozenset(found)


def _number(text: str, place: int) -> int:
    named = _NAMES[place].get(text.lower())
    return int(text) if named is None else named
