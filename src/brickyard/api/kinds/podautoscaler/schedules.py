"""The daily windows of a PodAutoscaler: what ``spec.schedules`` means, and what is wrong with it. Pure; time zone data is the system's.

A window is [start, end) on the weekdays it names, in one time zone that all windows share. While one is active its bounds stand in
for those of the spec; where several could be, the first in the list does.
"""

from __future__ import annotations

import bisect
import dataclasses
import datetime
import functools
import re
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from brickyard.api.kinds import shapes

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of ``datetime.date.weekday``."""
UTC: Final = "UTC"

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


class ScheduleError(ValueError):
    """A schedule that means nothing; the text says which and why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """The spec's own bounds. ``maximum`` is None where the spec has none that is a number."""

    minimum: int = 1
    maximum: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """One schedule. ``start`` and ``end`` are minutes of the day, ``days`` numbers as in ``date.weekday``.

    ``minimum`` and ``maximum`` are the bounds while it is active; ``own_minimum`` says whether the schedule itself gives the former.
    """

    name: str
    days: frozenset[int]
    start: int
    end: int
    minimum: int
    maximum: int | None
    own_minimum: bool


def bounds(spec: Any) -> Bounds:
    """The bounds of a PodAutoscaler's spec: an absent minimum is 1."""
    minimum = shapes.integer(spec, "minReplicas")
    return Bounds(1 if minimum is None else minimum, shapes.integer(spec, "maxReplicas"))


def timezone(name: str) -> datetime.tzinfo:
    """The zone of an IANA name; "" is UTC.

    Raises:
        ScheduleError: there is no such zone, or this machine has no time zone data.
    """
    if name in ("", UTC):
        return datetime.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        if not _has_data():
            text = f"{name} cannot be looked up: this machine has no time zone data, install tzdata"
            raise ScheduleError(text) from error
        raise ScheduleError(f"unknown time zone {name}: write an IANA name such as Europe/Berlin") from error


@functools.cache
def _has_data() -> bool:
    return bool(zoneinfo.available_timezones())


def windows(entries: Sequence[Any], base: Bounds) -> list[Window]:
    """``spec.schedules`` as windows, in its order.

    Raises:
        ScheduleError: one of them means nothing; ``faults`` finds all.
    """
    found = next(faults(entries, base), None)
    if found is not None:
        raise ScheduleError(found)
    return [_window(each, base, "") for each in entries]


def faults(entries: Sequence[Any], base: Bounds) -> Iterator[str]:
    """What is wrong: at most one text for each schedule, then those about pairs of sound ones."""
    if not entries:
        yield "schedules must not be empty"
        return
    zones = [_zone_name(each) for each in entries]
    strange = next((index for index, zone in enumerate(zones) if zone != zones[0]), None)
    if strange is not None:
        yield f"schedules[{strange}].timezone: mixed timezone values are not supported"
    zone = _zone_fault(zones[0])
    sound: list[tuple[int, Window]] = []
    for index, each in enumerate(entries):
        try:
            # Zones that differ from the first are complained of above; looking each of them up could take long.
            sound.append((index, _window(each, base, zone if zones[index] == zones[0] else "")))
        except ScheduleError as error:
            yield f"schedules[{index}]: {error}"
    yield from _clashes(sound)


def _zone_fault(name: str) -> str:
    try:
        timezone(name)
    except ScheduleError as error:
        return f"timezone: {error}"
    return ""


def _clashes(sound: Sequence[tuple[int, Window]]) -> Iterator[str]:
    names: set[str] = set()
    weeks = [_Day() for _ in WEEKDAYS]
    for index, window in sound:
        if window.name in names:
            yield f'schedules[{index}].name: duplicate name "{window.name}"'
            continue
        names.add(window.name)
        others = (weeks[day].overlapped(window) for day in sorted(window.days))
        other = next((each for each in others if each), "")
        if other:
            yield f'schedules[{index}]: overlaps schedule "{other}"'
            continue
        for day in window.days:
            weeks[day].take(window)


class _Day:
    """Windows of one weekday, none of which overlap: one more is compared with its neighbours alone."""

    def __init__(self) -> None:
        self._taken: list[tuple[int, int, str]] = []

    def overlapped(self, window: Window) -> str:
        """Name of a window that is active together with ``window``, or "". Windows that touch are not."""
        place = bisect.bisect_left(self._taken, (window.start, 0, ""))
        for start, end, name in self._taken[max(place - 1, 0) : place + 1]:
            if window.start < end and start < window.end:
                return name
        return ""

    def take(self, window: Window) -> None:
        bisect.insort(self._taken, (window.start, window.end, window.name))


def _zone_name(entry: Any) -> str:
    return shapes.text(entry, "timezone") or UTC


def _window(entry: Any, base: Bounds, zone_fault: str) -> Window:
    """One schedule, judged in the order of the rules.

    Raises:
        ScheduleError: at the first thing wrong with it.
    """
    name = shapes.text(entry, "name") or ""
    if not name:
        raise ScheduleError("name is required")
    if not _NAME.fullmatch(name):
        raise ScheduleError("name must use Kubernetes DNS label style")
    if zone_fault:
        raise ScheduleError(zone_fault)
    days = _days(shapes.at(entry, "daysOfWeek"))
    start, end = _minute(entry, "startTime"), _minute(entry, "endTime")
    if start >= end:
        raise ScheduleError("startTime must be earlier than endTime")
    return Window(name, days, start, end, *_bounds(entry, base))


def _days(found: Any) -> frozenset[int]:
    if found is None:
        return frozenset(range(len(WEEKDAYS)))
    if not isinstance(found, list) or not found:
        raise ScheduleError("daysOfWeek must not be empty")
    for each in found:
        if not isinstance(each, str) or each.lower() not in WEEKDAYS:
            raise ScheduleError(f'daysOfWeek: unsupported weekday "{each}"')
    return frozenset(WEEKDAYS.index(each.lower()) for each in found)


def _minute(entry: Any, field: str) -> int:
    match = _CLOCK.fullmatch(shapes.text(entry, field) or "")
    if match is None:
        raise ScheduleError(f"{field}: must use HH:MM")
    return int(match[1]) * 60 + int(match[2])


def _bounds(entry: Any, base: Bounds) -> tuple[int, int | None, bool]:
    own: Mapping[str, int | None] = {key: shapes.integer(entry, key) for key in ("minReplicas", "maxReplicas")}
    if own["minReplicas"] is None and own["maxReplicas"] is None:
        raise ScheduleError("at least one of minReplicas or maxReplicas must be set")
    minimum = base.minimum if own["minReplicas"] is None else own["minReplicas"]
    maximum = base.maximum if own["maxReplicas"] is None else own["maxReplicas"]
    if minimum < 0:
        raise ScheduleError("effective minReplicas must be non-negative")
    if maximum is not None and maximum <= 0:
        raise ScheduleError("effective maxReplicas must be positive")
    if maximum is not None and minimum > maximum:
        raise ScheduleError("effective minReplicas must not be greater than effective maxReplicas")
    return minimum, maximum, own["minReplicas"] is not None
