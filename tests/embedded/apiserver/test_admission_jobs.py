"""Jobs and CronJobs: what is filled in, what is refused, what may change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds, drafts
from brickyard.embedded.apiserver.admission import jobs, testing
from brickyard.embedded.apiserver.admission.testing import ABSENT, bent

UID = "0f7c2e0e-1111-4222-8333-444455556666"
OWN = {jobs.UID_LABEL: UID, "controller-uid": UID, jobs.NAME_LABEL: "a", "job-name": "a"}


def sent(**spec: Any) -> resources.Object:
    """What a client sends."""
    pod = {"containers": [{"name": "main", "image": "worker:1"}], "restartPolicy": "Never"}
    body = {"template": {"metadata": {"labels": {"app": "a"}}, "spec": pod}, **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a", "namespace": "default"}, "spec": body}


def made(obj: resources.Object) -> resources.Object:
    """What is stored of it."""
    place = drafts.Place(builtin_kinds.JOB, "default", "a")
    decoded, _ = drafts.decoded(place, obj, "Strict")
    return drafts.created(place, decoded, drafts.Birth("", UID, 1_800_000_000.0))


JOB = made(sent())


def test_a_small_job_is_filled_in() -> None:
    spec = JOB["spec"]
    assert {key: spec[key] for key in spec.keys() - {"template", "selector"}} == {
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "completions": 1,
        "manualSelector": False,
        "parallelism": 1,
        "podReplacementPolicy": "TerminatingOrFailed",
        "suspend": False,
    }
    assert spec["selector"] == {"matchLabels": {jobs.UID_LABEL: UID}}
    assert spec["template"]["metadata"]["labels"] == {"app": "a", **OWN}
    assert JOB["metadata"]["labels"] == {"app": "a"}, "of the template, as they were sent"
    assert JOB["status"] == {}
    assert JOB["metadata"]["generation"] == 1


FILLED = [
    # given, field, value
    ({"parallelism": 3}, "completions", None),
    ({"completions": 3}, "parallelism", 1),
    ({"backoffLimitPerIndex": 1, "completionMode": "Indexed", "completions": 2}, "backoffLimit", 2**31 - 1),
    ({"podFailurePolicy": {"rules": []}}, "podReplacementPolicy", "Failed"),
    ({"suspend": True}, "suspend", True),
]


@pytest.mark.parametrize(("given", "field", "value"), FILLED)
def test_what_depends_on_what_is_given(given: dict[str, Any], field: str, value: Any) -> None:
    assert made(sent(**given))["spec"].get(field) == value


def test_a_condition_of_a_failure_policy_is_true_unless_it_says_otherwise() -> None:
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    kept = made(sent(podFailurePolicy={"rules": [rule]}))
    assert kept["spec"]["podFailurePolicy"]["rules"][0]["onPodConditions"] == [
        {"type": "DisruptionTarget", "status": "True"}
    ]


def test_a_job_may_bring_its_own_selector() -> None:
    kept = made(sent(manualSelector=True, selector={"matchLabels": {"app": "a"}}))
    assert kept["spec"]["selector"] == {"matchLabels": {"app": "a"}}
    assert kept["spec"]["template"]["metadata"]["labels"] == {"app": "a"}


def test_what_was_sent_is_not_changed() -> None:
    obj = sent()
    made(obj)
    assert obj == sent()


REFUSED = [
    # path, value, complaint
    ("spec.parallelism", -1, "spec.parallelism: Invalid value: -1: must be greater than or equal to 0"),
    ("spec.completions", -1, "spec.completions: Invalid value: -1: must be greater than or equal to 0"),
    ("spec.backoffLimit", -1, "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"),
    (
        "spec.ttlSecondsAfterFinished",
        -1,
        "spec.ttlSecondsAfterFinished: Invalid value: -1: must be greater than or equal to 0",
    ),
    (
        "spec.completionMode",
        "Both",
        'spec.completionMode: Unsupported value: "Both": supported values: "Indexed", "NonIndexed"',
    ),
    (
        "spec.podReplacementPolicy",
        "Never",
        'spec.podReplacementPolicy: Unsupported value: "Never": supported values: "Failed", "TerminatingOrFailed"',
    ),
    (
        "spec.template.spec.restartPolicy",
        "Always",
        'spec.template.spec.restartPolicy: Required value: valid values: ["OnFailure" "Never"]',
    ),
    ("spec.template.spec.containers", [], "spec.template.spec.containers: Required value"),
    (
        "spec.backoffLimitPerIndex",
        1,
        "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
    ),
]


@pytest.mark.parametrize(("path", "value", "complaint"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_wrong_is_named(path: str, value: Any, complaint: str) -> None:
    assert testing.complaints(builtin_kinds.JOB, bent(JOB, path, value)) == [complaint]


def test_an_indexed_job_says_how_many() -> None:
    obj = bent(bent(JOB, "spec.completionMode", "Indexed"), "spec.completions", ABSENT)
    assert testing.complaints(builtin_kinds.JOB, obj) == [
        "spec.completions: Required value: when completion mode is Indexed"
    ]


def test_a_failure_policy_wants_pods_that_do_not_restart() -> None:
    obj = bent(bent(JOB, "spec.template.spec.restartPolicy", "OnFailure"), "spec.podFailurePolicy", {"rules": []})
    (found,) = testing.complaints(builtin_kinds.JOB, obj)
    assert found.endswith('"OnFailure": only "Never" is supported when podFailurePolicy is specified')


def test_a_foreign_selector_is_refused() -> None:
    (found,) = testing.complaints(builtin_kinds.JOB, bent(JOB, "spec.selector.matchLabels.app", "a"))
    assert found.endswith("`selector` not auto-generated")


IMAGE = "spec.template.spec.containers[0].image"
CHANGES = [
    # of a running Job: path, value, allowed
    ("spec.parallelism", 5, True),
    ("spec.suspend", True, True),
    ("spec.activeDeadlineSeconds", 10, True),
    ("spec.completions", 5, False),
    ("spec.completionMode", "Indexed", False),
    ("spec.managedBy", "someone.example.com/else", False),
    (IMAGE, "worker:2", False),
    ("spec.template.metadata.annotations", {"a": "b"}, False),
]


@pytest.mark.parametrize(("path", "value", "allowed"), CHANGES, ids=[row[0] for row in CHANGES])
def test_what_may_change(path: str, value: Any, allowed: bool) -> None:
    found = testing.complaints(builtin_kinds.JOB, bent(JOB, path, value), JOB)
    assert (found == []) is allowed
    assert all(each.endswith(": field is immutable") for each in found)


SUSPENDED = [
    ("spec.template.metadata.annotations", {"a": "b"}, True),
    ("spec.template.spec.nodeSelector", {"zone": "a"}, True),
    ("spec.template.spec.tolerations", [{"operator": "Exists"}], True),
    (IMAGE, "worker:2", False),
]


@pytest.mark.parametrize(("path", "value", "allowed"), SUSPENDED, ids=[row[0] for row in SUSPENDED])
def test_a_job_that_never_started_may_be_placed_otherwise(path: str, value: Any, allowed: bool) -> None:
    waiting = bent(JOB, "spec.suspend", True)
    assert (testing.complaints(builtin_kinds.JOB, bent(waiting, path, value), waiting) == []) is allowed
    started = bent(waiting, "status.startTime", "2026-01-01T00:00:00Z")
    assert testing.complaints(builtin_kinds.JOB, bent(started, path, value), started) != []


def test_an_indexed_job_may_grow_as_a_whole() -> None:
    indexed = made(sent(completionMode="Indexed", completions=2, parallelism=2))
    grown = bent(bent(indexed, "spec.completions", 4), "spec.parallelism", 4)
    assert testing.complaints(builtin_kinds.JOB, grown, indexed) == []
    assert testing.complaints(builtin_kinds.JOB, bent(indexed, "spec.completions", 4), indexed) != []


def cron(**spec: Any) -> resources.Object:
    body = {"schedule": "*/5 * * * *", "jobTemplate": {"spec": sent()["spec"]}, **spec}
    metadata = {"name": "a", "namespace": "default"}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": body}


def test_a_small_cron_job_is_filled_in() -> None:
    spec = testing.admitted(builtin_kinds.CRON_JOB, cron())["spec"]
    assert {key: spec[key] for key in spec.keys() - {"schedule", "jobTemplate"}} == {
        "concurrencyPolicy": "Allow",
        "suspend": False,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }
    assert "parallelism" not in spec["jobTemplate"]["spec"], "its Jobs are filled in when they are made"
    assert spec["jobTemplate"]["spec"]["template"]["spec"]["schedulerName"] == "default-scheduler"


@pytest.mark.parametrize(
    "schedule",
    ["* * * * *", "0 0 1 1 0", "*/15 1-5 * jan-mar mon,wed", "@daily", "@every 1h30m", "59 23 31 12 6", "? ? * * *"],
)
def test_schedules(schedule: str) -> None:
    assert testing.complaints(builtin_kinds.CRON_JOB, cron(schedule=schedule)) == []


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "5-1 * * * *",
        "*/0 * * * *",
        "a b c d e",
        "@sometimes",
        "1-2-3 * * * *",
        "-1 * * * *",
        "*/x * * * *",
        "² * * * *",
    ],
)
def test_no_schedules(schedule: str) -> None:
    (found,) = testing.complaints(builtin_kinds.CRON_JOB, cron(schedule=schedule))
    assert found.startswith("spec.schedule: Invalid value: ")


@given(st.text())
def test_any_text_is_a_schedule_or_is_refused(schedule: str) -> None:
    found = testing.complaints(builtin_kinds.CRON_JOB, cron(schedule=schedule))
    assert all(each.startswith("spec.schedule: ") for each in found)


CRON_REFUSED = [
    ("spec.schedule", "", "spec.schedule: Required value"),
    (
        "spec.schedule",
        "TZ=UTC * * * * *",
        'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ),
    (
        "spec.timeZone",
        "Europe/Nowhere",
        'spec.timeZone: Invalid value: "Europe/Nowhere": unknown time zone Europe/Nowhere',
    ),
    ("spec.timeZone", "../etc", 'spec.timeZone: Invalid value: "../etc": unknown time zone ../etc'),
    ("spec.timeZone", "", 'spec.timeZone: Invalid value: "": timeZone must be nil or non-empty string'),
    (
        "spec.concurrencyPolicy",
        "Maybe",
        'spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"',
    ),
    (
        "spec.startingDeadlineSeconds",
        -1,
        "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0",
    ),
    ("metadata.name", "a" * 53, f'metadata.name: Invalid value: "{"a" * 53}": must be no more than 52 characters'),
    ("spec.jobTemplate.spec.template", ABSENT, "spec.jobTemplate.spec.template: Required value"),
]


@pytest.mark.parametrize(("path", "value", "complaint"), CRON_REFUSED)
def test_what_is_wrong_with_a_cron_job_is_named(path: str, value: Any, complaint: str) -> None:
    assert testing.complaints(builtin_kinds.CRON_JOB, bent(cron(), path, value)) == [complaint]


def test_time_zones_are_known() -> None:
    assert testing.complaints(builtin_kinds.CRON_JOB, cron(timeZone="Europe/Berlin")) == []
