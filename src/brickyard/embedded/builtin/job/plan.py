"""What a Job does next: a pure function from the pods that are there to those to make and to delete.

    | seen                                               | move                                                             |
    |----------------------------------------------------|------------------------------------------------------------------|
    | finished, ``ttlSecondsAfterFinished`` over         | delete the Job                                                   |
    | finished, or run by somebody else                  | nothing                                                          |
    | being deleted                                      | let go of the pods' finalizers                                   |
    | pods to take in or let go                          | do that first, plan again                                        |
    | a verdict (``verdict``)                            | delete the active pods; final once none is left                  |
    | suspended                                          | delete the active pods, which does not count as failure          |
    | an earlier pass's creations or deletions not seen  | status only: the knowledge is too old to count on                |
    | more active pods than are of use                   | delete the difference in the order of ``podstate``; no failures  |
    | fewer, and a failure too short a time ago          | wait                                                             |
    | fewer                                              | create the difference, at most ``BURST`` a pass                  |

Of use are ``parallelism`` pods, but no more than completions are missing; without ``completions`` no new pod is made after the first
success. With indexes, the lowest ones that are neither done nor worked on come first.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Container, Iterable, Iterator, Sequence

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import claims, podstate
from brickyard.embedded.builtin.job import failures, spec, verdict
from brickyard.embedded.builtin.job import tally as tallies
from brickyard.kube.objects import meta, names, selectors

BURST = 500
"""Most pods created or deleted in one pass."""
_SUFFIX = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """What a pass knows.

    ``pods`` are all of the namespace that may be the Job's own; ``taken`` answers which pod names are in use; ``caught_up`` is False
    while creations or deletions of an earlier pass have not been seen yet.
    """

    job: resources.Object
    pods: Sequence[resources.Object]
    taken: Container[str] = ()
    caught_up: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """One step. ``forgive`` are pods whose finalizer goes without their being counted, before they are deleted."""

    claims: claims.Claims
    reason: str
    tally: tallies.Tally
    verdict: verdict.Verdict | None = None
    create: tuple[resources.Object, ...] = ()
    delete: tuple[resources.Object, ...] = ()
    forgive: tuple[resources.Object, ...] = ()
    delete_job: bool = False
    settled: bool = False
    """The Job is finished, or not ours: its status stays."""
    requeue_after: float | None = None


def plan(snapshot: Snapshot, now: float) -> Plan:
    """One step towards the end of the Job. ``now`` is Unix seconds."""
    job = snapshot.job
    claimed = _claims(snapshot)
    seen = Plan(claimed, "nothing to do", tallies.take(job, claimed.all_owned))
    idle = _idle(seen, job, now)
    if idle is not None:
        return idle
    if not claimed.settled:
        return dataclasses.replace(seen, reason="take in or let go of pods")
    found = verdict.judge(job, seen.tally, now)
    if found is not None:
        return dataclasses.replace(seen, reason=found.reason, verdict=found, delete=seen.tally.active[:BURST])
    if spec.suspended(job):
        doomed = seen.tally.active[:BURST]
        return dataclasses.replace(seen, reason="suspended", delete=doomed, forgive=doomed)
    return _timed(_work(seen, snapshot, now), job, now)


def _idle(seen: Plan, job: resources.Object, now: float) -> Plan | None:
    """The step of a Job that is not to be worked on; None when it is."""
    if not spec.is_ours(job):
        return dataclasses.replace(seen, reason="run by another controller", settled=True, claims=claims.Claims())
    if meta.is_deleting(job):
        held = tuple(pod for pod in seen.claims.all_owned if tallies.is_tracked(pod))
        return dataclasses.replace(seen, reason="being deleted", forgive=held, settled=True)
    return _finished(dataclasses.replace(seen, settled=True), job, now) if verdict.is_final(job) else None


def _claims(snapshot: Snapshot) -> claims.Claims:
    selector = selectors.from_label_selector(snapshot.job["spec"]["selector"])
    return claims.claim(snapshot.job, selector, snapshot.pods)


def _finished(seen: Plan, job: resources.Object, now: float) -> Plan:
    """Late ends of pods are let go uncounted: the numbers were final."""
    held = tuple(pod for pod in seen.claims.owned if tallies.is_tracked(pod))
    rest = dataclasses.replace(seen, reason="finished", forgive=held, claims=claims.Claims())
    keep, since = job["spec"].get("ttlSecondsAfterFinished"), verdict.ended_at(job)
    if keep is None or since is None:
        return rest
    left = since + int(keep) - now
    if left > 0:
        return dataclasses.replace(rest, requeue_after=left)
    return dataclasses.replace(rest, reason="kept for long enough", delete_job=True)


def _timed(step: Plan, job: resources.Object, now: float) -> Plan:
    left = verdict.deadline_in(job, now)
    if left is None and job["spec"].get("activeDeadlineSeconds") is not None:
        left = float(job["spec"]["activeDeadlineSeconds"])
    moments = [each for each in (left, step.requeue_after) if each is not None]
    return dataclasses.replace(step, requeue_after=min(moments, default=None))


# ----------------------------------------------------------------------------------------------------------------- work


def _work(seen: Plan, snapshot: Snapshot, now: float) -> Plan:
    if not snapshot.caught_up:
        return dataclasses.replace(seen, reason="waiting to see earlier creations and deletions")
    job, tally = snapshot.job, seen.tally
    useful = wanted(job, tally)
    useless = _useless(job, tally)
    spare = len(tally.active) - useful
    if useless or spare > 0:
        known = {meta.uid(pod) for pod in useless}
        others = [pod for pod in podstate.deletion_order(tally.active) if meta.uid(pod) not in known]
        doomed = (*useless, *others[: max(0, spare - len(useless))])[:BURST]
        return dataclasses.replace(seen, reason=f"{len(doomed)} too many", delete=doomed, forgive=doomed)
    busy = len(tally.active) + (tally.terminating if spec.replaces_failed_only(job) else 0)
    missing = min(useful - busy, BURST)
    if missing <= 0:
        return dataclasses.replace(seen, reason="pods are at work")
    return _grow(seen, snapshot, missing, now)


def wanted(job: resources.Object, tally: tallies.Tally) -> int:
    """How many active pods are of use now."""
    goal = spec.completions(job)
    if goal is None:
        return len(tally.active) if tally.successes.total else spec.parallelism(job)
    missing = goal - verdict.successes(job, tally) - len(tally.failed_indexes)
    return max(0, min(spec.parallelism(job), missing))


def _useless(job: resources.Object, tally: tallies.Tally) -> tuple[resources.Object, ...]:
    """Active pods whose index is beyond the end, done, given up, or has a pod already."""
    if not spec.indexed(job):
        return ()
    seen = set(tally.completed | tally.failed_indexes)
    found = []
    for pod in reversed(podstate.deletion_order(tally.active)):
        index = spec.index_of(pod)
        if index is None or index in seen or index >= (spec.completions(job) or 0):
            found.append(pod)
        else:
            seen.add(index)
    return tuple(found)


def _grow(seen: Plan, snapshot: Snapshot, missing: int, now: float) -> Plan:
    job, tally = snapshot.job, seen.tally
    if spec.limit_per_index(job) is None:
        left = failures.wait(tally.failed, tally.succeeded, now)
        if left > 0:
            reason = f"waiting {left:.0f} s before a failed pod is replaced"
            return dataclasses.replace(seen, reason=reason, requeue_after=left)
    chosen: list[int | None] = [None] * missing
    after = None
    if spec.indexed(job):
        free, after = _free_indexes(job, tally, now)
        chosen = list(free[:missing])
    pods = tuple(_named(snapshot, seen, chosen))
    return dataclasses.replace(seen, reason=f"{missing} too few", create=pods, requeue_after=after)


def _free_indexes(job: resources.Object, tally: tallies.Tally, now: float) -> tuple[list[int], float | None]:
    """Indexes to start a pod for, lowest first, and the seconds until the next one that has to wait for its turn may start."""
    busy = {spec.index_of(pod) for pod in tally.active} | tally.completed | tally.failed_indexes
    if spec.replaces_failed_only(job):
        # One that is on its way out still has its index.
        busy |= {spec.index_of(pod) for pod in tally.leaving}
    idle = [each for each in range(spec.completions(job) or 0) if each not in busy]
    if spec.limit_per_index(job) is None:
        return idle, None
    waits = {each: failures.wait(_of_index(tally.failed, each), (), now) for each in idle}
    return [each for each in idle if not waits[each]], min((each for each in waits.values() if each), default=None)


def _of_index(pods: Iterable[resources.Object], index: int | None) -> list[resources.Object]:
    return [pod for pod in pods if spec.index_of(pod) == index]


def _named(snapshot: Snapshot, seen: Plan, chosen: Sequence[int | None]) -> Iterator[resources.Object]:
    """Names depend on nothing but the snapshot: the same one planned twice asks for the same, and the second is refused."""
    job = snapshot.job
    seed = "\n".join([meta.uid(job), *sorted(map(meta.uid, seen.claims.owned))])
    fresh = itertools.count()
    given: set[str] = set()
    for index in chosen:
        before = [spec.failures_of(pod) + 1 for pod in _of_index(seen.tally.failed, index)] if index is not None else []
        while True:
            digest = hashlib.sha256(f"{seed}\n{next(fresh)}".encode()).digest()
            name = spec.prefix(job, index) + names.encode_safe(digest, _SUFFIX)
            if name not in given and name not in snapshot.taken:
                break
        given.add(name)
        yield spec.build(job, name, index, max(before, default=0))
