"""What a CronJob does next. Pure.

    | seen                                                  | move                                                       |
    |-------------------------------------------------------|------------------------------------------------------------|
    | finished Jobs beyond the history limits               | delete the oldest                                          |
    | being deleted, or suspended                           | nothing more                                               |
    | schedule or zone cannot be read                       | say so                                                     |
    | nothing came due since the last time                  | wait for the next time                                     |
    | it came due more than ``startingDeadlineSeconds`` ago | too late: say so, wait for the next time                   |
    | Forbid, and a Job is active                           | leave it out for now: it is tried when that has ended      |
    | Replace, and Jobs are active                          | delete them, then make the new one                         |
    | else                                                  | make the Job of the latest time; earlier ones are left out |

The name of a Job follows from its time, so that none is made twice.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import contract, podstate
from brickyard.embedded.builtin.cronjob import schedule
from brickyard.kube.objects import conditions, meta, owners
from brickyard.lib import timestamps

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
CREATED = "SuccessfulCreate"
_LOOK_BACK = (3600.0, 86400.0, 8 * 86400.0, 9 * 366 * 86400.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """One step. ``create`` is a whole Job; ``status`` the whole new status."""

    reason: str
    status: dict[str, Any]
    create: resources.Object | None = None
    replace: tuple[resources.Object, ...] = ()
    expired: tuple[resources.Object, ...] = ()
    events: tuple[contract.PlannedEvent, ...] = ()
    requeue_after: float | None = None


def plan(cron_job: resources.Object, jobs: Sequence[resources.Object], now: float) -> Plan:
    """One step. ``jobs`` are those it controls; ``now`` is Unix seconds."""
    active = [each for each in jobs if not finished(each)]
    base = Plan("waiting", _status(cron_job, jobs, active), expired=_expired(cron_job, jobs))
    base = dataclasses.replace(base, events=_ended(cron_job, jobs))
    if meta.is_deleting(cron_job):
        return dataclasses.replace(base, reason="being deleted")
    if cron_job["spec"].get("suspend"):
        return dataclasses.replace(base, reason="suspended")
    try:
        when, zone = schedule.parse(cron_job["spec"]["schedule"]), schedule.zone(cron_job["spec"].get("timeZone"))
    except ValueError as error:
        told = contract.PlannedEvent("Warning", "UnparseableSchedule", f"unparseable schedule: {error}")
        return dataclasses.replace(base, reason=str(error), events=(*base.events, told))
    due = _latest(cron_job, when, zone, now)
    again = when.next((due or _earliest(cron_job, now)) if when.every else now, zone)
    base = dataclasses.replace(base, requeue_after=None if again is None else max(0.0, again - now))
    return base if due is None else _start(base, cron_job, active, (due, now))


def finished(job: resources.Object) -> str:
    """``Complete``, ``Failed``, or "" for a Job that goes on."""
    told = (job.get("status") or {}).get("conditions")
    return next((kind for kind in ("Complete", "Failed") if conditions.is_true(told, kind)), "")


def _earliest(cron_job: resources.Object, now: float) -> float:
    """What came due before this was seen to, or was before the CronJob was there."""
    created = podstate.timestamp(meta.metadata(cron_job).get("creationTimestamp"))
    return podstate.timestamp((cron_job.get("status") or {}).get("lastScheduleTime")) or created or now


def _latest(cron_job: resources.Object, when: schedule.Schedule, zone: datetime.tzinfo, now: float) -> float | None:
    """The latest time that came due and was not seen to; None where there is none."""
    earliest = _earliest(cron_job, now)
    if when.every and now > earliest:
        return earliest + (now - earliest) // when.every * when.every if now - earliest >= when.every else None
    # The latest counts only: it is looked for in the last hour, then further back.
    for back in _LOOK_BACK:
        found, at = None, when.next(max(earliest, now - back), zone)
        while at is not None and at <= now:
            found, at = at, when.next(at, zone)
        if found is not None or now - back <= earliest:
            return found
    return None


def _start(
    base: Plan, cron_job: resources.Object, active: Sequence[resources.Object], times: tuple[float, float]
) -> Plan:
    due, now = times
    limit = cron_job["spec"].get("startingDeadlineSeconds")
    if limit is not None and now - due > int(limit):
        text = f"Missed scheduled time to start a job: {timestamps.rfc3339(due)}"
        missed = contract.PlannedEvent("Warning", "MissSchedule", text)
        status = {**base.status, "lastScheduleTime": timestamps.rfc3339(due)}
        return dataclasses.replace(base, reason=text, status=status, events=(*base.events, missed))
    policy = cron_job["spec"].get("concurrencyPolicy") or "Allow"
    if policy == "Forbid" and active:
        text = "Not starting job because prior execution is running and concurrency policy is Forbid"
        held = contract.PlannedEvent("Normal", "JobAlreadyActive", text)
        return dataclasses.replace(base, reason=text, events=(*base.events, held))
    job = build(cron_job, due)
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": meta.name(job), "namespace": meta.namespace(job)}
    kept = (
        []
        if policy == "Replace"
        else [each for each in base.status.get("active", ()) if each["name"] != meta.name(job)]
    )
    told = contract.PlannedEvent("Normal", CREATED, f"Created job {meta.name(job)}")
    return dataclasses.replace(
        base,
        reason="due",
        create=job,
        replace=tuple(active) if policy == "Replace" else (),
        status={**base.status, "active": [*kept, reference], "lastScheduleTime": timestamps.rfc3339(due)},
        events=(*base.events, told),
    )


def build(cron_job: resources.Object, due: float) -> resources.Object:
    """The Job of that time."""
    template = copy.deepcopy(cron_job["spec"]["jobTemplate"])
    found = template.get("metadata") or {}
    metadata = {
        "name": f"{meta.name(cron_job)}-{int(due) // 60}",
        "namespace": meta.namespace(cron_job),
        "labels": dict(found.get("labels") or {}),
        "annotations": {**(found.get("annotations") or {}), SCHEDULED: timestamps.rfc3339(due)},
        "ownerReferences": [owners.owner_reference(cron_job)],
    }
    kept = {key: value for key, value in metadata.items() if value}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": kept, "spec": template.get("spec") or {}}


def _expired(cron_job: resources.Object, jobs: Sequence[resources.Object]) -> tuple[resources.Object, ...]:
    result: list[resources.Object] = []
    for kind, field, default in (
        ("Complete", "successfulJobsHistoryLimit", 3),
        ("Failed", "failedJobsHistoryLimit", 1),
    ):
        limit = cron_job["spec"].get(field)
        ended = sorted((each for each in jobs if finished(each) == kind and not meta.is_deleting(each)), key=_age)
        result += ended[: max(0, len(ended) - (default if limit is None else int(limit)))]
    return tuple(result)


def _age(job: resources.Object) -> tuple[str, str]:
    return str((job.get("status") or {}).get("startTime") or ""), meta.name(job)


def _status(
    cron_job: resources.Object, jobs: Sequence[resources.Object], active: Sequence[resources.Object]
) -> dict[str, Any]:
    before = cron_job.get("status") or {}
    references = [
        {"apiVersion": "batch/v1", "kind": "Job", "name": meta.name(each), "namespace": meta.namespace(each)}
        for each in sorted(active, key=meta.name)
    ]
    done = [
        str((each.get("status") or {}).get("completionTime") or "") for each in jobs if finished(each) == "Complete"
    ]
    status = {
        "active": references,
        "lastScheduleTime": before.get("lastScheduleTime"),
        "lastSuccessfulTime": max([*done, str(before.get("lastSuccessfulTime") or "")]),
    }
    return {key: value for key, value in status.items() if value}


def _ended(cron_job: resources.Object, jobs: Sequence[resources.Object]) -> tuple[contract.PlannedEvent, ...]:
    """Jobs that were active when last looked at, and are not any more."""
    known = {each["name"] for each in (cron_job.get("status") or {}).get("active") or ()}
    return tuple(
        contract.PlannedEvent(
            "Normal", "SawCompletedJob", f"Saw completed job: {meta.name(each)}, condition: {finished(each)}"
        )
        for each in sorted(jobs, key=meta.name)
        if finished(each) and meta.name(each) in known
    )
