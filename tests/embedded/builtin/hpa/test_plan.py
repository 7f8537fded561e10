from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.hpa import behavior
from brickyard.embedded.builtin.hpa import plan as planning
from brickyard.kube.objects import conditions
from brickyard.lib import timestamps

NOW = testing.NOW


def autoscaler(least: int = 1, most: int = 10, **more: Any) -> dict[str, Any]:
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": least, "maxReplicas": most, **more}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": testing.metadata("web"),
        "spec": spec,
    }


def says(replicas: int | None, name: str = "cpu") -> planning.Reading:
    if replicas is None:
        return planning.Reading(name, None, reason="FailedGetResourceMetric", why=f"failed to get {name}")
    return planning.Reading(name, replicas, {"type": "Resource", "resource": {"name": name}})


def step(
    current: int, *readings: planning.Reading, memory: behavior.Memory | None = None, **more: Any
) -> planning.Plan:
    known = memory or behavior.Memory((behavior.Entry(NOW - 900, current),))
    return planning.plan(planning.Snapshot(autoscaler(**more), current, current, readings, known), NOW)


def condition(found: planning.Plan, kind: str) -> str:
    told = conditions.find(found.status["conditions"], kind) or {}
    return f"{told.get('status')} {told.get('reason')}"


@pytest.mark.parametrize(
    ("current", "readings", "expected"),
    [
        (2, [says(2)], None),
        (2, [says(3)], 3),
        (4, [says(3)], 3),
        (2, [says(3), says(4, "memory")], 4),
        (4, [says(3), says(1, "memory")], 3),
        (2, [says(None)], None),
        (2, [], None),
        (2, [says(None), says(4, "memory")], 4),
        (4, [says(None), says(2, "memory")], None),
        (0, [says(3)], None),
        (12, [], 10),
        (2, [says(99)], 6),
    ],
)
def test_moves(current: int, readings: list[planning.Reading], expected: int | None) -> None:
    assert step(current, *readings).replicas == expected


def test_below_the_minimum_it_goes_up_at_once() -> None:
    found = step(1, least=3)
    assert (found.replicas, found.reason) == (3, "Current number of replicas below Spec.MinReplicas")


def test_zero_is_a_size_where_it_is_a_bound() -> None:
    assert step(0, says(1), least=0).replicas == 1


@pytest.mark.parametrize(
    ("found", "able", "active", "limited"),
    [
        (step(2, says(2)), "True ReadyForNewScale", "True ValidMetricFound", "False DesiredWithinRange"),
        (step(2, says(3)), "True SucceededRescale", "True ValidMetricFound", "False DesiredWithinRange"),
        (step(2, says(99)), "True SucceededRescale", "True ValidMetricFound", "True ScaleUpLimit"),
        (step(9, says(99)), "True SucceededRescale", "True ValidMetricFound", "True TooManyReplicas"),
        (step(2, says(None)), "True SucceededGetScale", "False FailedGetResourceMetric", "None None"),
        (step(0, says(1)), "True SucceededGetScale", "False ScalingDisabled", "None None"),
    ],
)
def test_conditions(found: planning.Plan, able: str, active: str, limited: str) -> None:
    told = [condition(found, kind) for kind in ("AbleToScale", "ScalingActive", "ScalingLimited")]
    assert told == [able, active, limited]


def test_a_move_is_told_and_remembered() -> None:
    found = step(2, says(3))
    (event,) = found.events
    assert (event.reason, event.message) == ("SuccessfulRescale", "New size: 3; reason: cpu above target")
    assert found.memory.changed == (behavior.Entry(NOW, 1),)
    assert found.memory.recommended[-1] == behavior.Entry(NOW, 3)
    assert found.status["lastScaleTime"] == timestamps.rfc3339(NOW)
    assert (found.status["currentReplicas"], found.status["desiredReplicas"]) == (2, 3)
    assert found.status["currentMetrics"] == [{"type": "Resource", "resource": {"name": "cpu"}}]


def test_what_cannot_be_measured_is_told() -> None:
    (event,) = step(2, says(None)).events
    assert (event.type, event.reason, event.message) == ("Warning", "FailedGetResourceMetric", "failed to get cpu")


def test_without_memory_nothing_shrinks_at_once() -> None:
    found = step(5, says(1), memory=behavior.Memory())
    assert found.replicas is None
    assert condition(found, "AbleToScale") == "True ScaleDownStabilized"
    later = planning.plan(planning.Snapshot(autoscaler(), 5, 5, [says(1)], found.memory), NOW + 301)
    assert later.replicas == 1


def test_a_target_without_a_scale() -> None:
    found = planning.unreachable(autoscaler(), "no such thing", NOW)
    told = conditions.find(found["conditions"], "AbleToScale") or {}
    assert (told["status"], told["reason"]) == ("False", "FailedGetScale")
    assert told["message"].endswith("no such thing")
