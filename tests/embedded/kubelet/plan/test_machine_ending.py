"""How pods end: deletion, disappearance, the agent's own end."""

from __future__ import annotations

import pytest

from brickyard.embedded.kubelet.plan import messages, spec
from brickyard.embedded.kubelet.testing import World, container, deleted, pod, running

LIVENESS, READINESS = spec.ProbeKind.LIVENESS, spec.ProbeKind.READINESS
HTTP = {"httpGet": {"port": 8000}}


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
