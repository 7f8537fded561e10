"""Counts a Job's pods, each exactly once. Pure.

An ended pod is counted in three steps, so that neither a crash nor a deletion loses or doubles one:

    1  its uid is written to ``status.uncountedTerminatedPods``
    2  its finalizer is taken away; now it may be deleted
    3  the uid leaves that list and the counter goes up by one, in one write

Totals that decisions are made on are the counter and the list together. Indexes need no counters: a set does not double.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import podstate
from brickyard.embedded.builtin.job import failures, indexes, spec
from brickyard.kube.objects import meta

UNCOUNTED_LIMIT = 500
"""Most uids on the list: a status must stay small."""

Pods = tuple[resources.Object, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    """One counter and the uids that it will go up by."""

    counted: int
    waiting: tuple[str, ...]

    @property
    def total(self) -> int:
        return self.counted + len(self.waiting)


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """A Job's pods by what became of them. ``release`` are those whose finalizer may go once the counts are written."""

    active: Pods
    leaving: Pods
    """Those whose end was asked for and has not come."""
    succeeded: Pods
    failed: Pods
    successes: Count
    failures: Count
    completed: frozenset[int]
    failed_indexes: frozenset[int]
    release: Pods
    fatal: str = ""
    """What a FailJob rule says."""

    @property
    def terminating(self) -> int:
        return len(self.leaving)

    @property
    def pending(self) -> bool:
        """Whether the counters are not final yet."""
        return bool(self.successes.waiting or self.failures.waiting)


def is_tracked(pod: resources.Object) -> bool:
    """Whether the pod's end was not counted yet."""
    return spec.FINALIZER in (meta.metadata(pod).get("finalizers") or ())


def take(job: resources.Object, pods: Sequence[resources.Object]) -> Tally:
    """Count ``pods``, those of the Job."""
    status = job.get("status") or {}
    succeeded = tuple(pod for pod in pods if podstate.phase(pod) == "Succeeded")
    failed = tuple(pod for pod in pods if _failed(job, pod))
    rulings = {meta.uid(pod): failures.rule_on(job, pod) for pod in failed}
    counted = tuple(pod for pod in failed if rulings[meta.uid(pod)].action != failures.IGNORE)
    listed = status.get("uncountedTerminatedPods") or {}
    tracked = {meta.uid(pod) for pod in pods if is_tracked(pod)}
    successes = _count(status.get("succeeded"), listed.get("succeeded"), succeeded, tracked)
    losses = _count(status.get("failed"), listed.get("failed"), counted, tracked)
    ignored = {uid for uid, ruling in rulings.items() if ruling.action == failures.IGNORE}
    may_go = {*successes.waiting, *losses.waiting, *ignored}
    return Tally(
        active=tuple(pod for pod in pods if podstate.is_active(pod)),
        leaving=tuple(pod for pod in pods if podstate.is_terminating(pod) and not podstate.is_terminal(pod)),
        succeeded=succeeded,
        failed=counted,
        successes=successes,
        failures=losses,
        completed=_completed(job, succeeded),
        failed_indexes=_failed_indexes(job, counted, rulings),
        release=tuple(pod for pod in pods if meta.uid(pod) in may_go and is_tracked(pod)),
        fatal=next((each.why for each in rulings.values() if each.action == failures.FAIL_JOB), ""),
    )


def _failed(job: resources.Object, pod: resources.Object) -> bool:
    leaving = podstate.is_terminating(pod)
    if leaving and not is_tracked(pod):
        return False  # we let it go ourselves, or counted it before
    if podstate.phase(pod) == "Failed":
        return True
    # One that is deleted may never get to say how it ended.
    return leaving and podstate.phase(pod) != "Succeeded" and not spec.replaces_failed_only(job)


def _count(counter: int | None, listed: Sequence[str] | None, ended: Pods, tracked: set[str]) -> Count:
    before = list(listed or ())
    done = [uid for uid in before if uid not in tracked]
    waiting = [uid for uid in before if uid in tracked]
    known = set(waiting)
    fresh = [meta.uid(pod) for pod in ended if meta.uid(pod) in tracked and meta.uid(pod) not in known]
    return Count(int(counter or 0) + len(done), tuple([*waiting, *fresh][:UNCOUNTED_LIMIT]))


def _completed(job: resources.Object, succeeded: Pods) -> frozenset[int]:
    if not spec.indexed(job):
        return frozenset()
    goal = spec.completions(job) or 0
    found = {spec.index_of(pod) for pod in succeeded} | indexes.parse((job.get("status") or {}).get("completedIndexes"))
    return frozenset(each for each in found if each is not None and each < goal)


def _failed_indexes(job: resources.Object, failed: Pods, rulings: dict[str, failures.Ruling]) -> frozenset[int]:
    limit = spec.limit_per_index(job)
    if limit is None:
        return frozenset()
    found = set(indexes.parse((job.get("status") or {}).get("failedIndexes")))
    for pod in failed:
        index = spec.index_of(pod)
        hopeless = rulings[meta.uid(pod)].action == failures.FAIL_INDEX or spec.failures_of(pod) + 1 > limit
        if index is not None and hopeless:
            found.add(index)
    return frozenset(found)
