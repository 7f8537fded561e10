"""Panic: KPA's memory of a rush. Pure.

    | the panic window's demand | not panicking | panicking                                        |
    |---------------------------|---------------|--------------------------------------------------|
    | at the threshold or above | panic begins  | goes on                                          |
    | below                     | calm          | ends once it was below for a whole stable window |

While it lasts nothing goes down, and what went up stays: ``peak`` is the most that was wanted in it.
"""

from __future__ import annotations

import copy
from typing import Self


class Panic:
    """Whether, since when, and how far it went. Times are Unix times; ``rushed`` is when the threshold was last reached."""

    __slots__ = ("peak", "rushed", "since")

    def __init__(self) -> None:
        self.since: float | None = None
        self.rushed = 0.0
        self.peak = 0

    def update(self, *, over: bool, now: float, stable_window: float) -> None:
        """Another look: whether the demand is at the threshold."""
        if over:
            self.since = now if self.since is None else self.since
            self.rushed = now
        elif self.since is not None and now - self.rushed >= stable_window:
            self.end()

    def end(self) -> None:
        """Calm again."""
        self.since, self.peak = None, 0

    def hold(self, wanted: int, current: int) -> int:
        """What becomes of ``wanted`` meanwhile."""
        self.peak = max(self.peak, wanted, current)
        return self.peak

    def shift(self, seconds: float) -> None:
        """The clock was set by ``seconds``."""
        if self.since is not None:
            self.since += seconds
        self.rushed += seconds

    def copied(self) -> Self:
        """A copy that shares nothing."""
        return copy.copy(self)
