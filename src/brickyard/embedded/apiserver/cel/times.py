"""Durations and timestamps: Go's text forms of them, their bounds, and their parts."""

from __future__ import annotations

import dataclasses
import datetime
import re
import zoneinfo
from collections.abc import Callable
from typing import Final

from brickyard.embedded.apiserver.cel import errors, library, values
from brickyard.embedded.apiserver.cel.library import overload

_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_SPAN = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_FIRST: Final = -62_135_596_800 * 10**9
_LAST: Final = 253_402_300_799 * 10**9 + 999_999_999
_NANO: Final = 10**9
_LONGEST: Final = 1000
"""Characters of a duration: a text of a million ``1h`` would add up, and take a second to."""


def nanoseconds_of(text: str) -> int | None:
    """Nanoseconds of a duration as Go writes it (``1h30m``, ``-1.5s``); None when it is none."""
    if len(text) > _LONGEST:
        return None
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total, at = 0, 0
    while at < len(rest):
        match = _SPAN.match(rest, at)
        if match is None or len(match.group()) > 40 or not (match.group(1) or match.group(2)):
            return None
        unit, fraction = _UNITS[match.group(3)], match.group(2) or ""
        total += int(match.group(1) or 0) * unit + int(fraction or 0) * unit // 10 ** len(fraction)
        at = match.end()
    return sign * total if rest and values.INT_MIN <= sign * total <= values.INT_MAX else None


def duration(text: str) -> values.Duration:
    """The duration that ``text`` writes.

    Raises:
        EvaluationError: it writes none.
    """
    found = nanoseconds_of(text)
    if found is None:
        raise errors.EvaluationError(f'time: invalid duration "{text}"')
    return values.Duration(found)


def timestamp(text: str) -> values.Timestamp:
    """The moment that ``text`` writes as RFC 3339 does.

    Raises:
        EvaluationError: it writes none.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise errors.EvaluationError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}"')
    date, clock, fraction, zone = match.groups()
    try:
        parsed = datetime.datetime.fromisoformat(f"{date}T{clock}{'+00:00' if zone in 'zZ' else zone}")
    except ValueError as error:
        raise errors.EvaluationError(f'parsing time "{text}": {error}') from error
    seconds = (parsed - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) // datetime.timedelta(seconds=1)
    return moment(seconds * _NANO + int((fraction or "0").ljust(9, "0")))


def day(text: str) -> values.Timestamp:
    """The first moment of a date such as ``2027-01-15``. Raises as ``timestamp``."""
    return timestamp(f"{text}T00:00:00Z")


def length(nanoseconds: int) -> values.Duration:
    """A duration of so many nanoseconds.

    Raises:
        EvaluationError: it is too long.
    """
    if not values.INT_MIN <= nanoseconds <= values.INT_MAX:
        raise errors.EvaluationError("duration overflow")
    return values.Duration(nanoseconds)


def moment(nanoseconds: int) -> values.Timestamp:
    """The moment so many nanoseconds after the start of 1970.

    Raises:
        EvaluationError: it is not in the years 1 to 9999.
    """
    if not _FIRST <= nanoseconds <= _LAST:
        raise errors.EvaluationError("timestamp overflow")
    return values.Timestamp(nanoseconds)


def text_of_length(found: values.Duration) -> str:
    """A duration in seconds, as CEL writes it: ``90s``, ``1.5s``."""
    whole, fraction = divmod(abs(found.nanoseconds), _NANO)
    tail = f".{fraction:09}".rstrip("0") if fraction else ""
    return f"{'-' if found.nanoseconds < 0 else ''}{whole}{tail}s"


def text_of_moment(found: values.Timestamp) -> str:
    """A moment as RFC 3339 writes it, in UTC."""
    fraction = found.nanoseconds % _NANO
    tail = f".{fraction:09}".rstrip("0") if fraction else ""
    return found.at().strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0") + tail + "Z"


def _zone(name: str) -> datetime.tzinfo:
    match = re.fullmatch(r"([+-]?)(\d\d):(\d\d)", name)
    if match:
        sign = -1 if match.group(1) == "-" else 1
        return datetime.timezone(sign * datetime.timedelta(hours=int(match.group(2)), minutes=int(match.group(3))))
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise errors.EvaluationError(f"unknown time zone {name}") from error


_PARTS: dict[str, Callable[[datetime.datetime], int]] = {
    "getFullYear": lambda at: at.year,
    "getMonth": lambda at: at.month - 1,
    "getDate": lambda at: at.day,
    "getDayOfMonth": lambda at: at.day - 1,
    "getDayOfYear": lambda at: at.timetuple().tm_yday - 1,
    "getDayOfWeek": lambda at: at.isoweekday() % 7,
    "getHours": lambda at: at.hour,
    "getMinutes": lambda at: at.minute,
    "getSeconds": lambda at: at.second,
    "getMilliseconds": lambda at: at.microsecond // 1000,
}


def _moment_parts(part: Callable[[datetime.datetime], int]) -> list[library.Overload]:
    return [
        overload("timestamp.() -> int", lambda at: part(at.at())),
        overload("timestamp.(string) -> int", lambda at, zone: part(at.at(_zone(zone)))),
    ]


def _whole_units(unit: int) -> Callable[[values.Duration], int]:
    return lambda found: abs(found.nanoseconds) // unit * (-1 if found.nanoseconds < 0 else 1)


TABLE: library.Table = library.merged(
    {name: _moment_parts(part) for name, part in _PARTS.items()},
    {
        "getHours": [overload("duration.() -> int", _whole_units(_UNITS["h"]))],
        "getMinutes": [overload("duration.() -> int", _whole_units(_UNITS["m"]))],
        "getSeconds": [overload("duration.() -> int", _whole_units(_UNITS["s"]))],
        "getMilliseconds": [overload("duration.() -> int", _whole_units(_UNITS["ms"]))],
        "duration": [
            overload("(duration) -> duration", lambda found: found),
            dataclasses.replace(overload("(string) -> duration", duration), literal=duration),
            overload("(int) -> duration", length),
        ],
        "timestamp": [
            overload("(timestamp) -> timestamp", lambda found: found),
            dataclasses.replace(overload("(string) -> timestamp", timestamp), literal=timestamp),
            overload("(int) -> timestamp", lambda seconds: moment(seconds * _NANO)),
        ],
    },
)
