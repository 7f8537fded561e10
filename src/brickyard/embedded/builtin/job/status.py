"""What a Job's status says. Pure; the numbers are those of the pods as they were before the pass acted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import contract, podstate
from brickyard.embedded.builtin.job import indexes, spec, verdict
from brickyard.embedded.builtin.job import plan as planning
from brickyard.kube.objects import conditions
from brickyard.lib import timestamps

SUSPENDED = "Suspended"


def compute(job: resources.Object, step: planning.Plan, now: float) -> dict[str, Any]:
    """The whole status. A verdict is final once every pod has ended and is counted."""
    before = job.get("status") or {}
    tally = step.tally
    stamp = timestamps.rfc3339(now)
    over = step.verdict is not None and not tally.active and not tally.terminating and not tally.pending
    told = _suspension(job, before.get("conditions"), stamp)
    if step.verdict is not None:
        told = _verdict(told, step.verdict, over, stamp)
    numbers = {
        "active": len(tally.active),
        "ready": sum(map(podstate.is_ready, tally.active)),
        "terminating": tally.terminating,
        "succeeded": len(tally.completed) if spec.indexed(job) else tally.successes.counted,
        "failed": tally.failures.counted,
    }
    status: dict[str, Any] = {key: number for key, number in numbers.items() if number}
    status |= {"ready": numbers["ready"], "terminating": numbers["terminating"]}
    if spec.indexed(job):
        status["completedIndexes"] = indexes.text(tally.completed)
    if spec.limit_per_index(job) is not None:
        status["failedIndexes"] = indexes.text(tally.failed_indexes)
    status["uncountedTerminatedPods"] = _uncounted(step)
    status["startTime"] = None if spec.suspended(job) and step.verdict is None else before.get("startTime") or stamp
    if over and step.verdict is not None and step.verdict.kind == verdict.COMPLETE:
        status["completionTime"] = before.get("completionTime") or stamp
    status["conditions"] = told
    return {key: value for key, value in status.items() if value not in (None, [], "")}


def _uncounted(step: planning.Plan) -> dict[str, list[str]]:
    lists = {"succeeded": step.tally.successes.waiting, "failed": step.tally.failures.waiting}
    return {key: list(uids) for key, uids in lists.items() if uids}


def _suspension(job: resources.Object, before: Sequence[resources.Object] | None, stamp: str) -> list[resources.Object]:
    if spec.suspended(job):
        return conditions.set_condition(
            before, conditions.Condition(SUSPENDED, "True", "JobSuspended", "Job suspended"), stamp
        )
    if conditions.is_true(before, SUSPENDED):
        return conditions.set_condition(
            before, conditions.Condition(SUSPENDED, "False", "JobResumed", "Job resumed"), stamp
        )
    return list(before or ())


def _verdict(
    before: Sequence[resources.Object], found: verdict.Verdict, over: bool, stamp: str
) -> list[resources.Object]:
    names = [verdict.COMING[found.kind], *([found.kind] if over else [])]
    told = list(before)
    for name in names:
        told = conditions.set_condition(told, conditions.Condition(name, "True", found.reason, found.message), stamp)
    return told


def events(before: resources.Object, after: resources.Object) -> list[contract.PlannedEvent]:
    """What the change of a status is worth telling."""
    old, new = before.get("conditions"), after.get("conditions")
    result = []
    for name, severity in ((verdict.COMPLETE, "Normal"), (verdict.FAILED, "Warning")):
        if conditions.is_true(new, name) and not conditions.is_true(old, name):
            found = conditions.find(new, name) or {}
            reason, text = (
                ("Completed", "Job completed") if severity == "Normal" else (found["reason"], found["message"])
            )
            result.append(contract.PlannedEvent(severity, reason, text))
    if conditions.is_true(new, SUSPENDED) != conditions.is_true(old, SUSPENDED):
        word = "Suspended" if conditions.is_true(new, SUSPENDED) else "Resumed"
        result.append(contract.PlannedEvent("Normal", word, f"Job {word.lower()}"))
    return result
