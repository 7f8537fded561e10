"""One agent after another."""

from __future__ import annotations

import pytest

from brickyard.embedded.kubelet.plan import messages, spec
from brickyard.embedded.kubelet.testing import World, container, pod, running

READINESS = spec.ProbeKind.READINESS
HTTP = {"httpGet": {"port": 8000}}


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


# ended … s before it is told, after a run of … s, the crash being the …th → seconds until the next start
LATE_ENDS = [
    (0.0, 60.0, 1, 0.0),
    (0.0, 60.0, 2, 10.0),
    (4.0, 60.0, 2, 6.0),
    (10.0, 60.0, 2, 0.0),
    (500.0, 60.0, 4, 0.0),
    (20.0, 60.0, 4, 20.0),
    (30.0, 700.0, 4, 0.0),
]


@pytest.mark.parametrize(("ago", "ran", "crash", "wait"), LATE_ENDS)
def test_a_delay_counts_from_the_end_and_not_from_its_telling(ago: float, ran: float, crash: int, wait: float) -> None:
    world = running()
    for _ in range(crash - 1):
        world.exited()
        world.wait(320)
        world.started()
    again = World(world.pod, world.machine.memories())
    ended = world.now + ran
    again.now = ended + ago
    again.exited(3, finished_at=ended)
    last = again.machine.containers["web"].last
    assert last is not None
    assert last.finished_at == ended
    if wait:
        assert (again.starts(), again.machine.due) == ([], again.now + wait)
        assert again.state()["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    else:
        assert again.starts() == ["web"]


@pytest.mark.parametrize(("told", "believed"), [(-1e6, 0.0), (1e6, 50.0), (20.0, 20.0)])
def test_a_clock_that_was_set_moves_no_end_out_of_its_run(told: float, believed: float) -> None:
    world = running()
    began = world.now
    world.now = began + 50.0
    world.exited(1, finished_at=began + told)
    last = world.machine.containers["web"].last
    assert last is not None
    assert last.finished_at == began + believed


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
