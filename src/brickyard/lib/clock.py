"""Where time comes from.

Deciding code takes ``now`` as an argument and never imports this module (import-linter sees to it); shells hold a ``Clock``.
"""

from __future__ import annotations

import datetime
import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of the same passage of time."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary point; never goes back. For deadlines and ages."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch; may jump. For timestamps people read."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()


class ManualClock:
    """A clock that moves only when told: both readings advance together."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start

    def monotonic(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move time forward.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError(f"a clock does not go back: {seconds}")
        self._now += seconds


def rfc3339(wall: float) -> str:
    """``wall`` (Unix seconds) as Kubernetes writes ``metav1.Time``: UTC, whole seconds, ``2026-01-02T03:04:05Z``."""
    return datetime.datetime.fromtimestamp(wall, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(wall: float) -> str:
    """``wall`` (Unix seconds) as Kubernetes writes ``metav1.MicroTime``: UTC with six decimals."""
    return datetime.datetime.fromtimestamp(wall, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> float:
    """Unix seconds of an RFC 3339 time.

    Raises:
        ValueError: ``text`` is not such a time.
    """
    return datetime.datetime.fromisoformat(text).timestamp()
