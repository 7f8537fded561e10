"""Whether a Job is over, and how. Pure. The first row that applies decides:

| state                                                      | verdict  | reason                  |
|------------------------------------------------------------|----------|-------------------------|
| it was told before                                         | the same | the same                |
| a FailJob rule matched a failed pod                        | Failed   | PodFailurePolicy        |
| more failures than ``backoffLimit``                        | Failed   | BackoffLimitExceeded    |
| OnFailure: containers restarted ``backoffLimit`` times     | Failed   | BackoffLimitExceeded    |
| ``activeDeadlineSeconds`` are over                         | Failed   | DeadlineExceeded        |
| more failed indexes than ``maxFailedIndexes``              | Failed   | MaxFailedIndexesExceeded|
| every index ended and one or more of them failed           | Failed   | FailedIndexes           |
| a rule of ``successPolicy`` is met                         | Complete | SuccessPolicy           |
| no ``completions``: a pod succeeded and none is left       | Complete | CompletionsReached      |
| as many successes as ``completions``                       | Complete | CompletionsReached      |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import podstate
from brickyard.embedded.builtin.job import failures, indexes, spec
from brickyard.embedded.builtin.job import tally as tallies
from brickyard.kube.objects import conditions

COMPLETE, FAILED = "Complete", "Failed"
COMING = {COMPLETE: "SuccessCriteriaMet", FAILED: "FailureTarget"}
"""The condition that tells a verdict while pods are still ending."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """``kind`` is ``Complete`` or ``Failed``."""

    kind: str
    reason: str
    message: str


def told(job: resources.Object) -> Verdict | None:
    """The verdict that the status holds, be it final or coming."""
    known = (job.get("status") or {}).get("conditions")
    for kind, coming in COMING.items():
        for name in (kind, coming):
            if conditions.is_true(known, name):
                found = conditions.find(known, name) or {}
                return Verdict(kind, found.get("reason", ""), found.get("message", ""))
    return None


def is_final(job: resources.Object) -> bool:
    """Whether the Job is finished, pods and all."""
    known = (job.get("status") or {}).get("conditions")
    return any(conditions.is_true(known, kind) for kind in COMING)


def ended_at(job: resources.Object) -> float | None:
    """When the final verdict was told, in Unix seconds."""
    known = (job.get("status") or {}).get("conditions")
    found = next((conditions.find(known, kind) for kind in COMING if conditions.is_true(known, kind)), None)
    return podstate.timestamp(found.get("lastTransitionTime")) if found is not None else None


def deadline_in(job: resources.Object, now: float) -> float | None:
    """Seconds until ``activeDeadlineSeconds`` are over; None where there is no deadline or it does not run."""
    limit = job["spec"].get("activeDeadlineSeconds")
    began = podstate.timestamp((job.get("status") or {}).get("startTime"))
    if limit is None or began is None or spec.suspended(job):
        return None
    return began + int(limit) - now


def judge(job: resources.Object, tally: tallies.Tally, now: float) -> Verdict | None:
    """The verdict; None while the Job goes on."""
    return told(job) or next(_verdicts(job, tally, now), None)


def _verdicts(job: resources.Object, tally: tallies.Tally, now: float) -> Iterator[Verdict]:
    if tally.fatal:
        yield Verdict(FAILED, "PodFailurePolicy", tally.fatal)
    if _gave_up(job, tally):
        yield Verdict(FAILED, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = deadline_in(job, now)
    if left is not None and left <= 0:
        yield Verdict(FAILED, "DeadlineExceeded", "Job was active longer than specified deadline")
    yield from _by_index(job, tally)
    if _is_done(job, tally):
        yield Verdict(COMPLETE, "CompletionsReached", "Reached expected number of succeeded pods")


def _gave_up(job: resources.Object, tally: tallies.Tally) -> bool:
    limit = int(job["spec"].get("backoffLimit") if job["spec"].get("backoffLimit") is not None else 6)
    if tally.failures.total > limit:
        return True
    if (job["spec"]["template"].get("spec") or {}).get("restartPolicy") != "OnFailure":
        return False
    return failures.restarts(tally.active) >= max(1, limit)


def _by_index(job: resources.Object, tally: tallies.Tally) -> Iterator[Verdict]:
    most = job["spec"].get("maxFailedIndexes")
    if most is not None and len(tally.failed_indexes) > int(most):
        yield Verdict(
            FAILED, "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
        )
    ended = tally.completed | tally.failed_indexes
    if tally.failed_indexes and len(ended) >= (spec.completions(job) or 0):
        yield Verdict(FAILED, "FailedIndexes", "Job has failed indexes")
    for place, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        chosen = indexes.parse(rule["succeededIndexes"]) if rule.get("succeededIndexes") else None
        met = tally.completed if chosen is None else tally.completed & chosen
        needed = rule.get("succeededCount")
        enough = len(chosen or ()) if needed is None else int(needed)
        if len(met) >= enough:
            yield Verdict(COMPLETE, "SuccessPolicy", f"Matched rules at index {place}")


def _is_done(job: resources.Object, tally: tallies.Tally) -> bool:
    goal = spec.completions(job)
    if goal is None:
        return tally.successes.total > 0 and not tally.active and not tally.terminating
    return successes(job, tally) >= goal


def successes(job: resources.Object, tally: tallies.Tally) -> int:
    """Completed indexes, or succeeded pods where there are no indexes."""
    return len(tally.completed) if spec.indexed(job) else tally.successes.total
