"""From what pods measure to how many there should be. Pure.

    ratio    = measured / target, of the ready pods that have a measurement
    proposal = ceil(ratio * ready pods), or as many as there are where the ratio is within the tolerance of 1

Pods that say nothing damp the move, whichever way it goes; where that turns the move round, nothing moves:

    | pod                                      | scaling up counts it as | scaling down counts it as     |
    |------------------------------------------|-------------------------|-------------------------------|
    | ready, not measured                      | 0                       | at its target (at least 100%) |
    | not ready yet                            | 0                       | not there                     |
    | failed, or being deleted                 | not there               | not there                     |

A pod is not ready yet for CPU while it starts (five minutes) and is not Ready, and later when it was never Ready for longer than half a
minute after its start; for other metrics when it is Pending. Values are thousandths throughout, exact.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Protocol

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import podstate
from brickyard.kube.objects import conditions, meta
from brickyard.lib import errors

CPU_START = 300.0
READINESS_DELAY = 30.0


class UnmeasuredError(errors.BrickyardError):
    """No number can be proposed; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tolerance:
    """How far the ratio may be from 1 without a move."""

    up: Fraction = Fraction(1, 10)
    down: Fraction = Fraction(1, 10)

    def holds(self, ratio: Fraction) -> bool:
        """Whether ``ratio`` is near enough to 1."""
        return 1 - self.down <= ratio <= 1 + self.up


class Goal(Protocol):
    """What is wanted of each pod."""

    def ratio(self, values: Mapping[str, int]) -> Fraction:
        """Measured to wanted, for pods by name."""
        ...

    def as_wanted(self, pod: str) -> int:
        """What a pod that is not measured is believed to use when there may be too many."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Utilization:
    """A share of what each pod requests: ``target`` in per cent, ``requests`` by pod."""

    target: int
    requests: Mapping[str, int]

    def percent(self, values: Mapping[str, int]) -> int:
        """The measured share.

        Raises:
            UnmeasuredError: none of the pods requests anything.
        """
        asked = sum(self.requests.get(pod, 0) for pod in values)
        if not asked:
            raise UnmeasuredError("no metrics returned matched known pods")
        return sum(value for pod, value in values.items() if pod in self.requests) * 100 // asked

    def ratio(self, values: Mapping[str, int]) -> Fraction:
        return Fraction(self.percent(values), self.target)

    def as_wanted(self, pod: str) -> int:
        return self.requests.get(pod, 0) * max(100, self.target) // 100


@dataclasses.dataclass(frozen=True, slots=True)
class Average:
    """A value for each pod, in thousandths."""

    target: int

    def ratio(self, values: Mapping[str, int]) -> Fraction:
        return Fraction(sum(values.values()) // len(values), self.target)

    def as_wanted(self, pod: str) -> int:
        del pod
        return self.target


@dataclasses.dataclass(frozen=True, slots=True)
class Groups:
    """Names of pods by what can be said of them; ``values`` are those of ``ready`` pods."""

    values: Mapping[str, int]
    unready: frozenset[str]
    missing: frozenset[str]


def group(pods: Sequence[resources.Object], values: Mapping[str, int], now: float, *, cpu: bool) -> Groups:
    """Sort ``pods`` by the rules above."""
    ready: dict[str, int] = {}
    unready, missing = set(), set()
    for pod in pods:
        name = meta.name(pod)
        if podstate.is_terminating(pod) or podstate.phase(pod) == "Failed":
            continue
        if podstate.phase(pod) == "Pending":
            unready.add(name)
        elif name not in values:
            missing.add(name)
        elif cpu and _starting(pod, now):
            unready.add(name)
        else:
            ready[name] = values[name]
    return Groups(ready, frozenset(unready), frozenset(missing))


def _starting(pod: resources.Object, now: float) -> bool:
    status: Mapping[str, Any] = pod.get("status") or {}
    condition = conditions.find(status.get("conditions"), "Ready")
    began = podstate.timestamp(status.get("startTime"))
    if condition is None or began is None:
        return True
    if condition.get("status") == "True":
        return False
    changed = podstate.timestamp(condition.get("lastTransitionTime")) or began
    return now < began + CPU_START or changed < began + READINESS_DELAY


def from_pods(goal: Goal, groups: Groups, current: int, tolerance: Tolerance) -> int:
    """How many replicas, by what each pod measures. ``current`` is how many are asked for now.

    Raises:
        UnmeasuredError: no ready pod is measured.
    """
    if not groups.values:
        raise UnmeasuredError("did not receive metrics for targeted pods (pods might be unready)")
    values = dict(groups.values)
    ratio = goal.ratio(values)
    held_back = groups.unready if ratio > 1 else frozenset()
    if not held_back and not groups.missing:
        return current if tolerance.holds(ratio) else math.ceil(ratio * len(values))
    if ratio < 1:
        values |= {pod: goal.as_wanted(pod) for pod in groups.missing}
    elif ratio > 1:
        values |= dict.fromkeys(groups.missing, 0)
    values |= dict.fromkeys(held_back, 0)
    damped = goal.ratio(values)
    turned = (damped < 1) != (ratio < 1) or (damped > 1) != (ratio > 1)
    if tolerance.holds(damped) or turned:
        return current
    proposed = math.ceil(damped * len(values))
    wrong_way = (damped < 1 and proposed > current) or (damped > 1 and proposed < current)
    return current if wrong_way else proposed


def from_value(value: int, target: int, ready: int, current: int, tolerance: Tolerance) -> int:
    """How many replicas for one value of the whole, such as the length of a queue, that ``target`` is wanted of."""
    ratio = Fraction(value, target)
    return current if tolerance.holds(ratio) else math.ceil(ratio * ready)


def from_total(value: int, per_pod: int, current: int, tolerance: Tolerance) -> int:
    """How many replicas so that each has ``per_pod`` of ``value``."""
    if current and tolerance.holds(Fraction(value, per_pod * current)):
        return current
    return math.ceil(Fraction(value, per_pod))
