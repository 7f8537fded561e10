"""Measures everything one autoscaler scales by, at once and within a deadline.

What is not there in time is told as such and not waited for: one slow source must not keep the others from being heard. A ``Witness``
may add metrics that no autoscaler's spec names, such as requests that a gateway holds for a workload without replicas.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Final, Protocol, runtime_checkable

from brickyard.api.kinds import resources, shapes
from brickyard.api.kinds.podautoscaler import types
from brickyard.controllers.podautoscaler import targets
from brickyard.controllers.podautoscaler.sources import contract as sources
from brickyard.scaling import contract, settings

DEADLINE: Final = 6.0
"""Seconds for all metrics of one autoscaler."""


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """What is measured, for whom.

    Attributes:
        autoscaler: in today's form.
        settings: whose metrics are asked for.
        wanted: the target.
        size: as it was just read.
        pods: its replicas, ready or not.
    """

    autoscaler: resources.Object
    settings: contract.Settings
    wanted: targets.Reference
    size: targets.Size
    pods: Sequence[resources.Object]


class Witness(Protocol):
    """Knows more than the metrics of the spec tell."""

    def testify(self, subject: Subject, now: float) -> Sequence[tuple[contract.Metric, contract.Observation]]:
        """Metrics to scale by besides, with what they measure. Must not block."""
        ...


@runtime_checkable
class Waiver(Protocol):
    """A witness whose word may be enough."""

    def waives(self, subject: Subject, now: float) -> bool:
        """Whether the metrics of the spec need not be asked: they would only say that they cannot be read."""
        ...


class Observer:
    """Asks ``source``, which reads every kind of metric, and hears the ``witnesses``."""

    def __init__(
        self, source: sources.Source, witnesses: Sequence[Witness] = (), *, deadline: float = DEADLINE
    ) -> None:
        self._source = source
        self._witnesses = tuple(witnesses)
        self._deadline = deadline

    async def observe(self, subject: Subject, now: float) -> tuple[contract.Settings, contract.Snapshot]:
        """The settings with every metric there is to scale by, and what they measure."""
        told = [each for witness in self._witnesses for each in witness.testify(subject, now)]
        asked = subject.settings
        if any(isinstance(each, Waiver) and each.waives(subject, now) for each in self._witnesses):
            asked = dataclasses.replace(asked, metrics=())
        measured = await asyncio.gather(*(self._measure(subject, each, now) for each in asked.metrics))
        if told:
            asked = dataclasses.replace(asked, metrics=asked.metrics + tuple(metric for metric, _ in told))
        observations = (*measured, *(observation for _, observation in told))
        return asked, contract.Snapshot(subject.size.replicas, observations)

    async def _measure(self, subject: Subject, metric: contract.Metric, now: float) -> contract.Observation:
        try:
            async with asyncio.timeout(self._deadline):
                return await self._source.observe(_wanted(subject, metric), now)
        except TimeoutError:
            why = f"{metric.name} could not be read within {self._deadline:g} s"
            return contract.Observation(metric.key, now, why=why)


def _wanted(subject: Subject, metric: contract.Metric) -> sources.Wanted:
    written = shapes.sequence(subject.autoscaler, "spec", "metricsSources")
    source = dict(zip(settings.keys(written), written, strict=True))[metric.key]
    return sources.Wanted(
        metric, types.MetricSource(source), subject.wanted.namespace, subject.pods, str(subject.size.selector)
    )
