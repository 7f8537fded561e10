"""Scores from numbers: the one way from "fewest requests", "least memory", "most matched" to 0..1.

    lowest wins:   score = (highest - own) / (highest - lowest)
    highest wins:  score = (own - lowest) / (highest - lowest)

Equal numbers all score 1. A row without a number (NaN, an infinity) scores 0 and does not stretch the scale; when no row has one,
all score 0 and a picker that breaks ties by chance falls back on chance.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from brickyard.api import serving
from brickyard.routing import contract, pickers

Measure = Callable[[contract.Request, contract.EndpointSnapshot, Sequence[int]], Sequence[float]]
Words = Callable[[contract.EndpointSnapshot, int], str]

UNKNOWN = math.nan
"""The number of a row of which nothing is known."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ranking:
    """A scorer made of a number per row.

    Attributes:
        name: as in mixes and explanations.
        measure: the numbers, in units of their own; see ``capabilities.Measures``.
        words: a row's input in words.
        highest: whether more is better; less is, as a rule.
    """

    name: str
    measure: Measure
    words: Words
    highest: bool = False

    def scores(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        return self.normalise(self.measure(request, snapshot, rows))

    def normalise(self, measured: Sequence[float]) -> Sequence[float]:
        return highest(measured) if self.highest else lowest(measured)

    def describe(self, snapshot: contract.EndpointSnapshot, row: int) -> str:
        return self.words(snapshot, row)


class OfLoads:
    """A measure that follows from what each engine last said and from nothing else: worked out once, until one of them says more.

    ``number`` of a load; NaN where it does not tell, as where there is no load.
    """

    def __init__(self, number: Callable[[serving.EngineLoad], float | None]) -> None:
        self._number = number
        self._loads: tuple[serving.EngineLoad | None, ...] = ()
        self._numbers: Sequence[float] = ()

    def __call__(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        loads = snapshot.loads
        if loads is not self._loads:  # snapshots share them until a page is read
            told = [None if load is None else self._number(load) for load in loads]
            self._loads, self._numbers = loads, [UNKNOWN if each is None else each for each in told]
        numbers = self._numbers
        return numbers if len(rows) == len(numbers) else [numbers[row] for row in rows]


def lowest(measured: Sequence[float]) -> list[float]:
    """Scores of numbers of which the least is best."""
    top, bottom = max(measured), min(measured)
    spread = top - bottom
    # A NaN can hide from min and max, but not from the sum; an overflowing spread shows as infinite.
    if not math.isfinite(sum(measured)) or not math.isfinite(spread):
        return _careful(measured, highest=False)
    if not spread:
        return [1.0] * len(measured)
    return [(top - each) / spread for each in measured]


def highest(measured: Sequence[float]) -> list[float]:
    """Scores of numbers of which the greatest is best."""
    top, bottom = max(measured), min(measured)
    spread = top - bottom
    if not math.isfinite(sum(measured)) or not math.isfinite(spread):
        return _careful(measured, highest=True)
    if not spread:
        return [1.0] * len(measured)
    return [(each - bottom) / spread for each in measured]


def _careful(measured: Sequence[float], *, highest: bool) -> list[float]:
    """The same where some numbers are missing or huge."""
    known = [each for each in measured if math.isfinite(each)]
    if not known:
        return [0.0] * len(measured)
    best, worst = (max(known), min(known)) if highest else (min(known), max(known))
    # Halves, since the difference of two huge numbers may not be one.
    spread = worst / 2 - best / 2
    if not spread:
        return [1.0 if math.isfinite(each) else 0.0 for each in measured]
    return [(worst / 2 - each / 2) / spread if math.isfinite(each) else 0.0 for each in measured]


def in_flight(request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]) -> Sequence[int]:
    """Requests that the gateway has open on each row."""
    counts = snapshot.in_flight
    return counts if len(rows) == len(counts) else [counts[row] for row in rows]


def fewest_in_flight(request: contract.Request, snapshot: contract.EndpointSnapshot, rng: contract.Random) -> int:
    """The row with the fewest of them, as a shortcut."""
    return pickers.least(snapshot.in_flight, rng)


def told_in_flight(snapshot: contract.EndpointSnapshot, row: int) -> str:
    """``2 requests in flight``."""
    count = snapshot.in_flight[row]
    return "1 request in flight" if count == 1 else f"{count} requests in flight"


def least_request(name: str) -> Ranking:
    """The scorer of fewest requests in flight, under a name of the policy's choice."""
    return Ranking(name, in_flight, told_in_flight)
