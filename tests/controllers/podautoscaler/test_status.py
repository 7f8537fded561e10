"""The status of an autoscaler."""

from __future__ import annotations

import dataclasses
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from brickyard.api.kinds.podautoscaler import types
from brickyard.controllers.podautoscaler import status, timing, validity
from brickyard.kube.objects import conditions
from brickyard.lib import timestamps
from brickyard.scaling import contract

NOW = 1_700_000_000.0
FINE = status.Finding(bounds=status.Bounds(1, 5), actual=2, desired=2, words="stays at 2")


def condition(found: dict[str, Any], kind: str) -> str:
    said = conditions.find(found["conditions"], kind)
    return "" if said is None else f"{said['status']} {said['reason']}"


def message(found: dict[str, Any], kind: str) -> str:
    said = conditions.find(found["conditions"], kind)
    assert said is not None
    return str(said["message"])


def all_of(found: status.Finding) -> dict[str, str]:
    made = status.status({}, found, 1, NOW)
    return {each["type"]: f"{each['status']} {each['reason']}" for each in made["conditions"]}


ROWS = [
    (
        FINE,
        {
            "ValidSpec": "True AsExpected",
            "AbleToScale": "True SucceededGetScale",
            "ScalingActive": "False Stable",
            "Ready": "True AsExpected",
        },
    ),
    (
        dataclasses.replace(FINE, desired=3),
        {
            "ValidSpec": "True AsExpected",
            "AbleToScale": "True SucceededGetScale",
            "ScalingActive": "True ReconcilingScaleDiff",
            "Ready": "False ReconcilingScaleDiff",
        },
    ),
    (
        dataclasses.replace(FINE, desired=None, undecided="FailedComputeScale"),
        {
            "ValidSpec": "True AsExpected",
            "AbleToScale": "True SucceededGetScale",
            "ScalingActive": "False FailedComputeScale",
            "Ready": "False FailedComputeScale",
        },
    ),
    (
        status.Finding(fault=validity.Fault("InvalidBounds", "spec.minReplicas: …")),
        {
            "ValidSpec": "False InvalidBounds",
            "AbleToScale": "False InvalidSpec",
            "ScalingActive": "False Stable",
            "Ready": "False InvalidSpec",
        },
    ),
    (
        status.Finding(refusal=status.Refusal(types.CONFLICT, "other has it")),
        {
            "ValidSpec": "True AsExpected",
            "MultiPodAutoscalerConflict": "False MultiPodAutoscalerConflict",
            "AbleToScale": "False MultiPodAutoscalerConflict",
            "ScalingActive": "False Stable",
            "Ready": "False MultiPodAutoscalerConflict",
        },
    ),
    (
        status.Finding(unable=("FailedGetScale", "not there")),
        {
            "ValidSpec": "True AsExpected",
            "AbleToScale": "False FailedGetScale",
            "ScalingActive": "False Stable",
            "Ready": "False FailedGetScale",
        },
    ),
    (
        dataclasses.replace(FINE, problems=(contract.Problem("annotation x", "is none"),)),
        {
            "ValidSpec": "True AsExpected",
            "ValidSettings": "False InvalidValue",
            "AbleToScale": "True SucceededGetScale",
            "ScalingActive": "False Stable",
            "Ready": "True AsExpected",
        },
    ),
]


@pytest.mark.parametrize(("found", "expected"), ROWS)
def test_conditions_of_each_outcome(found: status.Finding, expected: dict[str, str]) -> None:
    assert all_of(found) == expected


@pytest.mark.parametrize(("before", "after"), [(one, other) for one, _ in ROWS for other, _ in ROWS])
def test_no_outcome_leaves_a_trace_in_the_conditions_of_the_next(before: status.Finding, after: status.Finding) -> None:
    old = status.status({}, before, 1, NOW)
    new = status.status(old, after, 1, NOW + 10)
    said = {each["type"]: f"{each['status']} {each['reason']}" for each in new["conditions"]}
    fresh = all_of(after)
    # Without a size there is nothing to say of scaling but what was said before.
    assert {**said, "ScalingActive": ""} == {**fresh, "ScalingActive": ""}


@pytest.mark.parametrize(("count", "text"), [(0, "are 0 replicas"), (1, "is 1 replica"), (3, "are 3 replicas")])
def test_sizes_read_well(count: int, text: str) -> None:
    found = status.status({}, dataclasses.replace(FINE, actual=count, desired=count), 1, NOW)
    assert message(found, "Ready") == f"there {text}, as there should be"


def test_numbers_that_nobody_measured_say_so() -> None:
    refused = status.Finding(refusal=status.Refusal(types.CONFLICT, "a has it"))
    told = "as last known; nothing is decided, AbleToScale says why"
    assert message(status.status({}, refused, 1, NOW), "ScalingActive") == f"desired=0, actual=0: {told}"


def test_transition_times_are_those_of_the_status() -> None:
    old = status.status({}, FINE, 1, NOW)
    new = status.status(old, dataclasses.replace(FINE, desired=3), 1, NOW + 60)
    times = {each["type"]: each["lastTransitionTime"] for each in new["conditions"]}
    before, after = timestamps.rfc3339(NOW), timestamps.rfc3339(NOW + 60)
    assert times == {"ValidSpec": before, "AbleToScale": before, "ScalingActive": after, "Ready": after}


def test_numbers_in_words_are_no_news_and_everything_else_is() -> None:
    old = status.status({}, FINE, 1, NOW)
    other = status.status(old, dataclasses.replace(FINE, words="stays at 2: 3.14"), 1, NOW + 10)
    assert old != other
    assert not status.is_news(old, other)
    refused = dataclasses.replace(FINE, refusal=status.Refusal(types.CONFLICT, "a has it"))
    first = status.status(old, refused, 1, NOW)
    second = status.status(first, dataclasses.replace(FINE, refusal=status.Refusal(types.CONFLICT, "b has it")), 1, NOW)
    assert status.is_news(old, first)
    assert status.is_news(first, second)


def action(after: int, error: str = "", reason: str = "kpa above target") -> status.Finding:
    return dataclasses.replace(FINE, action=status.Action(2, after, reason, error), desired=after)


def test_history_keeps_the_last_five() -> None:
    found: dict[str, Any] = {}
    for index in range(8):
        found = status.status(found, action(index), 1, NOW + 10 * index)
    assert [each["newScale"] for each in found["scalingHistory"]] == [3, 4, 5, 6, 7]
    assert found["lastScaleTime"] == timestamps.rfc3339(NOW + 70)


def test_history_tells_the_same_again_only_after_five_seconds() -> None:
    found = status.status({}, action(3), 1, NOW)
    assert len(status.status(found, action(3), 1, NOW + 4)["scalingHistory"]) == 1
    assert len(status.status(found, action(4), 1, NOW + 4)["scalingHistory"]) == 2
    assert len(status.status(found, action(3), 1, NOW + 6)["scalingHistory"]) == 2


def test_a_failure_that_goes_on_is_one_entry_and_moves_no_time() -> None:
    found: dict[str, Any] = status.status({}, action(3), 1, NOW)
    for index in range(1, 50):
        found = status.status(found, action(4, f"refused {index}"), 1, NOW + 10 * index)
    assert [each["success"] for each in found["scalingHistory"]] == [True, False]
    assert found["lastScaleTime"] == timestamps.rfc3339(NOW)


def test_bounds_and_scale_outlive_a_pass_that_did_not_get_so_far() -> None:
    old = status.status({}, dataclasses.replace(FINE, bounds=status.Bounds(1, 5, "day")), 1, NOW)
    new = status.status(old, status.Finding(unable=("FailedGetScale", "gone")), 1, NOW)
    assert new["scheduledBounds"] == {"activeSchedule": "day", "effectiveMinReplicas": 1, "effectiveMaxReplicas": 5}
    assert (new["desiredScale"], new["actualScale"]) == (2, 2)


def entry(before: object, after: object, **more: object) -> dict[str, object]:
    return {"previousScale": before, "newScale": after, "success": True, "timestamp": timestamps.rfc3339(NOW), **more}


@pytest.mark.parametrize(
    ("history", "step"),
    [
        ([], None),
        (None, None),
        ([entry(1, 2)], timing.Step(NOW, up=True)),
        ([entry(1, 2), entry(4, 2)], timing.Step(NOW, up=False)),
        ([entry(1, 2), entry(2, 4, success=False)], timing.Step(NOW, up=True)),
        ([entry(1, 2), entry(2, 2)], timing.Step(NOW, up=True)),
        ([entry(1, 2, timestamp="yesterday")], None),
        ([entry("1", 2)], None),
        (["nonsense"], None),
    ],
)
def test_the_last_step_is_remembered(history: object, step: timing.Step | None) -> None:
    assert status.last_step({"scalingHistory": history}) == step


def test_what_was_recorded_is_the_last_step() -> None:
    found = status.status({}, dataclasses.replace(FINE, desired=4, action=status.Action(2, 4, "above")), 1, NOW)
    assert status.last_step(found) == timing.Step(NOW, up=True)


def test_long_texts_are_cut() -> None:
    made = status.status({}, action(3, "x" * 5000), 1, NOW)
    assert len(made["scalingHistory"][0]["error"]) == 1000


outcomes = st.sampled_from([found for found, _ in ROWS] + [action(3), action(4, "no")])


@hypothesis.given(st.lists(outcomes, min_size=1, max_size=12))
def test_whatever_happens_a_status_is_one_that_the_api_takes(found: list[status.Finding]) -> None:
    made: dict[str, Any] = {}
    for index, each in enumerate(found):
        made = status.status(made, each, 1, NOW + 10 * index)
    names = [each["type"] for each in made["conditions"]]
    assert len(names) == len(set(names))
    assert all(each["reason"] and each["message"] and each["lastTransitionTime"] for each in made["conditions"])
    assert len(made.get("scalingHistory", ())) <= types.HISTORY_LIMIT
    assert status.status(made, found[-1], 1, NOW + 10 * len(found)) == made or found[-1].action is not None
