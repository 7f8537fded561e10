"""Where time comes from.

Deciding code takes ``now`` as an argument and never imports this module (import-linter sees to it); shells hold a ``Clock``.
"""

from __future__ import annotations

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

    # Not methods around them: the data plane reads the time several times a request, and a frame costs more than the reading.
    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


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
