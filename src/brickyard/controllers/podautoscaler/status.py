"""The status of an autoscaler, worked out once per pass from what the pass found. Pure.

    condition                   status                                reason
    ValidSpec                   spec can be worked with               AsExpected, or what is wrong with it
    ValidSettings               False, there only while values of     InvalidValue
                                annotations or targets are not used
    MultiPodAutoscalerConflict  False, there only while another       MultiPodAutoscalerConflict, or
                                autoscaler has the target             HorizontalPodAutoscalerConflict
    ScalingActive               desired is not actual                 ReconcilingScaleDiff, Stable; without a decision FailedComputeScale,
                                                                      or WaitingForPods where no pod is ready to be asked
    AbleToScale                 the target could be read and written  SucceededGetScale, Configured (HPA), FailedGetScale,
                                                                      FailedUpdateScale, InvalidSpec, or the conflict's
    Ready                       AbleToScale and not ScalingActive;    AsExpected, else the reason of the one that fails
                                HPA: both are True, sizes are alike

The message of ScalingActive carries numbers that are others every pass. A status that differs from the one before in nothing else is
kept for ``WORDS`` seconds: five hundred autoscalers would otherwise write fifty times a second what nobody reads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from brickyard.api.kinds import resources, shapes
from brickyard.api.kinds.podautoscaler import types
from brickyard.controllers.podautoscaler import timing, validity
from brickyard.kube.objects import conditions
from brickyard.lib import timestamps
from brickyard.scaling import contract, words

WORDS: Final = 300.0
"""Seconds for which other numbers in a message are no reason to write."""
VALID_SETTINGS: Final = "ValidSettings"
REASON_INVALID_VALUE: Final = "InvalidValue"
REASON_FOREIGN_HPA: Final = "HorizontalPodAutoscalerConflict"
REASON_WAITING: Final = "WaitingForPods"
_SAME_ENTRY: Final = 5.0
"""Seconds within which the same entry of the history is written once."""
_LONGEST: Final = 1000
"""Characters of one message."""


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing may be scaled: another autoscaler has the target. ``reason`` is the condition's."""

    reason: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds that hold; ``schedule`` is "" where those of the spec do."""

    minimum: int
    maximum: int
    schedule: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """What was asked of the target, or why nothing could be.

    Attributes:
        error: what went wrong; "" when the target took it.
    """

    before: int
    after: int
    reason: str
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What one pass found, as far as it came.

    Attributes:
        fault: the spec cannot be worked with.
        refusal: the target is another's.
        problems: settings that are not used.
        bounds: that hold; None where the spec has none that can be read.
        unable: reason and text of AbleToScale being False; None when it is True.
        actual: replicas that the target asked for when it was read; None when it was not.
        desired: replicas decided on; None for no decision.
        words: what led there, or why there is no decision.
        undecided: reason of there being no decision; "" where there is one.
        action: what was done about it.
        mirrored: status of the HorizontalPodAutoscaler that does the work; None where we do.
    """

    fault: validity.Fault | None = None
    refusal: Refusal | None = None
    problems: tuple[contract.Problem, ...] = ()
    bounds: Bounds | None = None
    unable: tuple[str, str] | None = None
    actual: int | None = None
    desired: int | None = None
    words: str = ""
    undecided: str = ""
    action: Action | None = None
    mirrored: Mapping[str, Any] | None = None


def status(old: Mapping[str, Any], found: Finding, generation: int, now: float) -> resources.Object:
    """The status after a pass that found ``found``; ``old`` is the one before, whose times and history go on."""
    actual = old.get("actualScale", 0) if found.actual is None else found.actual
    desired = old.get("desiredScale", 0) if found.actual is None else found.desired
    desired = actual if desired is None else desired
    new: resources.Object = {**old, "desiredScale": desired, "actualScale": actual}
    if found.mirrored is not None and found.mirrored.get("lastScaleTime"):
        new["lastScaleTime"] = found.mirrored["lastScaleTime"]
    if found.bounds is not None:
        new["scheduledBounds"] = _bounds(found.bounds)
    if found.action is not None:
        _record(new, found.action, now)
    new["conditions"] = _conditions(old, found, (desired, actual), generation, timestamps.rfc3339(now))
    return new


def last_step(told: Mapping[str, Any]) -> timing.Step | None:
    """The latest change that the status ``told`` remembers, to the second; None where it remembers none."""
    for entry in reversed(shapes.sequence(told, "scalingHistory")):
        before, after = shapes.integer(entry, "previousScale"), shapes.integer(entry, "newScale")
        if before is not None and after is not None and before != after and shapes.at(entry, "success") is True:
            try:
                return timing.Step(timestamps.parse_rfc3339(shapes.text(entry, "timestamp") or ""), after > before)
            except ValueError:
                return None
    return None


def is_news(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the two differ in more than the numbers of ScalingActive's message."""
    return _without_numbers(old) != _without_numbers(new)


def _without_numbers(found: Mapping[str, Any]) -> Mapping[str, Any]:
    told = [
        {**each, "message": ""} if each.get("type") == types.SCALING_ACTIVE else each
        for each in found.get("conditions") or ()
    ]
    return {**found, "conditions": told}


def _bounds(found: Bounds) -> resources.Object:
    said = {"effectiveMinReplicas": found.minimum, "effectiveMaxReplicas": found.maximum}
    return {"activeSchedule": found.schedule, **said} if found.schedule else said


def _record(into: resources.Object, action: Action, now: float) -> None:
    entry: resources.Object = {
        "timestamp": timestamps.rfc3339(now),
        "previousScale": action.before,
        "newScale": action.after,
        "reason": action.reason,
        "success": not action.error,
    }
    if action.error:
        entry["error"] = _cut(action.error)
    else:
        into["lastScaleTime"] = entry["timestamp"]
    history = list(into.get("scalingHistory") or ())
    if not history or not _repeats(history[-1], entry, now):
        history.append(entry)
    into["scalingHistory"] = history[-types.HISTORY_LIMIT :]


def _repeats(last: Mapping[str, Any], entry: Mapping[str, Any], now: float) -> bool:
    """A failure that goes on is one entry, however long: otherwise it would drive out what really happened."""
    same = ("newScale", "success", "reason")
    if any(last.get(key) != entry[key] for key in same):
        return False
    return not entry["success"] or now - timestamps.parse_rfc3339(str(last["timestamp"])) < _SAME_ENTRY


# Conditions.


def _conditions(
    old: Mapping[str, Any], found: Finding, scale: tuple[int, int], generation: int, now: str
) -> list[resources.Object]:
    result: list[resources.Object] = [dict(each) for each in old.get("conditions") or ()]
    said = [_valid_spec(found), *_optional(found), *_scaling(found, scale)]
    kept = {each.type for each in said} | _mirrored_types(found)
    result = [each for each in result if each.get("type") in kept]
    for each in said:
        message = _cut(each.message or each.reason)
        told = dataclasses.replace(each, message=message, observed_generation=generation or None)
        result = conditions.set_condition(result, told, now)
    return _with_mirrored(result, found)


def _valid_spec(found: Finding) -> conditions.Condition:
    if found.fault is not None:
        return conditions.Condition(types.VALID_SPEC, "False", found.fault.reason, found.fault.text)
    return conditions.Condition(types.VALID_SPEC, "True", types.REASON_AS_EXPECTED, "the spec can be worked with")


def _optional(found: Finding) -> Sequence[conditions.Condition]:
    result = []
    if found.problems:
        text = "not used: " + "; ".join(f"{each.where}: {each.text}" for each in found.problems)
        result.append(conditions.Condition(VALID_SETTINGS, "False", REASON_INVALID_VALUE, text))
    if found.refusal is not None:
        result.append(conditions.Condition(types.CONFLICT, "False", found.refusal.reason, found.refusal.text))
    return result


def _scaling(found: Finding, scale: tuple[int, int]) -> Sequence[conditions.Condition]:
    able, active = _able(found), _active(found, scale)
    desired, actual = scale
    failing = _failing(found.mirrored)
    if able.status == "False":
        ready = conditions.Condition(types.READY, "False", able.reason, able.message)
    elif failing is not None:
        ready = conditions.Condition(
            types.READY, "False", failing["reason"], failing.get("message") or failing["reason"]
        )
    elif found.undecided:
        ready = conditions.Condition(
            types.READY, "False", found.undecided, "nothing says how many replicas there should be"
        )
    elif active.status == "True":
        ready = conditions.Condition(types.READY, "False", active.reason, f"desired={desired}, actual={actual}")
    else:
        verb = "is" if actual == 1 else "are"
        text = f"there {verb} {words.replicas(actual)}, as there should be"
        ready = conditions.Condition(types.READY, "True", types.REASON_AS_EXPECTED, text)
    return (able, active, ready)


def _able(found: Finding) -> conditions.Condition:
    if found.fault is not None:
        return conditions.Condition(types.ABLE_TO_SCALE, "False", types.REASON_INVALID_SPEC, found.fault.text)
    if found.refusal is not None:
        return conditions.Condition(types.ABLE_TO_SCALE, "False", found.refusal.reason, found.refusal.text)
    if found.unable is not None:
        return conditions.Condition(types.ABLE_TO_SCALE, "False", *found.unable)
    if found.mirrored is not None:
        text = "a HorizontalPodAutoscaler does the work"
        return conditions.Condition(types.ABLE_TO_SCALE, "True", types.REASON_CONFIGURED, text)
    text = "the target can be read and scaled"
    return conditions.Condition(types.ABLE_TO_SCALE, "True", types.REASON_GOT_SCALE, text)


def _active(found: Finding, scale: tuple[int, int]) -> conditions.Condition:
    desired, actual = scale
    numbers = f"desired={desired}, actual={actual}"
    known = found.actual is not None or found.mirrored is not None
    told = found.words if known else "as last known; nothing is decided, AbleToScale says why"
    text = f"{numbers}: {told}" if told else numbers
    if found.undecided:
        return conditions.Condition(types.SCALING_ACTIVE, "False", found.undecided, text)
    if desired != actual:
        return conditions.Condition(types.SCALING_ACTIVE, "True", types.REASON_SCALING, text)
    return conditions.Condition(types.SCALING_ACTIVE, "False", types.REASON_STABLE, text)


def _failing(mirrored: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What keeps the HorizontalPodAutoscaler from its work; None where nothing does. Its ScalingActive means that it can decide."""
    told = (mirrored or {}).get("conditions")
    return conditions.failing(told, types.ABLE_TO_SCALE) or conditions.failing(told, types.SCALING_ACTIVE)


def _mirrored_types(found: Finding) -> set[str]:
    return {each["type"] for each in (found.mirrored or {}).get("conditions") or ()}


def _with_mirrored(result: list[resources.Object], found: Finding) -> list[resources.Object]:
    """With the conditions of the HorizontalPodAutoscaler in place of ours of the same type, their times included."""
    theirs = {each["type"]: dict(each) for each in (found.mirrored or {}).get("conditions") or ()}
    if not theirs:
        return result
    complete = {kind: {**each, "message": each.get("message") or each["reason"]} for kind, each in theirs.items()}
    ours = [each for each in result if each["type"] not in complete]
    return [*ours, *complete.values()]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
