"""Settings and observations in few words, and a workload that obeys: for the tests of whatever decides by this room."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from brickyard.api.kinds.podautoscaler import schedules
from brickyard.scaling import contract, decide

KEY = "waiting"
"""Key of the metric that is meant where none is named."""
START = 1_800_000_000.0
"""A Unix time."""
PERIOD = 10.0
"""Seconds between two passes."""


def metric(key: str = KEY, target: float = 10.0, *, whole: bool = False, exact: bool = False) -> contract.Metric:
    """A metric called as its key."""
    return contract.Metric(key, key, target, contract.Form.WHOLE if whole else contract.Form.PODS, exact)


def settings(
    strategy: contract.Strategy = contract.Strategy.KPA,
    *metrics: contract.Metric,
    bounds: tuple[int, int | None] = (0, 100),
    **own: Any,
) -> contract.Settings:
    """AIBrix's defaults but for ``own``; one metric of pods with target 10 where none is given."""
    return contract.Settings(strategy, metrics or (metric(),), schedules.Bounds(*bounds), **own)


def pods(*values: float | str | None, key: str = KEY, at: float = START) -> contract.Observation:
    """Of one pod each: its value, None where it is not ready, a text where it could not be measured."""
    return contract.Observation(key, at, tuple(_pod(f"pod-{index}", each, at) for index, each in enumerate(values)))


def _pod(name: str, found: float | str | None, at: float) -> contract.PodReading:
    if found is None:
        return contract.PodReading(name, contract.Health.UNREADY)
    if isinstance(found, str):
        return contract.PodReading(name, contract.Health.MISSING, why=found)
    return contract.PodReading(name, contract.Health.READY, found, at)


def whole(value: float | None, key: str = KEY, at: float = START, why: str = "") -> contract.Observation:
    """Of the workload as a whole."""
    return contract.Observation(key, at, whole=value, why=why)


def shared(demand: float, replicas: int, key: str = KEY) -> contract.Observation:
    """``demand``, shared out evenly."""
    return pods(*[demand / replicas] * replicas, key=key) if replicas else pods(key=key)


def dated(seen: contract.Observation, at: float) -> contract.Observation:
    """The same, measured at ``at``."""
    return dataclasses.replace(seen, at=at, pods=tuple(dataclasses.replace(each, at=at) for each in seen.pods))


class Workload:
    """One autoscaler and a target that does as it is told, at once. Plain fields may be set at any time."""

    def __init__(self, own: contract.Settings, replicas: int, now: float = START) -> None:
        self.settings = own
        self.replicas = replicas
        self.now = now
        self.memory = decide.Memory()
        self.made: list[contract.Recommendation] = []

    def look(self, *seen: contract.Observation) -> contract.Recommendation:
        """One pass, without its consequences for replicas or time."""
        snapshot = contract.Snapshot(self.replicas, tuple(dated(each, self.now) for each in seen))
        made = decide.decide(self.settings, self.memory, snapshot, self.now)
        self.made.append(made)
        return made

    def step(self, *seen: contract.Observation, seconds: float = PERIOD) -> contract.Recommendation:
        """One pass; the target obeys, and ``seconds`` go by."""
        made = self.look(*seen)
        if made.desired is not None:
            self.replicas = made.desired
        self.now += seconds
        return made

    def run(
        self, seconds: float, seen: Callable[[Workload], Sequence[contract.Observation]], period: float = PERIOD
    ) -> list[contract.Recommendation]:
        """Passes for ``seconds``, each with what ``seen`` says of this workload."""
        end = self.now + seconds - period / 2
        made = []
        while self.now < end:
            made.append(self.step(*seen(self), seconds=period))
        return made

    def under(self, demand: float, seconds: float) -> list[contract.Recommendation]:
        """Passes for ``seconds`` with a constant ``demand`` that the replicas share."""
        return self.run(seconds, lambda each: (shared(demand, each.replicas),))

    @property
    def changes(self) -> list[tuple[int, int]]:
        """Every move so far."""
        return [(each.current, each.desired) for each in self.made if each.moves and each.desired is not None]
