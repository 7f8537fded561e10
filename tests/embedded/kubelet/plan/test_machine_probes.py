"""Probes and life-cycle hooks."""

from __future__ import annotations

import pytest

from brickyard.embedded.kubelet.plan import messages, spec
from brickyard.embedded.kubelet.testing import World, container, deleted, pod, running

STARTUP, LIVENESS, READINESS = spec.ProbeKind.STARTUP, spec.ProbeKind.LIVENESS, spec.ProbeKind.READINESS
HTTP = {"httpGet": {"port": 8000}}
EXEC = {"exec": {"command": ["true"]}}


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
