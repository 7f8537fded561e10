"""What an autoscaler measured and decided over the last hours, for whoever draws it.

One flat array per autoscaler that grows to its bound and then goes round: 65 KB for two hours at ten seconds, so that 500 of them fit
in 33 MB.
"""

from __future__ import annotations

import array
import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from brickyard.scaling import contract

POINTS: Final = 720
"""Two hours at one pass in ten seconds."""


class Point(NamedTuple):
    """One pass. NaN stands for what was not known or not asked.

    Attributes:
        at: Unix time.
        demand: of the metric that asks for most, of the whole workload, as far as it was measured.
        high: the same with what could not be measured taken at its target.
        target: what one replica should do of it.
        asked: replicas that the metrics ask for, before any limit.
        desired: replicas decided on.
        actual: replicas that the target asked for when it was decided.
        minimum: lower bound that held.
        maximum: upper bound that held.
        panic: 1 while KPA panics, else 0.
    """

    at: float
    demand: float
    high: float
    target: float
    asked: float
    desired: float
    actual: float
    minimum: float
    maximum: float
    panic: float


_WIDTH: Final = len(Point._fields)


class History:
    """The latest ``limit`` points."""

    def __init__(self, limit: int = POINTS) -> None:
        self._limit = limit
        self._values = array.array("d")
        self._next = 0

    def __len__(self) -> int:
        return len(self._values) // _WIDTH

    def add(self, point: Point) -> None:
        """Remember ``point``, and forget the oldest where there is no room."""
        if len(self) < self._limit:
            self._values.extend(point)
            return
        start = self._next * _WIDTH
        self._values[start : start + _WIDTH] = array.array("d", point)
        self._next = (self._next + 1) % self._limit

    def points(self) -> Iterator[Point]:
        """The oldest first."""
        count = len(self)
        for index in range(count):
            start = (self._next + index) % count * _WIDTH
            yield Point(*self._values[start : start + _WIDTH])


def point(made: contract.Recommendation) -> Point:
    """What is kept of a recommendation."""
    leading = max(
        (each for each in made.metrics if each.demand is not None),
        key=lambda each: -1 if each.replicas is None else each.replicas,
        default=None,
    )
    demand = leading.demand if leading is not None else None
    return Point(
        made.at,
        math.nan if demand is None else demand.low,
        math.nan if demand is None else demand.high,
        math.nan if leading is None else leading.metric.target,
        _number(made.asked),
        _number(made.desired),
        made.current,
        made.minimum,
        made.maximum,
        float(made.panicking_since is not None),
    )


def _number(value: int | None) -> float:
    return math.nan if value is None else value
