"""What a page says of one metric, and what that comes to: a number, or why there is none. Pure.

    found           a number at once   with the pages before
    Gauge           sum of samples     -                        shares (0..1): mean
    Counter         no                 increase per second
    Distribution    no                 mean, or a quantile, of what was observed in between

A counter that is smaller than before began again at 0: what it shows now is what it counted since. A series that was not there before
began at 0 too, as long as its page was there.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Iterable, Mapping

from brickyard.engines import contract as engines

SHORTEST = 1.0
"""Seconds between two readings that a rate is worth something of; a reading that comes sooner repeats the last answer."""
LOOKBACK = 60.0
"""Seconds over which what was observed is averaged: requests end seldom, and a quantile of three is none."""
LONGEST = 300.0
"""Seconds after which an earlier reading is of no use."""


@dataclasses.dataclass(frozen=True, slots=True)
class Absent:
    """No number, and why."""

    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Gauge:
    """Values as they are. ``mean``: they are added up unless it is set. ``notes`` are for the user."""

    values: tuple[float, ...]
    mean: bool = False
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Counter:
    """What has been counted so far, by label set or model."""

    counts: Mapping[str, float]

    @property
    def notes(self) -> tuple[str, ...]:
        """For the user."""
        return ("a counter: its increase per second is compared",)


@dataclasses.dataclass(frozen=True, slots=True)
class Distribution:
    """What has been observed so far, by model.

    Attributes:
        models: observations.
        quantile: the share (0..1) of which the value is asked; None for the mean.
        idle: nothing runs and nothing waits, by the same page.
    """

    models: Mapping[str, engines.Histogram]
    quantile: float | None = None
    idle: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """For the user."""
        what = "mean" if self.quantile is None else f"{self.quantile:.0%} quantile"
        return (f"a distribution: the {what} of what was observed in the last minute is compared",)


Found = Gauge | Counter | Distribution | Absent
Number = float | Absent


class Track:
    """One metric of one page, over time. ``now`` is monotonic."""

    __slots__ = ("_answer", "_at", "_before", "_counts")

    def __init__(self) -> None:
        self._at = -math.inf
        self._answer: Number = Absent("it has not been read yet")
        self._counts: Mapping[str, float] | None = None
        self._before: collections.deque[tuple[float, Mapping[str, engines.Histogram]]] = collections.deque()

    def step(self, found: Found, now: float) -> Number:
        """The number that the newest page stands for."""
        if isinstance(found, Absent):
            return found
        if isinstance(found, Gauge):
            return _broken(found.values) or _together(found)
        if now - self._at < SHORTEST:
            return self._answer
        if now - self._at > LONGEST:
            self._counts = None
            self._before.clear()
        since, self._at = self._at, now
        answer = self._rate(found, now - since) if isinstance(found, Counter) else self._observed(found, now)
        self._answer = checked(answer) if isinstance(answer, float) else answer
        return self._answer

    def _rate(self, found: Counter, seconds: float) -> Number:
        before, self._counts = self._counts, found.counts
        if broken := _broken(found.counts.values()):
            self._counts = None
            return broken
        if before is None:
            return Absent(
                "it is a counter and was read for the first time: its rate is known from the second reading on"
            )
        return math.fsum(_grown(count, before.get(key, 0.0)) for key, count in found.counts.items()) / seconds

    def _observed(self, found: Distribution, now: float) -> Number:
        while self._before and self._before[0][0] < now - LOOKBACK:
            self._before.popleft()
        earlier = self._before[0] if self._before else None
        self._before.append((now, found.models))
        if found.idle and (earlier is None or not _increase(found.models, earlier[1]).total):
            return 0.0  # nobody is here, so nobody waits
        if earlier is None:
            return Absent(
                "it is a distribution and was read for the first time: it is known from the second reading on"
            )
        increase = _increase(found.models, earlier[1])
        answer = increase.mean() if found.quantile is None else increase.quantile(found.quantile)
        if answer is None and increase.total > 0:
            return Absent("it has no buckets, so it has no quantiles: take its mean, by its name alone")
        return (
            Absent(f"nothing was observed in {now - earlier[0]:.0f} s that could be averaged")
            if answer is None
            else answer
        )


def checked(value: float) -> Number:
    """``value`` where it can be scaled by."""
    return _broken((value,)) or value


def _broken(values: Iterable[float]) -> Absent | None:
    for value in values:
        if math.isnan(value):
            return Absent("it is NaN: its source has nothing to tell")
        if math.isinf(value):
            return Absent("it is infinite")
        if value < 0:
            return Absent(f"it is negative ({value:g}): only what grows with load can be scaled by")
    return None


def _together(found: Gauge) -> float:
    total = math.fsum(found.values)
    return total / len(found.values) if found.mean else total


def _grown(count: float, before: float) -> float:
    return count - before if count >= before else count


def _increase(models: Mapping[str, engines.Histogram], before: Mapping[str, engines.Histogram]) -> engines.Histogram:
    """What all models observed since: their distributions added up. Models of one page have the same bounds, or the mean alone is kept."""
    grown = [_since(each, before.get(model)) for model, each in models.items()]
    bounds = grown[0].bounds if grown and len({each.bounds for each in grown}) == 1 else ()
    return engines.Histogram(
        bounds=bounds,
        counts=tuple(math.fsum(each.counts[index] for each in grown) for index in range(len(bounds))),
        total=math.fsum(each.total for each in grown),
        sum=math.fsum(each.sum for each in grown),
    )


def _since(now: engines.Histogram, before: engines.Histogram | None) -> engines.Histogram:
    if before is None or now.total < before.total or now.bounds != before.bounds:
        return now
    counts = tuple(max(new - old, 0.0) for new, old in zip(now.counts, before.counts, strict=True))
    return engines.Histogram(now.bounds, counts, now.total - before.total, now.sum - before.sum)
