"""What an autoscaler does next. Pure.

| state                                             | move                                                               |
|---------------------------------------------------|--------------------------------------------------------------------|
| the target has 0 replicas, and 0 is no bound      | nothing: switched off (ScalingDisabled)                            |
| more replicas than ``maxReplicas``                | down to it, whatever is measured                                   |
| fewer than ``minReplicas``                        | up to it                                                           |
| no metric can be measured                         | nothing                                                            |
| some cannot, and the others ask for fewer         | nothing: what is not known may need those there are                |
| else                                              | the highest proposal of all metrics, within ``behavior``           |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import contract
from brickyard.embedded.builtin.hpa import behavior
from brickyard.kube.objects import conditions, meta
from brickyard.lib import timestamps

Conditions = list[resources.Object]

_LIMITS = {
    "TooFewReplicas": "the desired replica count is less than the minimum replica count",
    "TooManyReplicas": "the desired replica count is more than the maximum replica count",
    "ScaleUpLimit": "the desired replica count is increasing faster than the maximum scale rate",
    "ScaleDownLimit": "the desired replica count is decreasing faster than the maximum scale rate",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What one metric came to. ``replicas`` None: it could not be measured, and ``reason`` and ``why`` say what for.

    ``name`` is how messages call the metric; ``current`` its entry of ``status.currentMetrics``.
    """

    name: str
    replicas: int | None
    current: Mapping[str, Any] | None = None
    reason: str = ""
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """What a pass knows. ``current`` is what the target's spec asks for, ``running`` what its status says there is."""

    autoscaler: resources.Object
    current: int
    running: int
    readings: Sequence[Reading]
    memory: behavior.Memory


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """``replicas`` is what the target shall have, None to leave it alone; ``status`` the whole new status."""

    replicas: int | None
    reason: str
    status: dict[str, Any]
    memory: behavior.Memory
    events: tuple[contract.PlannedEvent, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class _Decision:
    wanted: int
    reason: str
    conditions: tuple[conditions.Condition, ...]
    memory: behavior.Memory
    events: tuple[contract.PlannedEvent, ...] = ()


def plan(snapshot: Snapshot, now: float) -> Plan:
    """One decision. ``now`` is Unix seconds."""
    found = _decide(snapshot, now)
    moves = found.wanted != snapshot.current
    memory = found.memory.changing(found.wanted - snapshot.current, now) if moves else found.memory
    events = found.events
    told = found.conditions
    if moves:
        message = f"New size: {found.wanted}; reason: {found.reason}"
        events = (*events, contract.PlannedEvent("Normal", "SuccessfulRescale", message))
        text = f"the HPA controller was able to update the target scale to {found.wanted}"
        told = (*told, conditions.Condition("AbleToScale", "True", "SucceededRescale", text))
    return Plan(
        replicas=found.wanted if moves else None,
        reason=found.reason,
        status=_status(snapshot, found.wanted, told, now, moved=moves),
        memory=memory,
        events=events,
    )


def unreachable(autoscaler: resources.Object, message: str, now: float) -> dict[str, Any]:
    """The status where the target's scale cannot be read."""
    text = f"the HPA controller was unable to get the target's current scale: {message}"
    failed = conditions.Condition("AbleToScale", "False", "FailedGetScale", text)
    before = autoscaler.get("status") or {}
    return {**before, "conditions": _told(before.get("conditions"), (failed,), now)}


def _decide(snapshot: Snapshot, now: float) -> _Decision:
    spec, current = snapshot.autoscaler["spec"], snapshot.current
    limits = behavior.bounds(spec)
    memory = snapshot.memory
    if current == 0 and limits.least != 0:
        text = "scaling is disabled since the replica count of the target is zero"
        off = conditions.Condition("ScalingActive", "False", "ScalingDisabled", text)
        return _Decision(0, "switched off", (_able(), off), memory)
    if current > limits.most:
        return _Decision(limits.most, "Current number of replicas above Spec.MaxReplicas", (_able(),), memory)
    if current < limits.least:
        return _Decision(limits.least, "Current number of replicas below Spec.MinReplicas", (_able(),), memory)
    return _measured(snapshot, memory, now)


def _able() -> conditions.Condition:
    text = "the HPA controller was able to get the target's current scale"
    return conditions.Condition("AbleToScale", "True", "SucceededGetScale", text)


def _measured(snapshot: Snapshot, memory: behavior.Memory, now: float) -> _Decision:
    current = snapshot.current
    failed = [each for each in snapshot.readings if each.replicas is None]
    best = max((each for each in snapshot.readings if each.replicas is not None), key=_replicas, default=None)
    events = tuple(contract.PlannedEvent("Warning", each.reason, each.why) for each in failed)
    if best is None or (failed and _replicas(best) < current):
        return _blind(current, failed, memory, events)
    wanted = _replicas(best)
    # One who knows nothing of earlier recommendations takes what there is for one: a restart must not shrink anything at once.
    memory = memory if memory.recommended else memory.recommending(current, now)
    allowed = behavior.allow(snapshot.autoscaler["spec"], wanted, current, memory, now)
    text = f"the HPA was able to successfully calculate a replica count from {best.name}"
    active = conditions.Condition("ScalingActive", "True", "ValidMetricFound", text)
    limited = conditions.Condition(
        "ScalingLimited", "False", "DesiredWithinRange", "the desired count is within the acceptable range"
    )
    if allowed.limit:
        limited = conditions.Condition("ScalingLimited", "True", allowed.limit, _LIMITS[allowed.limit])
    reason = f"{best.name} above target" if allowed.replicas > current else "All metrics below target"
    told = (_ability(allowed, current), active, limited)
    return _Decision(allowed.replicas, reason, told, memory.recommending(wanted, now), events)


def _replicas(reading: Reading) -> int:
    return reading.replicas or 0


def _blind(
    current: int, failed: Sequence[Reading], memory: behavior.Memory, events: tuple[contract.PlannedEvent, ...]
) -> _Decision:
    first = failed[0] if failed else Reading("", None, reason="InvalidMetrics", why="there is no metric")
    text = f"the HPA was unable to compute the replica count: {first.why}"
    inactive = conditions.Condition("ScalingActive", "False", first.reason, text)
    return _Decision(current, first.why, (_able(), inactive), memory, events)


def _ability(allowed: behavior.Allowed, current: int) -> conditions.Condition:
    if allowed.stabilised == "down":
        text = "recent recommendations were higher than current one, applying the highest recent recommendation"
        return conditions.Condition("AbleToScale", "True", "ScaleDownStabilized", text)
    if allowed.stabilised == "up":
        text = "recent recommendations were lower than current one, applying the lowest recent recommendation"
        return conditions.Condition("AbleToScale", "True", "ScaleUpStabilized", text)
    if allowed.replicas == current:
        text = "recommended size matches current size"
        return conditions.Condition("AbleToScale", "True", "ReadyForNewScale", text)
    return _able()


def _told(before: Sequence[Mapping[str, Any]] | None, found: Sequence[conditions.Condition], now: float) -> Conditions:
    told: Conditions = [dict(each) for each in before or ()]
    for each in found:
        told = conditions.set_condition(told, each, timestamps.rfc3339(now))
    return told


def _status(
    snapshot: Snapshot, wanted: int, found: Sequence[conditions.Condition], now: float, *, moved: bool
) -> dict[str, Any]:
    before = snapshot.autoscaler.get("status") or {}
    status: dict[str, Any] = {
        "observedGeneration": meta.generation(snapshot.autoscaler),
        "lastScaleTime": timestamps.rfc3339(now) if moved else before.get("lastScaleTime"),
        "currentReplicas": snapshot.running,
        "desiredReplicas": wanted,
        "currentMetrics": [dict(each.current) for each in snapshot.readings if each.current is not None] or None,
        "conditions": _told(before.get("conditions"), found, now),
    }
    return {key: value for key, value in status.items() if value is not None}
