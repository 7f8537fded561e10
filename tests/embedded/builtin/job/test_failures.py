from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.job import failures

NOW = testing.NOW


def pod(*codes: int, ended: float = 0.0, conditions: tuple[str, ...] = ()) -> dict[str, Any]:
    made = testing.pod("p", phase="Failed")
    made["status"]["containerStatuses"] = [
        {"name": f"c{place}", "state": {"terminated": {"exitCode": code, "finishedAt": testing.ago(ended)}}}
        for place, code in enumerate(codes)
    ]
    made["status"]["conditions"] = [{"type": each, "status": "True"} for each in conditions]
    return made


def codes(action: str, operator: str, *values: int, container: str | None = None) -> dict[str, Any]:
    return {"action": action, "onExitCodes": {"operator": operator, "values": list(values), "containerName": container}}


def having(action: str, kind: str, status: str = "True") -> dict[str, Any]:
    return {"action": action, "onPodConditions": [{"type": kind, "status": status}]}


DISRUPTED = ("DisruptionTarget",)


@pytest.mark.parametrize(
    ("rules", "failed", "action"),
    [
        ([], pod(1), "Count"),
        ([codes("FailJob", "In", 42)], pod(42), "FailJob"),
        ([codes("FailJob", "In", 42)], pod(1), "Count"),
        ([codes("FailJob", "NotIn", 1)], pod(2), "FailJob"),
        ([codes("FailJob", "NotIn", 1)], pod(0), "Count"),
        ([codes("FailIndex", "In", 42, container="c1")], pod(42, 0), "Count"),
        ([codes("FailIndex", "In", 42, container="c1")], pod(0, 42), "FailIndex"),
        ([having("Ignore", "DisruptionTarget")], pod(1, conditions=DISRUPTED), "Ignore"),
        ([having("Ignore", "DisruptionTarget", "False")], pod(1, conditions=DISRUPTED), "Count"),
        ([codes("Count", "In", 42), codes("FailJob", "In", 42)], pod(42), "Count"),
        ([codes("FailJob", "In", 7), having("Ignore", "DisruptionTarget")], pod(1, conditions=DISRUPTED), "Ignore"),
    ],
)
def test_the_first_rule_that_matches_decides(rules: list[Any], failed: dict[str, Any], action: str) -> None:
    assert failures.rule_on(testing.job(podFailurePolicy={"rules": rules}), failed).action == action


def test_a_ruling_says_why() -> None:
    job = testing.job(podFailurePolicy={"rules": [codes("FailJob", "In", 42)]})
    text = "Container c0 for pod default/p failed with exit code 42 matching FailJob rule at index 0"
    assert failures.rule_on(job, pod(42)).why == text
    job = testing.job(podFailurePolicy={"rules": [having("FailJob", "DisruptionTarget")]})
    text = "Pod default/p has condition DisruptionTarget matching FailJob rule at index 0"
    assert failures.rule_on(job, pod(1, conditions=DISRUPTED)).why == text


@pytest.mark.parametrize(
    ("failed", "succeeded", "left"),
    [
        # seconds ago that pods failed and succeeded; what is left to wait
        ([], [], 0),
        ([0], [], 10),
        ([4], [], 6),
        ([10], [], 0),
        ([0, 60], [], 20),
        ([0, 60, 120], [], 40),
        ([0] * 20, [], 600),
        ([0, 60], [30], 10),
        ([60], [30], 0),
        ([600], [], 0),
    ],
)
def test_the_wait_doubles_with_failures_in_a_row(failed: list[int], succeeded: list[int], left: int) -> None:
    found = failures.wait([pod(1, ended=each) for each in failed], [pod(0, ended=each) for each in succeeded], NOW)
    assert found == left


def test_a_pod_that_never_said_how_it_ended() -> None:
    lost = testing.pod("p", phase="Failed", age=100)
    assert failures.ended_at(lost) == NOW - 100
    lost["metadata"]["deletionTimestamp"] = testing.ago(5)
    assert failures.ended_at(lost) == NOW - 5


def test_restarts_of_all_containers_count() -> None:
    made = testing.pod("p")
    made["status"]["containerStatuses"] = [{"name": "a", "restartCount": 2}, {"name": "b"}]
    made["status"]["initContainerStatuses"] = [{"name": "i", "restartCount": 1}]
    assert failures.restarts([made, made]) == 6
