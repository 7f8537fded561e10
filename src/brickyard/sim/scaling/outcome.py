"""What came of a replay: samples over time, and the figures that follow."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from brickyard.scaling import contract
from brickyard.sim.fleet import outcome


class Sample(NamedTuple):
    """The fleet at one look, after its decision.

    Attributes:
        at: seconds since the beginning.
        wanted: replicas that are to be.
        ready: replicas that take requests.
        load: what arrived in the last minute, in replicas that it keeps busy.
        demand: what the first metric that says so asks for, in replicas before any rounding or limit; NaN when it says nothing.
        waiting: requests that nobody computes.
        panicking: whether KPA does.
        minimum, maximum: bounds that hold.
    """

    at: float
    wanted: int
    ready: int
    load: float
    demand: float
    waiting: int
    panicking: bool
    minimum: int
    maximum: int


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """A replay in numbers.

    Attributes:
        requests: that came.
        missed: share of them whose first token came later than the limit, or never; 0..1, NaN of none.
        lost: those that never got an answer: their replica ended, no replica could run them, or none was there until the end.
        p50, p99: seconds to the first token.
        replica_hours: from each replica's order to its end.
        mean: replicas on average.
        events: changes of the number of replicas.
        oscillations: changes of direction: an increase after a decrease, or the other way round.
        under: seconds in which more arrived than the ready replicas can do.
        over: seconds in which one ready replica less would have been enough, with a fifth to spare.
        most_waiting: requests that waited at the same time, the highest.
    """

    requests: int
    missed: float
    lost: int
    p50: float
    p99: float
    replica_hours: float
    mean: float
    events: int
    oscillations: int
    under: float
    over: float
    most_waiting: int


SPARE = 0.8
"""The share of a replica's time that may be busy before one less would be too few."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """One replay.

    Attributes:
        label: what tells it from others beside it.
        settings: how it was scaled.
        start: Unix time of second 0.
        period: seconds from one sample to the next.
        samples: one for each look.
        moves: decisions that changed the number of replicas, with all their reasons.
        figures: in numbers.
    """

    label: str
    settings: contract.Settings
    start: float
    period: float
    samples: Sequence[Sample]
    moves: Sequence[contract.Recommendation]
    figures: Figures


def oscillations(replicas: Sequence[int]) -> int:
    """How often a series of numbers of replicas changes its direction.

    3 4 5 5 6 has none, 3 4 3 one, 3 4 3 3 4 two.
    """
    ups = [after > before for before, after in itertools.pairwise(replicas) if after != before]
    return sum(before != after for before, after in itertools.pairwise(ups))


def events(replicas: Sequence[int]) -> int:
    """How often it changes at all."""
    return sum(before != after for before, after in itertools.pairwise(replicas))


def under(samples: Sequence[Sample], period: float) -> float:
    """See ``Figures``."""
    return period * sum(each.load > each.ready for each in samples)


def over(samples: Sequence[Sample], period: float) -> float:
    """See ``Figures``; one replica is never too many, and neither is the minimum."""
    return period * sum(each.ready > max(1, each.minimum) and each.load <= SPARE * (each.ready - 1) for each in samples)


def share(part: float, whole: float) -> float:
    """NaN of nothing."""
    return part / whole if whole else math.nan


quantile = outcome.quantile
