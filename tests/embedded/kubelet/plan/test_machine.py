"""One pod, from first sight to removal, in virtual time."""

from __future__ import annotations

import pytest

from brickyard.embedded.kubelet import testing
from brickyard.embedded.kubelet.plan import messages, spec
from brickyard.embedded.kubelet.testing import World, container, pod, running

LIVENESS, READINESS = spec.ProbeKind.LIVENESS, spec.ProbeKind.READINESS


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
