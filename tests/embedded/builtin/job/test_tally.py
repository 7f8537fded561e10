from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.job import spec, tally
from brickyard.kube.objects import meta


def pod(job: dict[str, Any], name: str, phase: str = "Running", *, tracked: bool = True, **more: Any) -> dict[str, Any]:
    made = testing.pod(name, phase=phase, owner=job, **more)
    made["metadata"]["finalizers"] = [spec.FINALIZER] if tracked else []
    return made


def indexed(job: dict[str, Any], index: int, phase: str, count: int = 0) -> dict[str, Any]:
    notes = {spec.INDEX: str(index), spec.FAILURES: str(count)}
    return pod(job, f"work-{index}-{phase.lower()}", phase, annotations=notes)


def test_an_ended_pod_is_counted_in_three_steps() -> None:
    job = testing.job()
    done = pod(job, "a", "Succeeded")
    first = tally.take(job, [done])
    assert (first.successes.counted, first.successes.waiting) == (0, (meta.uid(done),))
    assert first.release == (done,)
    assert first.pending

    job["status"] = {"uncountedTerminatedPods": {"succeeded": [meta.uid(done)]}}
    again = tally.take(job, [done])
    assert (again.successes.counted, again.successes.waiting) == (0, (meta.uid(done),))

    free = pod(job, "a", "Succeeded", tracked=False)
    free["metadata"]["uid"] = meta.uid(done)
    for pods in ([free], []):
        last = tally.take(job, pods)
        assert (last.successes.counted, last.successes.waiting, last.release) == (1, (), ())
        assert not last.pending

    job["status"] = {"succeeded": 1}
    assert tally.take(job, [free]).successes.total == 1


@pytest.mark.parametrize(
    ("phase", "more", "policy", "failed", "active", "leaving"),
    [
        ("Running", {}, "TerminatingOrFailed", 0, 1, 0),
        ("Failed", {}, "TerminatingOrFailed", 1, 0, 0),
        ("Running", {"deletionTimestamp": testing.ago(1)}, "TerminatingOrFailed", 1, 0, 1),
        ("Running", {"deletionTimestamp": testing.ago(1)}, "Failed", 0, 0, 1),
        ("Failed", {"deletionTimestamp": testing.ago(1)}, "Failed", 1, 0, 0),
        ("Succeeded", {"deletionTimestamp": testing.ago(1)}, "TerminatingOrFailed", 0, 0, 0),
        ("Running", {"deletionTimestamp": testing.ago(1), "tracked": False}, "TerminatingOrFailed", 0, 0, 1),
    ],
)
def test_what_counts_as_failed(
    phase: str, more: dict[str, Any], policy: str, failed: int, active: int, leaving: int
) -> None:
    job = testing.job(podReplacementPolicy=policy)
    found = tally.take(job, [pod(job, "a", phase, **more)])
    assert (found.failures.total, len(found.active), found.terminating) == (failed, active, leaving)


def test_an_ignored_failure_is_let_go_and_not_counted() -> None:
    rule = {"action": "Ignore", "onPodConditions": [{"type": "Ready", "status": "True"}]}
    job = testing.job(podFailurePolicy={"rules": [rule]})
    failed = pod(job, "a", "Failed")
    found = tally.take(job, [failed])
    assert found.failures.total == 0
    assert found.failed == ()
    assert found.release == (failed,)


def test_the_list_is_bounded_and_nobody_on_it_is_let_go_too_early() -> None:
    job = testing.job()
    pods = [pod(job, f"p{number}", "Succeeded") for number in range(tally.UNCOUNTED_LIMIT + 5)]
    found = tally.take(job, pods)
    assert len(found.successes.waiting) == len(found.release) == tally.UNCOUNTED_LIMIT


def test_completed_indexes_are_a_set() -> None:
    job = testing.job(completionMode="Indexed", completions=4)
    job["status"] = {"completedIndexes": "0-1"}
    found = tally.take(job, [indexed(job, 1, "Succeeded"), indexed(job, 3, "Succeeded"), indexed(job, 9, "Succeeded")])
    assert found.completed == {0, 1, 3}


@pytest.mark.parametrize(("limit", "count", "failed"), [(0, 0, {2}), (1, 0, set()), (1, 1, {2}), (None, 5, set())])
def test_an_index_has_failed_after_its_limit(limit: int | None, count: int, failed: set[int]) -> None:
    job = testing.job(completionMode="Indexed", completions=4, backoffLimitPerIndex=limit)
    assert tally.take(job, [indexed(job, 2, "Failed", count)]).failed_indexes == failed


def test_a_failed_index_stays_failed() -> None:
    job = testing.job(completionMode="Indexed", completions=4, backoffLimitPerIndex=1)
    job["status"] = {"failedIndexes": "3"}
    assert tally.take(job, []).failed_indexes == {3}
