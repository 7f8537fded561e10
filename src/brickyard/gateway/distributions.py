"""Counts of values by size: Prometheus' histograms, and the ranges that AIBrix counts in.

Both are plain lists that the hot path adds to. A histogram's buckets are cumulative when they are shown and not before.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from typing import Final

SECONDS: Final[tuple[float, ...]] = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
)  # fmt: skip
"""Upper bounds of what a request may take."""
GAPS: Final[tuple[float, ...]] = (
    0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5,
)  # fmt: skip
"""Upper bounds of what a token may take."""

TOKENS: Final[tuple[int, ...]] = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
"""Borders of AIBrix' ranges of tokens."""
DELAYS: Final[tuple[float, ...]] = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Borders of AIBrix' ranges of delays, in seconds; its labels tell milliseconds."""
TOTALS: Final[tuple[float, ...]] = (0.1, 0.25, 0.5, 1.0, 5.0, 20.0, 60.0)
"""Borders of AIBrix' ranges of whole requests, in seconds; its labels tell milliseconds."""


class Histogram:
    """Counts per bucket and their sum; a value on a bound counts below it."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Add one value."""
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bound and cumulative count, as the text format wants them."""
        rows: list[tuple[str, float]] = []
        running = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            running += count
            rows.append((bound, running))
        return rows


def place(borders: Sequence[float], value: float) -> int:
    """Which range ``value`` lies in: ranges begin at their border, and what is below 0 lies in the first."""
    return bisect.bisect_right(borders, value)


def ranges(borders: Sequence[float], unit: str = "", scale: int = 1) -> tuple[str, ...]:
    """What ranges are called: ``0-256``, ``256-512`` … ``32768+``; with ``unit`` ``ms``: ``0-1ms`` … ``5000ms+``."""
    whole = [0, *(round(border * scale) for border in borders)]
    inner = [f"{low}-{high}{unit}" for low, high in itertools.pairwise(whole)]
    return (*inner, f"{whole[-1]}{unit}+")


TOKEN_RANGES: Final = ranges(TOKENS)
DELAY_RANGES: Final = ranges(DELAYS, "ms", 1000)
TOTAL_RANGES: Final = ranges(TOTALS, "ms", 1000)
