"""Cells that many kinds share: names, ages, lists in one line, selectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import contract
from brickyard.kube.objects import paths
from brickyard.lib import timestamps

NONE = "<none>"
UNKNOWN = "<unknown>"

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR = 365 * _DAY


def duration(seconds: float) -> str:
    """A span as kubectl writes it: ``119s``, ``2m``, ``9m59s``, ``179m``, ``7h59m``, ``47h``, ``7d23h``, ``729d``, ``7y364d``.

    Up to two units, the smaller one left out once it says little. Slightly negative spans (clocks differ) are ``0s``.
    """
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    for below, unit, name, small, small_name in _SPANS:
        if whole < below:
            return _two(max(whole, 0), unit, name, (small, small_name))
    return f"{whole // _YEAR}y"


_SPANS = (
    # below          unit      name  then in
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def _two(whole: int, unit: int, name: str, small: tuple[int, str]) -> str:
    count, rest = divmod(whole, unit)
    if small[0] and rest >= small[0]:
        return f"{count}{name}{rest // small[0]}{small[1]}"
    return f"{count}{name}"


def age_of(moment: str | None, now: float) -> str:
    """Time since an RFC 3339 ``moment``; ``<unknown>`` where there is none."""
    if not moment:
        return UNKNOWN
    try:
        return duration(now - timestamps.parse_rfc3339(moment))
    except ValueError:
        return "<invalid>"


def at(path: str, absent: object = NONE) -> contract.Cell:
    """The value at a dotted ``path``; ``absent`` where there is none or it is empty text."""

    def cell(obj: resources.Object, now: float) -> object:
        del now
        found = paths.get(obj, path)
        return absent if found in (None, "") else found

    return cell


def _age(obj: resources.Object, now: float) -> object:
    return age_of(paths.get(obj, "metadata.creationTimestamp"), now)


NAME = contract.Column(
    "Name", at("metadata.name", ""), format="name", description="Name must be unique within a namespace."
)
AGE = contract.Column("Age", _age, description="Time since the object was created.")
PLAIN = (
    NAME,
    contract.Column("Created At", at("metadata.creationTimestamp", ""), "date", description="When it was created."),
)
"""The columns of a kind that has none of its own."""


def text(value: Any) -> str:
    """A value in a text column: text as it is, other scalars and structures as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def joined(values: Iterable[Any]) -> str:
    """``a,b``, or ``<none>``."""
    return ",".join(str(each) for each in values) or NONE


def shortened(values: Iterable[str], limit: int = 3) -> str:
    """``a,b,c + 2 more...``, or ``<none>``."""
    words = list(values)
    tail = f" + {len(words) - limit} more..." if len(words) > limit else ""
    return joined(words[:limit]) + tail


def label_map(labels: Mapping[str, str] | None) -> str:
    """``a=b,c=d`` in the order of keys, or ``<none>``."""
    return joined(f"{key}={value}" for key, value in sorted((labels or {}).items()))
