"""The Job's moves: rows of its tables, and a small world in which they are played to the end."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.embedded.builtin import testing
from brickyard.embedded.builtin.job import plan as planning
from brickyard.embedded.builtin.job import spec, status, verdict
from brickyard.kube.objects import conditions, meta, owners

NOW = testing.NOW


def pod(
    job: dict[str, Any], name: str, phase: str = "Running", index: int | None = None, **more: Any
) -> dict[str, Any]:
    ended = more.pop("ended", 1000.0)
    labels = job["spec"]["template"]["metadata"]["labels"]
    notes = {spec.INDEX: str(index)} if index is not None else {}
    more = {"labels": labels, "annotations": notes, "finalizers": [spec.FINALIZER], **more}
    made = testing.pod(name, phase=phase, owner=job, **more)
    if phase in ("Failed", "Succeeded"):
        state = {"terminated": {"exitCode": int(phase == "Failed"), "finishedAt": testing.ago(ended)}}
        made["status"]["containerStatuses"] = [{"name": "web", "state": state}]
    return made


def step(job: dict[str, Any], *pods: dict[str, Any], **more: Any) -> planning.Plan:
    return planning.plan(planning.Snapshot(job, pods, **more), NOW)


def told(kind: str, job: dict[str, Any], ago: float = 0.0) -> dict[str, Any]:
    said = {"type": kind, "status": "True", "reason": "R", "message": "m", "lastTransitionTime": testing.ago(ago)}
    job["status"] = {"conditions": [said], "startTime": testing.ago(1000)}
    return job


# How many are asked for, which there are, and how many are made and deleted.
SIZES: list[tuple[str, dict[str, Any], list[str], int, int]] = [
    ("one", {"completions": 1}, [], 1, 0),
    ("one at work", {"completions": 1}, ["Running"], 0, 0),
    ("parallel", {"completions": 5, "parallelism": 3}, [], 3, 0),
    ("one of them done", {"completions": 5, "parallelism": 3}, ["Succeeded", "Running", "Running"], 1, 0),
    ("not more than are missing", {"completions": 5, "parallelism": 3}, ["Succeeded"] * 4, 1, 0),
    ("failed ones are replaced", {"completions": 2, "parallelism": 2}, ["Failed", "Running"], 1, 0),
    ("parallelism lowered", {"completions": 5, "parallelism": 1}, ["Running"] * 3, 0, 2),
    ("parallelism 0", {"completions": 5, "parallelism": 0}, ["Running"], 0, 1),
    ("more than are missing", {"completions": 3, "parallelism": 3}, ["Succeeded", "Succeeded", "Running", "Running"], 0, 1),
    ("no completions", {"completions": None, "parallelism": 3}, [], 3, 0),
    ("no completions, one succeeded", {"completions": None, "parallelism": 3}, ["Succeeded", "Running"], 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "asked", "phases", "creates", "deletes"), SIZES, ids=[row[0] for row in SIZES])
def test_sizes(name: str, asked: dict[str, Any], phases: list[str], creates: int, deletes: int) -> None:
    del name
    job = testing.job(**asked)
    found = step(job, *(pod(job, f"p{number}", phase) for number, phase in enumerate(phases)))
    assert (len(found.create), len(found.delete)) == (creates, deletes)
    assert found.forgive == found.delete, "what we delete for its number is no failure"


VERDICTS: list[tuple[str, dict[str, Any], list[str], str]] = [
    ("done", {"completions": 1}, ["Succeeded"], "Complete CompletionsReached"),
    ("not yet", {"completions": 2}, ["Succeeded"], ""),
    ("nothing to do", {"completions": 0}, [], "Complete CompletionsReached"),
    ("any success", {"completions": None}, ["Succeeded"], "Complete CompletionsReached"),
    ("any success, others still work", {"completions": None}, ["Succeeded", "Running"], ""),
    ("too many failures", {"backoffLimit": 1}, ["Failed", "Failed"], "Failed BackoffLimitExceeded"),
    ("as many as allowed", {"backoffLimit": 2}, ["Failed", "Failed"], ""),
    ("the default limit", {"backoffLimit": None}, ["Failed"] * 7, "Failed BackoffLimitExceeded"),
    ("no failure allowed", {"backoffLimit": 0}, ["Failed"], "Failed BackoffLimitExceeded"),
]


@pytest.mark.parametrize(("name", "asked", "phases", "expected"), VERDICTS, ids=[row[0] for row in VERDICTS])
def test_verdicts(name: str, asked: dict[str, Any], phases: list[str], expected: str) -> None:
    del name
    job = testing.job(**asked)
    found = step(job, *(pod(job, f"p{number}", phase) for number, phase in enumerate(phases))).verdict
    assert (f"{found.kind} {found.reason}" if found else "") == expected


def test_a_verdict_ends_the_pods_at_work() -> None:
    job = testing.job(completions=3, parallelism=3, backoffLimit=0)
    working = pod(job, "a")
    found = step(job, working, pod(job, "b", "Failed"))
    assert found.delete == (working,)
    assert found.forgive == ()


def test_a_failed_pod_is_replaced_after_a_while() -> None:
    job = testing.job()
    found = step(job, pod(job, "a", "Failed", ended=4))
    assert (found.create, found.requeue_after) == ((), 6)
    assert len(step(job, pod(job, "a", "Failed", ended=10)).create) == 1


@pytest.mark.parametrize(("limit", "restarts", "over"), [(2, 1, False), (2, 2, True), (0, 0, False), (0, 1, True)])
def test_restarts_in_place_count_against_the_limit(limit: int, restarts: int, over: bool) -> None:
    job = testing.job(backoffLimit=limit)
    job["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    working = pod(job, "a")
    working["status"]["containerStatuses"] = [{"name": "web", "restartCount": restarts}]
    assert (step(job, working).verdict is not None) is over


@pytest.mark.parametrize(("began", "over"), [(29, False), (30, True), (31, True)])
def test_the_deadline(began: float, over: bool) -> None:
    job = testing.job(activeDeadlineSeconds=30)
    job["status"] = {"startTime": testing.ago(began)}
    found = step(job, pod(job, "a"))
    assert (found.verdict is not None) is over
    if not over:
        assert found.requeue_after == 30 - began


def test_a_job_that_has_not_begun_asks_to_be_looked_at_when_its_deadline_comes() -> None:
    assert step(testing.job(activeDeadlineSeconds=30)).requeue_after == 30


def test_a_suspended_job_has_no_pods_and_loses_nothing() -> None:
    job = testing.job(suspend=True, activeDeadlineSeconds=1)
    job["status"] = {"startTime": testing.ago(100)}
    working = pod(job, "a")
    found = step(job, working)
    assert (found.delete, found.forgive, found.verdict, found.create) == ((working,), (working,), None, ())


@pytest.mark.parametrize(("policy", "creates"), [("Failed", 0), ("TerminatingOrFailed", 1)])
def test_when_a_pod_that_is_leaving_is_replaced(policy: str, creates: int) -> None:
    job = testing.job(podReplacementPolicy=policy)
    found = step(job, pod(job, "a", deletionTimestamp=testing.ago(20)))
    assert len(found.create) == creates


@pytest.mark.parametrize("policy", ["Failed", "TerminatingOrFailed"])
def test_an_index_that_is_leaving(policy: str) -> None:
    asked: dict[str, Any] = {
        "completionMode": "Indexed",
        "completions": 3,
        "parallelism": 2,
        "podReplacementPolicy": policy,
    }
    job = testing.job(**asked)
    found = step(job, pod(job, "a", index=0, deletionTimestamp=testing.ago(20)))
    assert [spec.index_of(each) for each in found.create] == ([1] if policy == "Failed" else [0, 1])


def test_indexes_are_worked_on_from_the_lowest() -> None:
    job = testing.job(completionMode="Indexed", completions=5, parallelism=3)
    job["status"] = {"completedIndexes": "0", "succeeded": 1}
    found = step(job, pod(job, "a", index=2))
    assert [spec.index_of(each) for each in found.create] == [1, 3]
    first = found.create[0]
    assert meta.name(first).startswith("work-1-")
    assert first["spec"]["hostname"] == "work-1"
    assert first["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"
    assert meta.labels(first)[spec.INDEX] == "1"
    assert owners.is_controlled_by(first, job)
    assert spec.FINALIZER in first["metadata"]["finalizers"]


def test_a_second_pod_of_an_index_goes_and_so_does_one_beyond_the_end() -> None:
    job = testing.job(completionMode="Indexed", completions=2, parallelism=2)
    old, new = pod(job, "old", index=0, ready_for=90), pod(job, "new", index=0, ready_for=5)
    beyond = pod(job, "beyond", index=7)
    found = step(job, old, new, beyond)
    assert {meta.name(each) for each in found.delete} == {"new", "beyond"}


def test_indexes_have_limits_and_waits_of_their_own() -> None:
    job = testing.job(completionMode="Indexed", completions=3, parallelism=3, backoffLimitPerIndex=1)
    found = step(job, pod(job, "a", "Failed", index=0, ended=4), pod(job, "b", index=1))
    assert [spec.index_of(each) for each in found.create] == [2]
    assert found.requeue_after == 6
    later = step(job, pod(job, "a", "Failed", index=0, ended=40), pod(job, "b", index=1), pod(job, "c", index=2))
    (again,) = later.create
    assert (spec.index_of(again), spec.failures_of(again)) == (0, 1)


@pytest.mark.parametrize(
    ("more", "failed", "completed", "expected"),
    [
        ({}, "1", "0,2", "Failed FailedIndexes"),
        ({}, "1", "0", ""),
        ({"maxFailedIndexes": 0}, "1", "0", "Failed MaxFailedIndexesExceeded"),
        ({"maxFailedIndexes": 1}, "1", "0", ""),
        ({}, "", "0-2", "Complete CompletionsReached"),
    ],
)
def test_verdicts_by_index(more: dict[str, Any], failed: str, completed: str, expected: str) -> None:
    job = testing.job(completionMode="Indexed", completions=3, backoffLimitPerIndex=1, **more)
    job["status"] = {"failedIndexes": failed, "completedIndexes": completed}
    found = step(job).verdict
    assert (f"{found.kind} {found.reason}" if found else "") == expected


@pytest.mark.parametrize(
    ("rule", "completed", "met"),
    [
        ({"succeededIndexes": "0"}, "0", True),
        ({"succeededIndexes": "0-1"}, "0", False),
        ({"succeededIndexes": "0-1", "succeededCount": 1}, "1", True),
        ({"succeededIndexes": "0-1", "succeededCount": 1}, "2", False),
        ({"succeededCount": 2}, "1-2", True),
        ({"succeededCount": 2}, "1", False),
    ],
)
def test_a_success_policy_ends_early(rule: dict[str, Any], completed: str, met: bool) -> None:
    job = testing.job(completionMode="Indexed", completions=5, successPolicy={"rules": [rule]})
    job["status"] = {"completedIndexes": completed}
    found = step(job).verdict
    assert (found is not None and found.reason == "SuccessPolicy") is met


def test_a_rule_of_the_failure_policy_ends_the_job() -> None:
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}}
    job = testing.job(podFailurePolicy={"rules": [rule]})
    found = step(job, pod(job, "a", "Failed")).verdict
    assert found is not None
    assert (found.kind, found.reason) == ("Failed", "PodFailurePolicy")


@pytest.mark.parametrize(
    ("keep", "ago", "gone", "again"),
    [(60, 10, False, 50), (60, 60, True, None), (0, 0, True, None), (None, 9999, False, None)],
)
def test_a_finished_job_is_kept_for_a_while(keep: int | None, ago: float, gone: bool, again: float | None) -> None:
    job = told("Complete", testing.job(ttlSecondsAfterFinished=keep), ago)
    found = step(job)
    assert (found.delete_job, found.requeue_after, found.settled) == (gone, again, True)


def test_a_finished_job_lets_go_of_late_pods() -> None:
    job = told("Failed", testing.job())
    late = pod(job, "late", "Failed")
    found = step(job, late)
    assert (found.forgive, found.create, found.settled) == ((late,), (), True)


def test_a_verdict_that_is_coming_does_not_change() -> None:
    job = told("FailureTarget", testing.job())
    found = step(job, pod(job, "a", "Succeeded"))
    assert found.verdict == verdict.Verdict("Failed", "R", "m")


def test_one_being_deleted_frees_its_pods() -> None:
    job = testing.job()
    job["metadata"]["deletionTimestamp"] = testing.ago(1)
    held, free = pod(job, "held"), pod(job, "free", finalizers=[])
    found = step(job, held, free)
    assert (found.forgive, found.create, found.delete, found.settled) == ((held,), (), (), True)


@pytest.mark.parametrize(("manager", "ours"), [("kubernetes.io/job-controller", True), ("example.com/queue", False)])
def test_a_job_that_somebody_else_runs(manager: str, ours: bool) -> None:
    assert bool(step(testing.job(managedBy=manager)).create) is ours


def test_old_knowledge_makes_no_pods() -> None:
    assert step(testing.job(), caught_up=False).create == ()


def test_names_follow_from_what_is_seen() -> None:
    job = testing.job(completions=4, parallelism=4)
    first, second = step(job), step(job)
    assert [meta.name(each) for each in first.create] == [meta.name(each) for each in second.create]
    assert len({meta.name(each) for each in first.create}) == 4
    other = step(job, taken={meta.name(first.create[0])})
    assert meta.name(first.create[0]) not in {meta.name(each) for each in other.create}


def test_a_bounded_number_is_made() -> None:
    assert len(step(testing.job(completions=5000, parallelism=5000)).create) == planning.BURST


# ------------------------------------------------------------------------------------------------------- played through


@dataclasses.dataclass
class Play:
    """Carries plans out at once, in the order in which the reconciler does."""

    job: dict[str, Any]
    now: float = NOW
    pods: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    ends: list[str] = dataclasses.field(default_factory=list)

    def turn(self) -> planning.Plan:
        found = planning.plan(planning.Snapshot(self.job, list(self.pods.values()), self.pods), self.now)
        for each in found.forgive:
            each["metadata"]["finalizers"] = []
        if found.settled:
            self._sweep()
            return found
        for made in found.create:
            stored = {**made, "metadata": {**made["metadata"], "uid": meta.name(made)}, "status": {"phase": "Running"}}
            self.pods[meta.name(made)] = stored
        for doomed in found.delete:
            doomed["metadata"]["deletionTimestamp"] = testing.ago(0)
        self.job["status"] = status.compute(self.job, found, self.now)
        for each in found.tally.release:
            each["metadata"]["finalizers"] = []
        self._sweep()
        return found

    def _sweep(self) -> None:
        """Deleted pods without a finalizer are gone."""
        for name, each in list(self.pods.items()):
            if "deletionTimestamp" in each["metadata"] and not each["metadata"]["finalizers"]:
                del self.pods[name]

    def end(self, which: int, phase: str) -> None:
        working = [each for each in self.pods.values() if each["status"]["phase"] == "Running"]
        if working:
            self.ends.append(phase)
            working[which % len(working)]["status"]["phase"] = phase

    def lose(self, which: int) -> None:
        """Somebody deletes a pod that has ended."""
        ended = [each for each in self.pods.values() if each["status"]["phase"] != "Running"]
        if ended:
            ended[which % len(ended)]["metadata"]["deletionTimestamp"] = testing.ago(0)

    def over(self) -> bool:
        return verdict.is_final(self.job)


moves = st.lists(st.tuples(st.sampled_from(["succeed", "fail", "lose", "turn"]), st.integers(0, 5)), max_size=30)


@settings(max_examples=150)
@given(st.booleans(), st.integers(1, 4), st.integers(1, 6), moves)
def test_whatever_happens_every_end_is_counted_once(indexed: bool, parallel: int, goal: int, played: Any) -> None:
    mode = "Indexed" if indexed else "NonIndexed"
    play = Play(testing.job(completions=goal, parallelism=parallel, completionMode=mode, backoffLimit=1000))
    for what, which in played:
        if what in ("succeed", "fail"):
            play.end(which, "Succeeded" if what == "succeed" else "Failed")
        elif what == "lose":
            play.lose(which)
        play.now += 700
        play.turn()
        active = [each for each in play.pods.values() if each["status"]["phase"] == "Running"]
        assert len(active) <= min(parallel, goal)
    for _ in range(100):
        if play.over():
            break
        play.end(0, "Succeeded")
        play.now += 700
        play.turn()
    told_status = play.job["status"]
    assert conditions.is_true(told_status["conditions"], "Complete")
    assert told_status["succeeded"] == goal
    assert told_status.get("failed", 0) == play.ends.count("Failed")
    assert not told_status.get("active")
    if indexed:
        assert told_status["completedIndexes"] == ("0" if goal == 1 else f"0-{goal - 1}")
