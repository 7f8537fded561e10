"""Numbers and durations in a PodAutoscaler's texts, as Go reads them: ``0.5``, ``300s``, ``1h30m``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

_NUMBER: Final = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,4})?", re.ASCII)
_WHOLE_NUMBER: Final = re.compile(r"\d{1,10}", re.ASCII)
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_UNITS: Final[Mapping[str, float]] = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART: Final = r"(\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(ns|us|µs|μs|ms|s|m|h)"
_WHOLE: Final = re.compile(rf"([+-]?)((?:{_PART})+)", re.ASCII)
_PARTS: Final = re.compile(_PART, re.ASCII)
_LONGEST: Final = 2**63 / 1e9
"""Seconds: Go counts nanoseconds in 64 bits."""


def number(text: str) -> float:
    """A plain decimal number: no suffixes such as m or Gi, neither infinite nor NaN.

    Raises:
        ValueError: ``text`` is none.
    """
    found = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(found):
        raise ValueError("must be a valid number")
    return found


def is_number(text: str) -> bool:
    """Whether ``number`` takes it."""
    try:
        number(text)
    except ValueError:
        return False
    return True


def whole(text: str) -> int:
    """A whole number that is not negative and fits in 32 bits.

    Raises:
        ValueError: ``text`` is none.
    """
    if not _WHOLE_NUMBER.fullmatch(text) or int(text) >= 2**31:
        raise ValueError("must be a whole number that is not negative")
    return int(text)


def is_whole(text: str) -> bool:
    """Whether ``whole`` takes it."""
    try:
        whole(text)
    except ValueError:
        return False
    return True


def truth(text: str) -> bool:
    """True or false, in the spellings that Go takes.

    Raises:
        ValueError: ``text`` is neither.
    """
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("must be true or false")


def is_duration(text: str) -> bool:
    """Whether ``seconds`` takes it and it is not negative."""
    try:
        return seconds(text) >= 0
    except ValueError:
        return False


def seconds(text: str) -> float:
    """Seconds of a duration.

    Raises:
        ValueError: ``text`` is none; other than in settings, a number needs its unit.
    """
    if text in ("0", "+0", "-0"):
        return 0.0
    match = _WHOLE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration: write 30s, 250ms, 2m or 1h30m")
    total = sum(float(number) * _UNITS[unit] for number, unit in _PARTS.findall(match[2]))
    if total >= _LONGEST:
        raise ValueError(f"{text!r} is longer than 292 years")
    return -total if match[1] == "-" else total
