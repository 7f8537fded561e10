"""What an autoscaler could read of a simulated fleet, under the names that it has in a cluster: a manifest can be replayed as it is.

At pods: ``num_requests_waiting``, ``num_requests_running``, ``kv_cache_usage_perc`` (0..1; ``gpu_cache_usage_perc`` is vLLM's old name),
and the counters ``prompt_tokens_total``, ``generation_tokens_total``, ``request_success_total``. Of the whole, from the gateway's own page:
``gateway_in_flight_requests``, and the counter ``gateway_request_total``. A counter means what it grew by in a second, since the last look.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from brickyard.scaling import contract
from brickyard.sim.scaling import errors, fleet

_Gauge = Callable[[fleet.Replica, float], float]
_Counter = Callable[[fleet.Replica], int]

GAUGES: Final[Mapping[str, _Gauge]] = {
    "num_requests_waiting": lambda each, now: each.engine.waiting,
    "num_requests_running": lambda each, now: each.engine.running,
    "kv_cache_usage_perc": lambda each, now: each.engine.kv_usage(now),
    "gpu_cache_usage_perc": lambda each, now: each.engine.kv_usage(now),
}
COUNTERS: Final[Mapping[str, _Counter]] = {
    "prompt_tokens_total": lambda each: each.engine.prompted,
    "generation_tokens_total": lambda each: each.engine.said,
    "request_success_total": lambda each: each.engine.ended,
}
OPEN: Final = "gateway_in_flight_requests"
ARRIVALS: Final = "gateway_request_total"
NAMES: Final = (*GAUGES, *COUNTERS, OPEN, ARRIVALS)


def metric(name: str, target: float) -> contract.Metric:
    """The metric called ``name``.

    Raises:
        ReplayError: there is none, or the target is not above 0.
    """
    if name not in NAMES:
        raise errors.ReplayError(f"there is no metric {name!r} in a replay: take one of {', '.join(NAMES)}")
    if not target > 0:
        raise errors.ReplayError(f"a target is above 0, not {target!r}")
    form = contract.Form.WHOLE if name in (OPEN, ARRIVALS) else contract.Form.PODS
    return contract.Metric(name, name, target, form)


@dataclasses.dataclass(slots=True)
class _Seen:
    at: float
    count: float


class Meter:
    """Looks at a fleet. Counters are told as what they grew by since the last look, so it is one meter for one run."""

    def __init__(self, start: float) -> None:
        """``start`` is the Unix time of the fleet's second 0."""
        self._start = start
        self._seen: dict[tuple[str, str], _Seen] = {}
        self.arrived = 0

    def look(self, metrics: tuple[contract.Metric, ...], looked: fleet.Fleet, now: float) -> contract.Snapshot:
        """One pass over the fleet at its second ``now``."""
        observations = tuple(self._observe(each, looked, now) for each in metrics)
        return contract.Snapshot(looked.replicas, observations)

    def _observe(self, metric: contract.Metric, looked: fleet.Fleet, now: float) -> contract.Observation:
        at = self._start + now
        if metric.name == OPEN:
            return contract.Observation(metric.key, at, whole=float(looked.open))
        if metric.name == ARRIVALS:
            return contract.Observation(metric.key, at, whole=self._rate(metric.name, "", self.arrived, now, 0.0))
        ready = [
            contract.PodReading(each.name, contract.Health.READY, self._value(metric.name, each, now), at)
            for each in looked.ready
        ]
        starting = [contract.PodReading(each.name, contract.Health.UNREADY) for each in looked.starting]
        return contract.Observation(metric.key, at, (*ready, *starting))

    def _value(self, name: str, replica: fleet.Replica, now: float) -> float:
        if name in GAUGES:
            return float(GAUGES[name](replica, now))
        return self._rate(name, replica.name, COUNTERS[name](replica), now, replica.ordered)

    def _rate(self, name: str, whose: str, count: float, now: float, since: float) -> float:
        before = self._seen.get((name, whose), _Seen(since, 0.0))
        self._seen[name, whose] = _Seen(now, count)
        return (count - before.count) / (now - before.at) if now > before.at else 0.0
