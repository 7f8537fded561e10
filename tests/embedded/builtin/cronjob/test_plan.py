from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.cronjob import plan as planning
from brickyard.kube.objects import meta, owners
from brickyard.lib import timestamps

HOUR = 1_699_999_200.0
"""A full hour: ``testing.NOW`` is 800 s later."""
NOW = testing.NOW


def cron_job(
    schedule: str = "0 * * * *", age: float = 7200.0, last: float | None = None, **spec: Any
) -> dict[str, Any]:
    template = {"metadata": {"labels": {"kept": "yes"}}, "spec": {"template": testing.template("work:1")}}
    status = {} if last is None else {"lastScheduleTime": timestamps.rfc3339(last)}
    body = {"schedule": schedule, "jobTemplate": template, **spec}
    return {
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": testing.metadata("tick", age), "spec": body, "status": status,
    }  # fmt: skip


def job(name: str, kind: str = "", ended: float = 0.0) -> dict[str, Any]:
    made = testing.job(name)
    made["status"] = {"startTime": testing.ago(ended + 10)}
    if kind:
        made["status"] |= {"conditions": [{"type": kind, "status": "True"}], "completionTime": testing.ago(ended)}
    return made


def reasons(found: planning.Plan) -> list[str]:
    return [each.reason for each in found.events]


def test_an_interval_is_counted_from_the_last_time() -> None:
    assert planning.plan(cron_job("@every 100s", 250), [], NOW).requeue_after == 50
    assert planning.plan(cron_job("@every 100s", 30), [], NOW).requeue_after == 70


def test_what_came_due_is_made_once() -> None:
    body = cron_job()
    found = planning.plan(body, [], NOW)
    made = found.create
    assert made is not None
    assert meta.name(made) == f"tick-{int(HOUR) // 60}"
    assert owners.is_controlled_by(made, body)
    assert meta.labels(made) == {"kept": "yes"}
    assert meta.annotations(made) == {planning.SCHEDULED: timestamps.rfc3339(HOUR)}
    assert found.status["lastScheduleTime"] == timestamps.rfc3339(HOUR)
    assert [each["name"] for each in found.status["active"]] == [meta.name(made)]
    assert found.requeue_after == HOUR + 3600 - NOW
    assert reasons(found) == ["SuccessfulCreate"]
    assert planning.plan(cron_job(last=HOUR), [], NOW).create is None


@pytest.mark.parametrize(
    ("schedule", "age", "last", "due"),
    [
        ("0 * * * *", 60, None, None),
        ("0 * * * *", 7200, None, HOUR),
        ("0 * * * *", 900_000, HOUR - 36_000, HOUR),
        ("* * * * *", 900_000, None, NOW - NOW % 60),
        ("0 0 * * *", 900_000, None, NOW - NOW % 86400),
        ("@every 100s", 250, None, NOW - 50),
        ("@every 100s", 50, None, None),
    ],
)
def test_of_missed_times_the_latest_counts(schedule: str, age: float, last: float | None, due: float | None) -> None:
    made = planning.plan(cron_job(schedule, age, last), [], NOW).create
    expected = None if due is None else timestamps.rfc3339(due)
    assert (None if made is None else meta.annotations(made)[planning.SCHEDULED]) == expected


@pytest.mark.parametrize(
    ("policy", "creates", "replaces", "told"),
    [
        ("Allow", True, 0, ["SuccessfulCreate"]),
        ("Forbid", False, 0, ["JobAlreadyActive"]),
        ("Replace", True, 1, ["SuccessfulCreate"]),
    ],
)
def test_while_another_is_active(policy: str, creates: bool, replaces: int, told: list[str]) -> None:
    found = planning.plan(cron_job(concurrencyPolicy=policy), [job("tick-1")], NOW)
    assert (found.create is not None, len(found.replace), reasons(found)) == (creates, replaces, told)


def test_forbid_waits_for_the_other_and_then_makes_it() -> None:
    body = cron_job(concurrencyPolicy="Forbid")
    held = planning.plan(body, [job("tick-1")], NOW)
    assert "lastScheduleTime" not in held.status
    assert planning.plan(body, [job("tick-1", "Complete")], NOW).create is not None


@pytest.mark.parametrize(("limit", "creates"), [(None, True), (900, True), (100, False)])
def test_too_late(limit: int | None, creates: bool) -> None:
    found = planning.plan(cron_job(startingDeadlineSeconds=limit), [], NOW)
    assert (found.create is not None) is creates
    assert reasons(found) == (["SuccessfulCreate"] if creates else ["MissSchedule"])


def test_a_suspended_one_makes_nothing_and_is_not_looked_at_again() -> None:
    found = planning.plan(cron_job(suspend=True), [], NOW)
    assert (found.create, found.requeue_after) == (None, None)


def test_one_being_deleted_makes_nothing() -> None:
    body = cron_job()
    body["metadata"]["deletionTimestamp"] = testing.ago(1)
    assert planning.plan(body, [], NOW).create is None


@pytest.mark.parametrize("spec", [{"schedule": "nonsense"}, {"timeZone": "Nowhere/Land"}])
def test_what_cannot_be_read_is_told(spec: dict[str, Any]) -> None:
    found = planning.plan(cron_job(**spec), [], NOW)
    assert (found.create, reasons(found)) == (None, ["UnparseableSchedule"])


@pytest.mark.parametrize(
    ("limits", "kept"), [({}, 3), ({"successfulJobsHistoryLimit": 1}, 1), ({"successfulJobsHistoryLimit": 0}, 0)]
)
def test_old_jobs_go(limits: dict[str, Any], kept: int) -> None:
    jobs = [job(f"tick-{number}", "Complete", 1000.0 * number) for number in range(5)]
    found = planning.plan(cron_job(last=HOUR, **limits), [*jobs, job("lost", "Failed"), job("busy")], NOW)
    oldest = [meta.name(each) for each in reversed(jobs)][: 5 - kept]
    assert [meta.name(each) for each in found.expired] == oldest


def test_ends_are_seen_once() -> None:
    body = cron_job(last=HOUR)
    body["status"]["active"] = [{"name": "tick-1"}]
    found = planning.plan(body, [job("tick-1", "Complete", 5)], NOW)
    assert [each.message for each in found.events] == ["Saw completed job: tick-1, condition: Complete"]
    assert found.status["lastSuccessfulTime"] == testing.ago(5)
    assert "active" not in found.status
    body["status"] = found.status
    assert planning.plan(body, [job("tick-1", "Complete", 5)], NOW).events == ()
