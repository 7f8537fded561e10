"""From what was read to what the workload has to do: one interval per metric and pass. Pure.

    | pod of a PODS metric                     | total low | total high | counts in the mean upwards | downwards |
    |------------------------------------------|-----------|------------|----------------------------|-----------|
    | ready, measured v                        | v         | v          | yes                        | yes       |
    | ready, not measured (or no usable number)| 0         | target     | yes                        | yes       |
    | not ready                                | 0         | 0          | yes                        | no        |

A value that is no number, infinite or negative is a value that was not measured: nobody can act on it, and it is not 0.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

from brickyard.scaling import contract

TOLD: Final = 5
"""So many pods that were not measured are named."""
_LARGEST: Final = 1e300


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What one metric says in one pass.

    Attributes:
        total: of the whole workload; None where nothing was read, and ``why`` says why.
        mean: per pod; None for ``Form.WHOLE``, and where there is no pod.
        at: Unix time of the measurement.
        measured: pods that were read.
        unready: pods that are not ready.
        lacking: pods that are ready and were not read.
        missing: the first of those, each with why.
    """

    total: contract.Span | None
    mean: contract.Span | None = None
    at: float = 0.0
    measured: int = 0
    unready: int = 0
    lacking: int = 0
    missing: tuple[str, ...] = ()
    why: str = ""


def usable(value: float) -> bool:
    """Whether somebody can act on ``value``."""
    return 0 <= value < math.inf


def read(metric: contract.Metric, observation: contract.Observation | None, replicas: int) -> Reading:
    """``replicas`` is what the target asks for: where that is 0, having no pods means having nothing to do."""
    if observation is None:
        return Reading(None, why="it was not read")
    if metric.form is contract.Form.WHOLE:
        return _whole(observation)
    return _pods(metric, observation, replicas)


def _whole(observation: contract.Observation) -> Reading:
    value = observation.whole
    if value is None:
        return Reading(None, at=observation.at, why=observation.why or "it has no value")
    if not usable(value):
        return Reading(None, at=observation.at, why=f"its value is {value:g}")
    value = min(value, _LARGEST)
    return Reading(contract.Span(value, value), at=observation.at)


def _pods(metric: contract.Metric, observation: contract.Observation, replicas: int) -> Reading:
    values: list[float] = []
    missing: list[str] = []
    unready = lacking = 0
    for each in observation.pods:
        if each.health is contract.Health.UNREADY:
            unready += 1
        elif each.health is contract.Health.READY and usable(each.value):
            values.append(each.value)
        else:
            lacking += 1
            if len(missing) < TOLD:
                missing.append(_told(each))
    counts = Reading(
        None, at=observation.at, measured=len(values), unready=unready, lacking=lacking, missing=tuple(missing)
    )
    if not values:
        return _silent(counts, observation, replicas)
    low = min(_sum(values), _LARGEST)
    total = contract.Span(low, min(low + lacking * metric.target, _LARGEST))
    ready = len(values) + lacking
    return dataclasses.replace(
        counts, total=total, mean=contract.Span(total.low / (ready + unready), total.high / ready)
    )


def _sum(values: list[float]) -> float:
    """Exact, so that the order of pods does not matter; infinite where the sum is too large for a number."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


def _told(pod: contract.PodReading) -> str:
    why = pod.why or (f"its value is {pod.value:g}" if pod.health is contract.Health.READY else "no reason is known")
    return f"{pod.pod}: {why}"


def _silent(counts: Reading, observation: contract.Observation, replicas: int) -> Reading:
    """No pod has a value."""
    if observation.why:
        return dataclasses.replace(counts, why=observation.why)
    if not observation.pods:
        if not replicas:
            return dataclasses.replace(counts, total=contract.Span(0.0, 0.0))
        return dataclasses.replace(counts, why="there are no pods")
    if not counts.lacking:
        return dataclasses.replace(counts, why="no pod is ready")
    return dataclasses.replace(counts, why=f"no pod could be measured ({counts.missing[0]})")
