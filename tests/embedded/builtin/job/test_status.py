from __future__ import annotations

from typing import Any

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.job import plan as planning
from brickyard.embedded.builtin.job import spec, status
from brickyard.kube.objects import conditions, meta
from brickyard.lib import timestamps

NOW = testing.NOW


def pod(job: dict[str, Any], name: str, phase: str = "Running", **more: Any) -> dict[str, Any]:
    labels = job["spec"]["template"]["metadata"]["labels"]
    return testing.pod(name, phase=phase, owner=job, labels=labels, **{"finalizers": [spec.FINALIZER], **more})


def told(job: dict[str, Any], *pods: dict[str, Any]) -> dict[str, Any]:
    return status.compute(job, planning.plan(planning.Snapshot(job, pods), NOW), NOW)


def test_a_job_begins_now() -> None:
    found = told(testing.job())
    assert found["startTime"] == timestamps.rfc3339(NOW)
    assert (found["ready"], found["terminating"]) == (0, 0)
    assert "active" not in found
    assert "conditions" not in found


def test_it_began_once() -> None:
    job = testing.job()
    job["status"] = {"startTime": testing.ago(50)}
    assert told(job)["startTime"] == testing.ago(50)


def test_numbers() -> None:
    job = testing.job(completions=5, parallelism=5)
    found = told(job, pod(job, "a"), pod(job, "b", ready=False), pod(job, "c", "Succeeded"))
    assert (found["active"], found["ready"]) == (2, 1)
    assert "succeeded" not in found
    assert len(found["uncountedTerminatedPods"]["succeeded"]) == 1


def test_success_is_told_when_all_is_counted() -> None:
    job = testing.job()
    done = pod(job, "a", "Succeeded")
    first = told(job, done)
    assert conditions.is_true(first["conditions"], "SuccessCriteriaMet")
    assert not conditions.is_true(first["conditions"], "Complete")
    assert "completionTime" not in first
    job["status"] = first
    done["metadata"]["finalizers"] = []
    last = told(job, done)
    assert conditions.is_true(last["conditions"], "Complete")
    assert (last["succeeded"], last["completionTime"]) == (1, timestamps.rfc3339(NOW))
    assert last["uncountedTerminatedPods"] == {}


def test_failure_is_told_when_the_last_pod_is_gone() -> None:
    job = testing.job(backoffLimit=0, completions=2, parallelism=2)
    job["status"] = {"failed": 1}
    first = told(job, pod(job, "a"))
    assert conditions.is_true(first["conditions"], "FailureTarget")
    assert not conditions.is_true(first["conditions"], "Failed")
    job["status"] = first
    last = told(job)
    found = conditions.find(last["conditions"], "Failed") or {}
    assert (found["reason"], "completionTime" in last) == ("BackoffLimitExceeded", False)


def test_suspending_and_resuming() -> None:
    job = testing.job(suspend=True)
    job["status"] = {"startTime": testing.ago(50)}
    asleep = told(job)
    assert conditions.is_true(asleep["conditions"], "Suspended")
    assert "startTime" not in asleep
    job["status"], job["spec"]["suspend"] = asleep, False
    awake = told(job)
    assert (conditions.find(awake["conditions"], "Suspended") or {})["status"] == "False"
    assert awake["startTime"] == timestamps.rfc3339(NOW)
    assert [each.reason for each in status.events({}, asleep)] == ["Suspended"]
    assert [each.reason for each in status.events(asleep, awake)] == ["Resumed"]
    assert status.events(awake, awake) == []


def test_ends_are_told_once() -> None:
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    (event,) = status.events({}, done)
    assert (event.type, event.reason, event.message) == ("Normal", "Completed", "Job completed")
    assert status.events(done, done) == []
    lost = {"conditions": [{"type": "Failed", "status": "True", "reason": "R", "message": "why"}]}
    (event,) = status.events({}, lost)
    assert (event.type, event.reason, event.message) == ("Warning", "R", "why")


def test_indexes_are_told() -> None:
    job = testing.job(completionMode="Indexed", completions=4, parallelism=4, backoffLimitPerIndex=0)
    pods = [
        pod(job, f"work-{index}", phase, annotations={spec.INDEX: str(index)})
        for index, phase in enumerate(["Succeeded", "Succeeded", "Failed", "Running"])
    ]
    found = told(job, *pods)
    assert (found["completedIndexes"], found["failedIndexes"], found["succeeded"]) == ("0-1", "2", 2)
    assert found["uncountedTerminatedPods"]["failed"] == [meta.uid(pods[2])]
