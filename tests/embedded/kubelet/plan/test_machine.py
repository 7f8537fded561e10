"""One pod, from first sight to removal, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from brickyard.embedded.kubelet import testing
from brickyard.embedded.kubelet.plan import messages, spec
from brickyard.embedded.kubelet.testing import World, container, deleted, pod

STARTUP, LIVENESS, READINESS = spec.ProbeKind.STARTUP, spec.ProbeKind.LIVENESS, spec.ProbeKind.READINESS
HTTP = {"httpGet": {"port": 8000}}
EXEC = {"exec": {"command": ["true"]}}


def running(**fields: Any) -> World:
    world = World(pod(container(**fields)))
    world.started()
    return world


# The ordinary life.


def test_a_pod_is_started_at_first_sight() -> None:
    world = World(pod(container(), container("log")))
    assert world.starts() == ["web", "log"]
    assert world.phase() == "Pending"
    assert world.state()["state"] == {"waiting": {"reason": "ContainerCreating"}}


def test_a_started_container_without_probes_is_ready_at_once() -> None:
    world = running()
    assert world.reasons() == ["Created", "Started"]
    assert world.phase() == "Running"
    entry = world.state()
    assert entry["state"] == {"running": {"startedAt": "2023-11-14T22:13:20Z"}}
    assert entry["containerID"] == "process://1000-web"
    assert (entry["ready"], entry["started"], entry["restartCount"]) == (True, True, 0)
    assert world.condition("Ready")["status"] == "True"


def test_the_pod_is_ready_when_every_container_is() -> None:
    world = World(pod(container(), container("log")))
    world.started()
    assert world.condition("ContainersReady")["message"] == "containers with unready status: [log]"
    world.started("log")
    assert world.condition("Ready")["status"] == "True"


def test_seeing_the_pod_again_changes_nothing() -> None:
    world = running()
    world.see(world.pod)
    assert world.new == []


def test_start_progress_is_shown_while_waiting() -> None:
    world = World(pod())
    world.give(messages.StartProgress("web", 0, "fetching model m: 40%"))
    assert world.state()["state"]["waiting"]["message"] == "fetching model m: 40%"
    world.started()
    world.give(messages.StartProgress("web", 0, "late"))
    assert "running" in world.state()["state"]


# Restarts.

# policy     exit   starts again   phase
POLICIES = [
    ("Always", 0, True, "Running"),
    ("Always", 1, True, "Running"),
    ("OnFailure", 0, False, "Succeeded"),
    ("OnFailure", 1, True, "Running"),
    ("Never", 0, False, "Succeeded"),
    ("Never", 1, False, "Failed"),
]


@pytest.mark.parametrize(("policy", "code", "again", "phase"), POLICIES)
def test_restart_policy(policy: str, code: int, again: bool, phase: str) -> None:
    world = World(pod(restartPolicy=policy))
    world.started()
    world.exited(code)
    assert (world.starts() == ["web"]) is again
    assert world.phase() == phase


def test_back_off_doubles_from_ten_seconds_to_five_minutes() -> None:
    world = running()
    waits = []
    for _ in range(9):
        world.exited()
        before = world.now
        if not world.starts():
            world.wait(1000)
            assert len(world.starts()) == 1
            starts_at = next(
                at for at, what in reversed(world.machine.story()) if isinstance(what, messages.StartContainer)
            )
            waits.append(starts_at - before)
            world.now = starts_at
        else:
            waits.append(0.0)
        world.started()
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_crash_loop_is_shown_with_what_happened() -> None:
    world = running()
    world.exited()
    world.started()
    world.wait(3)
    world.exited(139, message="Segmentation fault")
    assert world.reasons() == ["BackOff"]
    entry = world.state()
    uid = world.pod["metadata"]["uid"]
    assert entry["state"]["waiting"] == {
        "reason": "CrashLoopBackOff",
        "message": f"back-off 10s restarting failed container=web pod=a_default({uid})",
    }
    assert entry["lastState"]["terminated"] == {
        "exitCode": 139,
        "reason": "Error",
        "message": "Segmentation fault",
        "startedAt": "2023-11-14T22:13:20Z",
        "finishedAt": "2023-11-14T22:13:23Z",
        "containerID": "process://1001-web",
    }
    assert entry["restartCount"] == 1
    assert world.phase() == "Running"
    assert world.condition("Ready")["reason"] == "ContainersNotReady"


def test_ten_calm_minutes_forget_the_crashes() -> None:
    world = running()
    for _ in range(3):
        world.exited()
        world.wait(300)
        world.started()
    world.wait(601)
    world.exited()
    assert world.starts() == ["web"]
    world.started()
    world.exited()
    assert world.machine.due == world.now + 10


def test_less_than_ten_minutes_do_not() -> None:
    world = running()
    for _ in range(2):
        world.exited()
        world.wait(10)
        world.started()
    world.wait(599)
    world.exited()
    assert world.machine.due == world.now + 20


def test_back_off_reason_goes_when_the_next_run_is_prepared() -> None:
    world = running()
    world.exited()
    world.started()
    world.exited()
    world.wait(10)
    assert world.state()["state"]["waiting"] == {"reason": "ContainerCreating"}
    assert world.state()["lastState"]["terminated"]["exitCode"] == 1


# Starts that fail.


def test_a_start_that_fails_waits_with_its_reason_and_is_tried_again() -> None:
    world = World(pod())
    gaps = []
    for _ in range(6):
        world.start_failed("ErrImageNeverPull", "add a line to images.yaml")
        assert world.reasons() == ["Failed"]
        assert world.state()["state"]["waiting"] == {
            "reason": "ErrImageNeverPull",
            "message": "add a line to images.yaml",
        }
        due = world.machine.due
        assert due is not None
        gaps.append(due - world.now)
        world.wait(due - world.now)
        assert world.starts() == ["web"]
    assert gaps == [5, 10, 20, 40, 60, 60]
    assert world.phase() == "Pending"
    assert world.state()["restartCount"] == 0


def test_a_retry_keeps_showing_why_the_last_try_failed() -> None:
    world = World(pod())
    world.start_failed("ErrImageNeverPull", "say what")
    world.wait(5)
    assert world.state()["state"]["waiting"]["reason"] == "ErrImageNeverPull"


def test_a_success_forgets_failed_starts() -> None:
    world = World(pod())
    for _ in range(3):
        world.start_failed("CreateContainerConfigError")
        world.wait(60)
    world.started()
    world.exited()
    world.start_failed("CreateContainerConfigError")
    assert world.machine.due == world.now + 5


def test_a_program_that_cannot_run_counts_as_a_run() -> None:
    world = World(pod())
    event = messages.Exited("web", 0, 128, 'exec: "nope": executable file not found in $PATH', "StartError")
    world.give(event)
    assert world.starts() == ["web"]
    assert "Failed" in world.reasons()
    entry = world.state()
    assert entry["lastState"]["terminated"]["reason"] == "StartError"
    world.give(messages.Exited("web", 1, 128, "again", "StartError"))
    assert world.state()["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert world.state()["restartCount"] == 1


def test_a_program_that_cannot_run_fails_a_pod_that_never_restarts() -> None:
    world = World(pod(restartPolicy="Never"))
    world.give(messages.Exited("web", 0, 128, "no such program", "StartError"))
    assert world.phase() == "Failed"
    assert world.state()["state"]["terminated"]["message"] == "no such program"


# Late and foreign events.


def test_events_of_an_earlier_run_are_ignored() -> None:
    world = running()
    world.exited()
    world.started()
    world.give(messages.Exited("web", 0, 9))
    assert world.machine.containers["web"].running
    world.give(messages.ProbeDone("web", 0, LIVENESS, success=False))
    assert world.new == []


@pytest.mark.parametrize(
    "event",
    [
        messages.Started("nobody", 0, "x"),
        messages.Exited("nobody", 0, 1),
        messages.ProbeDone("web", 0, READINESS, success=True),
        messages.HookDone("web", 0, messages.Hook.PRE_STOP, success=True),
        messages.StartFailed("web", 0, "x", "y"),
        messages.StartCancelled("web", 0),
        messages.Started("web", 0, "again"),
    ],
)
def test_events_that_nobody_waits_for_are_ignored(event: messages.Event) -> None:
    world = running()
    before = world.state()
    assert world.give(event) == []
    assert world.state() == before


def test_another_pod_of_the_same_name_is_ignored() -> None:
    world = running()
    world.see(testing.deleted(pod(), 0))
    assert world.new == []


# Init containers and sidecars.


def test_init_containers_run_one_after_another_before_the_main_ones() -> None:
    world = World(pod(init=[container("one"), container("two")]))
    assert world.starts() == ["one"]
    assert world.condition("Initialized")["message"] == "containers with incomplete status: [one two]"
    assert world.state()["state"] == {"waiting": {"reason": "PodInitializing"}}
    world.started("one")
    assert world.starts() == []
    world.exited(0, "one")
    assert world.starts() == ["two"]
    assert world.condition("Initialized")["message"] == "containers with incomplete status: [two]"
    world.started("two")
    world.exited(0, "two")
    assert world.starts() == ["web"]
    assert world.condition("Initialized")["status"] == "True"
    assert world.phase() == "Pending"
    world.started()
    assert world.phase() == "Running"
    assert world.state("one")["ready"]
    assert world.state("one")["state"]["terminated"]["reason"] == "Completed"


def test_a_failing_init_container_is_tried_again_with_back_off() -> None:
    world = World(pod(init=[container("one")]))
    for _ in range(2):
        world.started("one")
        world.exited(1, "one")
    assert world.state("one")["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert world.phase() == "Pending"
    world.wait(10)
    assert world.starts() == ["one"]


def test_a_failing_init_container_fails_a_pod_that_never_restarts() -> None:
    world = World(pod(init=[container("one"), container("two")], restartPolicy="Never"))
    world.started("one")
    world.exited(3, "one")
    assert world.starts() == []
    assert world.phase() == "Failed"
    assert world.condition("Ready")["reason"] == "PodFailed"


def test_a_sidecar_lets_the_next_start_once_it_has_started() -> None:
    sidecar = container("proxy", restartPolicy="Always", startupProbe=HTTP)
    world = World(pod(init=[sidecar, container("one")]))
    assert world.starts() == ["proxy"]
    world.started("proxy")
    assert [each.probe.kind for each in world.said(messages.RunProbe)] == [STARTUP]
    assert world.starts() == []
    world.probed(STARTUP, success=True, name="proxy")
    assert world.starts() == ["one"]
    world.started("one")
    world.exited(0, "one")
    assert world.starts() == ["web"]


def test_a_sidecar_that_dies_is_restarted_beside_the_main_containers() -> None:
    world = World(pod(init=[container("proxy", restartPolicy="Always")], restartPolicy="Never"))
    world.started("proxy")
    world.started()
    world.exited(0, "proxy")
    assert world.starts() == ["proxy"]
    assert world.condition("Ready")["status"] == "False"
    world.started("proxy")
    assert world.condition("Ready")["status"] == "True"
    assert world.phase() == "Running"


def test_sidecars_end_in_reverse_order_when_the_work_is_done() -> None:
    sidecars = [container(name, restartPolicy="Always") for name in ("s1", "s2")]
    world = World(pod(init=sidecars, restartPolicy="Never"))
    world.started("s1")
    world.started("s2")
    world.started()
    world.exited(0)
    assert world.signals() == [("s2", "TERM")]
    assert world.phase() == "Running"
    world.exited(0, "s2")
    assert world.signals() == [("s1", "TERM")]
    world.exited(143, "s1")
    assert world.starts() == []
    assert world.phase() == "Succeeded"
    assert world.condition("Ready")["reason"] == "PodCompleted"


def test_succeeded_wants_every_main_container_to_succeed() -> None:
    world = World(pod(container(), container("log"), restartPolicy="Never"))
    world.started()
    world.started("log")
    world.exited(0)
    assert world.phase() == "Running"
    world.exited(2, "log")
    assert world.phase() == "Failed"


def test_a_finished_pod_stays_finished() -> None:
    world = World(pod(restartPolicy="Never"))
    world.started()
    world.exited(0)
    world.wait(10_000)
    world.see(world.pod)
    assert world.new == []
    assert world.phase() == "Succeeded"
    assert world.machine.due is None


# Probes.


def test_readiness_decides_who_is_ready() -> None:
    world = running(readinessProbe={**HTTP, "periodSeconds": 5, "failureThreshold": 2})
    assert not world.state()["ready"]
    assert world.state()["started"]
    world.probed(READINESS, success=True)
    assert world.condition("Ready")["status"] == "True"
    for ready in (True, False):
        world.wait(5)
        world.probed(READINESS, success=False, message="HTTP probe failed with statuscode: 503")
        assert world.reasons() == ["Unhealthy"]
        assert world.state()["ready"] is ready
    assert (
        world.said(messages.RecordEvent)[0].message == "Readiness probe failed: HTTP probe failed with statuscode: 503"
    )
    assert world.signals() == []


def test_probes_wait_for_their_initial_delay_and_keep_their_period() -> None:
    world = running(readinessProbe={**HTTP, "initialDelaySeconds": 3, "periodSeconds": 4})
    assert world.said(messages.RunProbe) == []
    assert world.machine.due == world.now + 3
    world.wait(3)
    assert len(world.said(messages.RunProbe)) == 1
    world.wait(1)
    assert world.said(messages.RunProbe) == [], "no second probe while the first is under way"
    world.probed(READINESS, success=True)
    assert world.machine.due == world.now + 3


def test_liveness_ends_the_container_after_its_threshold_and_restarts_it() -> None:
    world = running(livenessProbe={**HTTP, "periodSeconds": 1})
    for _ in range(2):
        world.probed(LIVENESS, success=False)
        assert world.signals() == []
        world.wait(1)
    world.probed(LIVENESS, success=False)
    assert world.reasons() == ["Unhealthy", "Killing"]
    assert world.said(messages.RecordEvent)[1].message == "Container web failed liveness probe, will be restarted"
    assert world.signals() == [("web", "TERM")]
    world.exited(0)
    assert world.starts() == ["web"]


@pytest.mark.parametrize(("policy", "again"), [("Always", True), ("OnFailure", True), ("Never", False)])
def test_a_liveness_kill_restarts_unless_the_policy_is_never(policy: str, again: bool) -> None:
    world = World(pod(container(livenessProbe={**HTTP, "failureThreshold": 1}), restartPolicy=policy))
    world.started()
    world.probed(LIVENESS, success=False)
    world.exited(0)
    assert (world.starts() == ["web"]) is again


def test_a_probe_may_have_a_grace_of_its_own() -> None:
    probe = {**HTTP, "failureThreshold": 1, "terminationGracePeriodSeconds": 7}
    world = running(livenessProbe=probe)
    world.probed(LIVENESS, success=False)
    world.wait(6.9)
    assert world.signals() == []
    world.wait(0.1)
    assert world.signals() == [("web", "KILL")]


def test_nothing_else_is_probed_before_startup_has_passed() -> None:
    world = running(startupProbe={**HTTP, "periodSeconds": 1}, livenessProbe=HTTP, readinessProbe=HTTP)
    assert [each.probe.kind for each in world.said(messages.RunProbe)] == [STARTUP]
    assert not world.state()["started"]
    world.probed(STARTUP, success=False)
    world.wait(1)
    assert [each.probe.kind for each in world.said(messages.RunProbe)] == [STARTUP]
    world.probed(STARTUP, success=True)
    assert {each.probe.kind for each in world.said(messages.RunProbe)} == {LIVENESS, READINESS}
    assert world.state()["started"]
    world.wait(100)
    assert STARTUP not in {each.probe.kind for each in world.said(messages.RunProbe)}


def test_a_startup_probe_that_never_passes_ends_the_container() -> None:
    world = running(startupProbe={**HTTP, "periodSeconds": 1, "failureThreshold": 30})
    for _ in range(30):
        assert world.signals() == []
        world.probed(STARTUP, success=False)
        if not world.signals():
            world.wait(1)
    assert world.signals() == [("web", "TERM")]
    assert "failed startup probe" in world.said(messages.RecordEvent)[-1].message


def test_a_new_run_is_probed_afresh() -> None:
    world = running(readinessProbe=HTTP)
    world.probed(READINESS, success=True)
    world.exited()
    world.started()
    assert not world.state()["ready"]
    assert len(world.said(messages.RunProbe)) == 1


# Hooks.


def test_post_start_holds_back_probes_and_readiness() -> None:
    world = running(lifecycle={"postStart": EXEC}, readinessProbe=HTTP)
    assert len(world.said(messages.RunHook)) == 1
    assert world.said(messages.RunProbe) == []
    world.hooked(messages.Hook.POST_START)
    assert len(world.said(messages.RunProbe)) == 1


def test_a_failed_post_start_restarts_the_container() -> None:
    world = running(lifecycle={"postStart": EXEC})
    world.hooked(messages.Hook.POST_START, success=False, message="exit code 1")
    assert world.reasons() == ["FailedPostStartHook", "Killing"]
    assert world.signals() == [("web", "TERM")]
    world.exited(143)
    assert world.starts() == ["web"]


def test_pre_stop_comes_before_the_signal_and_counts_against_the_grace() -> None:
    world = running(lifecycle={"preStop": EXEC})
    world.see(deleted(world.pod, 10))
    assert world.signals() == []
    assert world.said(messages.RunHook)[0].timeout == 10
    world.wait(4)
    world.hooked(messages.Hook.PRE_STOP)
    assert world.signals() == [("web", "TERM")]
    world.wait(5.9)
    assert world.signals() == []
    world.wait(0.1)
    assert world.signals() == [("web", "KILL")]


def test_a_pre_stop_that_takes_the_whole_grace_leaves_two_seconds() -> None:
    world = running(lifecycle={"preStop": EXEC})
    world.see(deleted(world.pod, 10))
    world.wait(10)
    assert world.signals() == [("web", "TERM")]
    world.wait(2)
    assert world.signals() == [("web", "KILL")]
    world.hooked(messages.Hook.PRE_STOP, success=False, message="timed out")
    assert world.reasons() == ["FailedPreStopHook"]
    assert world.signals() == []


# Deletion.


def test_deletion_is_term_then_kill_then_removal() -> None:
    world = running()
    world.see(deleted(world.pod, 30))
    assert world.signals() == [("web", "TERM")]
    assert world.reasons() == ["Killing"]
    world.wait(30)
    assert world.signals() == [("web", "KILL")]
    world.exited(137)
    assert world.new == [messages.Remove(delete_object=True)]
    assert world.machine.removed
    world.wait(1000)
    world.see(world.pod)
    assert world.new == []


def test_a_container_that_goes_in_time_is_not_killed() -> None:
    world = running()
    world.see(deleted(world.pod, 30))
    world.wait(1)
    world.exited(0)
    assert world.new == [messages.Remove(delete_object=True)]
    assert world.machine.due is None


def test_kill_is_repeated_until_the_process_is_gone() -> None:
    world = running()
    world.see(deleted(world.pod, 5))
    world.wait(35)
    assert world.signals() == [("web", "KILL")] * 4


@pytest.mark.parametrize("grace", [0, 1])
def test_even_a_short_grace_lets_the_process_tidy_up(grace: int) -> None:
    world = running()
    world.see(deleted(world.pod, grace))
    assert world.signals() == [("web", "TERM")]
    world.wait(2)
    assert world.signals() == [("web", "KILL")]


def test_a_second_delete_may_hurry() -> None:
    world = running()
    world.see(deleted(world.pod, 30))
    world.wait(5)
    world.see(deleted(world.pod, 1))
    world.wait(1)
    assert world.signals() == [("web", "KILL")]


def test_a_second_delete_cannot_delay() -> None:
    world = running()
    world.see(deleted(world.pod, 10))
    world.wait(5)
    world.see(deleted(world.pod, 60))
    world.wait(5)
    assert world.signals() == [("web", "KILL")]


def test_deletion_hurries_a_stop_that_is_under_way_for_another_reason() -> None:
    world = World(pod(container(livenessProbe={**HTTP, "failureThreshold": 1}), terminationGracePeriodSeconds=600))
    world.started()
    world.probed(LIVENESS, success=False)
    world.see(deleted(world.pod, 4))
    world.wait(4)
    assert world.signals() == [("web", "KILL")]
    world.exited(137)
    assert world.new == [messages.Remove(delete_object=True)]


def test_a_start_under_way_is_cancelled() -> None:
    world = World(pod())
    world.see(deleted(world.pod, 30))
    assert world.new == [messages.CancelStart("web", 0)]
    world.give(messages.StartCancelled("web", 0))
    assert world.new == [messages.Remove(delete_object=True)]


def test_a_start_that_won_the_race_is_stopped() -> None:
    world = World(pod())
    world.see(deleted(world.pod, 30))
    world.started()
    assert world.signals() == [("web", "TERM")]
    world.exited(143)
    assert world.said(messages.Remove)


def test_a_pod_that_waits_is_removed_at_once() -> None:
    world = World(pod())
    world.start_failed("ErrImageNeverPull")
    world.see(deleted(world.pod, 30))
    assert world.new == [messages.Remove(delete_object=True)]


def test_deletion_ends_main_containers_together_and_sidecars_after_them() -> None:
    sidecars = [container(name, restartPolicy="Always") for name in ("s1", "s2")]
    world = World(pod(container(), container("log"), init=sidecars))
    for name in ("s1", "s2", "web", "log"):
        world.started(name)
    world.see(deleted(world.pod, 30))
    assert world.signals() == [("web", "TERM"), ("log", "TERM")]
    world.wait(10)
    world.exited(0)
    assert world.signals() == []
    world.exited(0, "log")
    assert world.signals() == [("s2", "TERM")]
    world.wait(20)
    assert world.signals() == [("s2", "KILL")]
    world.exited(137, "s2")
    assert world.signals() == [("s1", "TERM")]
    world.wait(2)
    assert world.signals() == [("s1", "KILL")]
    world.exited(137, "s1")
    assert world.said(messages.Remove)


def test_a_pod_deleted_while_initializing_ends_its_init_container() -> None:
    world = World(pod(init=[container("one")]))
    world.started("one")
    world.see(deleted(world.pod, 30))
    assert world.signals() == [("one", "TERM")]
    world.exited(0, "one")
    assert world.new == [messages.Remove(delete_object=True)]


def test_nothing_is_probed_to_death_while_it_ends() -> None:
    world = running(livenessProbe={**HTTP, "periodSeconds": 1, "failureThreshold": 1}, readinessProbe=HTTP)
    world.probed(READINESS, success=True)
    world.see(deleted(world.pod, 30))
    world.wait(9)
    world.probed(LIVENESS, success=False)
    assert world.reasons() == []
    world.wait(2)
    assert {each.probe.kind for each in world.said(messages.RunProbe)} == {READINESS}


def test_an_object_that_vanished_ends_its_processes_and_is_not_deleted_again() -> None:
    world = running()
    world.give(messages.Vanished())
    assert world.signals() == [("web", "TERM")]
    world.exited(143)
    assert world.new == [messages.Remove(delete_object=False)]


def test_an_object_that_vanishes_while_it_ends_is_hurried() -> None:
    world = running()
    world.see(deleted(world.pod, 300))
    world.wait(3)
    world.give(messages.Vanished())
    assert world.signals() == [("web", "KILL")]
    world.exited(137)
    assert world.new == [messages.Remove(delete_object=False)]


def test_a_finished_pod_is_removed_when_deleted() -> None:
    world = World(pod(restartPolicy="Never"))
    world.started()
    world.exited(0)
    world.see(deleted(world.pod, 30))
    assert world.new == [messages.Remove(delete_object=True)]
    assert world.phase() == "Succeeded"


# The agent's own end.


def test_shut_down_ends_containers_and_keeps_the_object() -> None:
    world = running()
    world.give(messages.ShutDown(limit=10))
    assert world.signals() == [("web", "TERM")]
    world.wait(10)
    assert world.signals() == [("web", "KILL")]
    world.exited(137)
    assert world.new == []
    assert world.machine.idle
    assert not world.machine.removed


def test_shut_down_counts_no_crash() -> None:
    world = running()
    world.exited()
    world.started()
    world.give(messages.ShutDown(limit=10))
    world.exited(143)
    again = World(world.pod, world.machine.memories())
    assert again.starts() == ["web"]
    again.started()
    assert again.state()["restartCount"] == 2


def test_a_delete_during_shut_down_is_honoured() -> None:
    world = running()
    world.give(messages.ShutDown(limit=10))
    world.see(deleted(world.pod, 30))
    world.exited(143)
    assert world.new == [messages.Remove(delete_object=True)]


# Changes and limits.


def test_another_image_restarts_the_container() -> None:
    world = running()
    changed = {**world.pod, "spec": {"containers": [container(image="other")]}}
    world.see(changed)
    assert world.said(messages.RecordEvent)[0].message == "Container web definition changed, will be restarted"
    assert world.signals() == [("web", "TERM")]
    world.exited(143)
    assert world.starts() == ["web"]
    world.started()
    assert world.state()["image"] == "other"


def test_another_image_cures_a_start_that_fails() -> None:
    world = World(pod())
    for _ in range(4):
        world.start_failed("ErrImageNeverPull")
        world.wait(60)
    world.start_failed("ErrImageNeverPull")
    world.see({**world.pod, "spec": {"containers": [container(image="other")]}})
    assert world.starts() == ["web"]


def test_another_image_during_a_start_begins_again() -> None:
    world = World(pod())
    world.see({**world.pod, "spec": {"containers": [container(image="other")]}})
    assert world.new == [messages.CancelStart("web", 0)]
    world.give(messages.StartCancelled("web", 0))
    assert world.starts() == ["web"]


def test_the_active_deadline_fails_the_pod() -> None:
    world = World(pod(activeDeadlineSeconds=60))
    world.started()
    world.wait(60)
    assert world.signals() == [("web", "TERM")]
    world.exited(143)
    assert world.starts() == []
    status = world.status()
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")


def test_readiness_gates_hold_the_pod_back() -> None:
    obj = pod(readinessGates=[{"conditionType": "x/ok"}])
    world = World(obj)
    world.started()
    assert world.condition("ContainersReady")["status"] == "True"
    assert world.condition("Ready")["reason"] == "ReadinessGatesNotReady"
    world.see({**obj, "status": {"conditions": [{"type": "x/ok", "status": "True"}]}})
    assert world.condition("Ready")["status"] == "True"


# Adoption.


def test_a_running_container_is_taken_over_as_it_was() -> None:
    world = running(readinessProbe=HTTP)
    world.probed(READINESS, success=True)
    again = World(world.pod, world.machine.memories())
    assert again.starts() == []
    assert again.state()["ready"]
    assert again.state()["containerID"] == "process://1000-web"
    assert len(again.said(messages.RunProbe)) == 1
    again.exited(1)
    assert again.starts() == ["web"]


def test_taking_over_does_not_run_init_containers_again() -> None:
    world = World(pod(init=[container("one")]))
    world.started("one")
    world.exited(0, "one")
    world.started()
    memories = world.machine.memories()
    del memories["one"]
    again = World(world.pod, memories)
    assert again.starts() == []
    again.exited(1)
    assert again.starts() == ["web"]


def test_a_restart_delay_outlives_the_agent() -> None:
    world = running()
    for _ in range(4):
        world.exited()
        world.wait(40)
        world.started()
    world.exited()
    again = World(world.pod, world.machine.memories())
    again.now = world.now
    assert again.state()["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert again.state()["state"]["waiting"]["message"].startswith("back-off 1m20s restarting")
    assert again.starts() == []
    assert again.machine.due == world.machine.due


def test_a_finished_pod_is_not_started_again() -> None:
    obj = {**pod(restartPolicy="Never"), "status": {"phase": "Succeeded"}}
    world = World(obj)
    assert world.starts() == []
    assert world.machine.finished


def test_an_image_that_changed_while_nobody_looked_restarts_the_container() -> None:
    world = running()
    again = World({**world.pod, "spec": {"containers": [container(image="other")]}}, world.machine.memories())
    assert again.signals() == [("web", "TERM")]


def test_the_story_tells_events_and_instructions_in_order() -> None:
    world = running()
    kinds = [type(what).__name__ for _, what in world.machine.story()]
    assert kinds == ["PodSeen", "StartContainer", "Started", "RecordEvent", "RecordEvent"]
