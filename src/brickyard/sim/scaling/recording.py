"""An autoscaler's own history, decided again with other settings.

The history tells what was demanded of the whole workload at each look, and what one replica should do of it. The same demand is shown to
``scaling.decide`` under other settings; replicas follow after the cold start. There are no requests, so nothing is said of waiting.

A demand that depends on the number of replicas (a queue that fewer replicas would have let grow) is taken as it was: what other settings
would have made of the load itself, only a replay of requests can tell.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from brickyard.scaling import contract, decide
from brickyard.sim.scaling import errors, outcome

_KEY: Final = "recorded"
_NEEDED: Final = ("at", "demand", "high", "target", "actual")


class Point(NamedTuple):
    """One look: Unix time, the demand of the whole (low and high), what one replica should do of it, replicas there were."""

    at: float
    demand: float
    high: float
    target: float
    actual: int


@dataclasses.dataclass(frozen=True, slots=True)
class Recording:
    """Looks in the order of their times."""

    name: str
    points: Sequence[Point]


def read(page: Any, name: str) -> Recording:
    """Of the page that ``brickyard autoscaler explain -o json`` shows.

    Raises:
        ReplayError: it is none, or nothing in it was measured.
    """
    try:
        fields = list(page["history"]["fields"])
        places = [fields.index(each) for each in _NEEDED]
        rows = [[row[place] for place in places] for row in page["history"]["points"]]
        points = sorted(
            Point(float(at), float(demand), float(demand if high is None else high), float(target), int(actual))
            for at, demand, high, target, actual in rows
            if None not in (at, demand, target, actual) and target > 0
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise errors.ReplayError(
            f"{name} holds no history of an autoscaler: save `brickyard autoscaler explain NAME -o json`"
        ) from error
    if len(points) < 2:
        raise errors.ReplayError(f"{name} has {len(points)} looks at which something was measured: a replay needs two")
    return Recording(name, points)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """One way to scale; its metrics are replaced by the recorded one. ``cold_start`` in seconds."""

    label: str
    settings: contract.Settings
    cold_start: float = 120.0


def run(recording: Recording, plan: Plan) -> outcome.Outcome:
    """Decide again, look by look."""
    memory = decide.Memory()
    fleet = _Fleet(recording.points[0].actual, plan.cold_start)
    start = recording.points[0].at
    samples: list[outcome.Sample] = []
    moves: list[contract.Recommendation] = []
    for point in recording.points:
        fleet.until(point.at)
        metric, seen = _seen(point, fleet)
        settings = dataclasses.replace(plan.settings, metrics=(metric,))
        told = decide.decide(settings, memory, contract.Snapshot(fleet.wanted, (seen,)), point.at)
        if told.desired is not None and told.moves:
            moves.append(told)
            fleet.resize(told.desired, point.at)
        samples.append(_sample(point, start, fleet, told))
    return outcome.Outcome(
        plan.label,
        plan.settings,
        start,
        _period(recording.points),
        tuple(samples),
        tuple(moves),
        _figures(samples, fleet, recording),
    )


def _seen(point: Point, fleet: _Fleet) -> tuple[contract.Metric, contract.Observation]:
    """What the replayed workload would have shown. Where pods were silent, as many of its own are, so that demand stays an interval."""
    silent = round((point.high - point.demand) / point.target)
    if silent <= 0 or not fleet.ready:
        whole = contract.Metric(_KEY, _KEY, point.target, contract.Form.WHOLE)
        return whole, contract.Observation(_KEY, point.at, whole=point.demand)
    telling = max(1, fleet.ready - silent)
    pods = [
        contract.PodReading(f"pod-{number}", contract.Health.READY, point.demand / telling, point.at)
        for number in range(telling)
    ]
    pods += [
        contract.PodReading(f"silent-{number}", contract.Health.MISSING, why="it was silent then")
        for number in range(silent)
    ]
    return contract.Metric(_KEY, _KEY, point.target), contract.Observation(_KEY, point.at, tuple(pods))


def _sample(point: Point, start: float, fleet: _Fleet, told: contract.Recommendation) -> outcome.Sample:
    load = point.demand / point.target
    panicking = told.panicking_since is not None
    return outcome.Sample(
        point.at - start, fleet.wanted, fleet.ready, load, load, 0, panicking, told.minimum, told.maximum
    )


def _period(points: Sequence[Point]) -> float:
    return (points[-1].at - points[0].at) / (len(points) - 1)


def _figures(samples: Sequence[outcome.Sample], fleet: _Fleet, recording: Recording) -> outcome.Figures:
    points, period = recording.points, _period(recording.points)
    fleet.until(points[-1].at)
    replicas = [points[0].actual, *(each.wanted for each in samples)]
    return outcome.Figures(
        requests=0,
        missed=math.nan,
        lost=0,
        p50=math.nan,
        p99=math.nan,
        replica_hours=fleet.spent / 3600,
        mean=outcome.share(fleet.spent, points[-1].at - points[0].at),
        events=outcome.events(replicas),
        oscillations=outcome.oscillations(replicas),
        under=outcome.under(samples, period),
        over=outcome.over(samples, period),
        most_waiting=0,
    )


class _Fleet:
    """Numbers of replicas: ``wanted``, and ``ready`` after the cold start. ``spent`` in replica-seconds from orders on."""

    def __init__(self, replicas: int, cold_start: float) -> None:
        self.wanted = self.ready = replicas
        self.spent = 0.0
        self._cold_start = cold_start
        self._starting: collections.deque[float] = collections.deque()
        self._now: float | None = None

    def until(self, now: float) -> None:
        self.spent += self.wanted * (now - (now if self._now is None else self._now))
        self._now = now
        while self._starting and self._starting[0] <= now:
            self._starting.popleft()
            self.ready += 1

    def resize(self, wanted: int, now: float) -> None:
        for _ in range(wanted - self.wanted):
            self._starting.append(now + self._cold_start)
        for _ in range(self.wanted - wanted):
            if self._starting:
                self._starting.pop()
            else:
                self.ready -= 1
        self.wanted = wanted


def of_page(document: Any) -> bool:
    """Whether a JSON document is such a page at all."""
    return isinstance(document, Mapping) and "history" in document
