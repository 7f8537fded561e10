"""How a pod looks to the API, and what a status tells about the past."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import testing
from brickyard.embedded.kubelet.plan import messages, status, times
from brickyard.embedded.kubelet.testing import World, container, pod


def test_addresses_times_and_class() -> None:
    world = World(pod(container(resources={"requests": {"cpu": "1"}})))
    shown = world.status()
    assert shown["hostIP"] == "127.0.0.1"
    assert shown["hostIPs"] == [{"ip": "127.0.0.1"}]
    assert shown["podIP"] == "127.64.0.1"
    assert shown["podIPs"] == [{"ip": "127.64.0.1"}]
    assert shown["startTime"] == "2023-11-14T22:13:20Z"
    assert shown["qosClass"] == "Burstable"
    assert "initContainerStatuses" not in shown
    assert "reason" not in shown


def test_start_time_is_that_of_the_first_agent() -> None:
    obj = {**pod(), "status": {"startTime": "2020-01-02T03:04:05Z"}}
    assert World(obj).status()["startTime"] == "2020-01-02T03:04:05Z"


def test_transition_times_change_only_with_the_status() -> None:
    world = World(pod())
    before = world.condition("Ready")["lastTransitionTime"]
    world.wait(5)
    assert world.condition("Ready")["lastTransitionTime"] == before
    world.started()
    assert world.condition("Ready")["lastTransitionTime"] == "2023-11-14T22:13:25Z"
    world.wait(60)
    assert world.condition("Ready")["lastTransitionTime"] == "2023-11-14T22:13:25Z"


def test_conditions_of_others_are_kept() -> None:
    world = World(pod())
    foreign = {"type": "x/ok", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z", "reason": "Said"}
    shown = status.render(world.machine, status.Place("h", "p"), world.now, {"conditions": [foreign]})
    assert foreign in shown["conditions"]
    assert len([each for each in shown["conditions"] if each["type"] == "Ready"]) == 1


def test_rendering_twice_gives_the_same() -> None:
    world = World(pod(init=[container("one")]))
    first = world.status()
    world.wait(100)
    assert world.status() == first


# what happened to web and log                                                     phase
PHASES = [
    ((), (), "Pending"),
    (("started",), (), "Pending"),
    (("started",), ("started",), "Running"),
    (("started", "exit 1"), ("started",), "Running"),
    (("started", "exit 0"), ("started", "exit 0"), "Succeeded"),
    (("started", "exit 0"), ("started", "exit 9"), "Failed"),
    (("started", "exit 0"), ("started",), "Running"),
]


@pytest.mark.parametrize(("web", "log", "phase"), PHASES)
def test_phase(web: tuple[str, ...], log: tuple[str, ...], phase: str) -> None:
    world = World(pod(container(), container("log"), restartPolicy="Never"))
    for name, steps in (("web", web), ("log", log)):
        for step in steps:
            if step == "started":
                world.started(name)
            else:
                world.exited(int(step.removeprefix("exit ")), name)
    assert world.phase() == phase


def test_a_pod_whose_container_is_down_for_a_while_still_counts_as_running() -> None:
    world = World(pod())
    world.started()
    world.exited()
    world.started()
    world.exited()
    assert world.state()["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert world.phase() == "Running"


# Recollection.


def remembered(world: World) -> dict[str, messages.Memory]:
    return status.recollect({**world.pod, "status": world.status()})


def test_nothing_is_remembered_of_a_pod_without_status() -> None:
    assert status.recollect(pod()) == {}


def test_restart_counts_and_ends_are_remembered() -> None:
    world = World(pod())
    for code in (3, 4):
        world.started()
        world.exited(code, message="boo")
    memory = remembered(world)["web"]
    assert memory.runs == 2
    assert memory.last == messages.Terminated(4, "Error", "boo", world.now, world.now, "process://1001-web")
    again = World(world.pod, remembered(world))
    again.started()
    assert again.state()["restartCount"] == 2


def test_a_process_without_a_record_is_lost() -> None:
    world = World(pod())
    world.started()
    memory = remembered(world)["web"]
    assert memory.container_id == ""
    assert memory.last is not None
    assert (memory.last.exit_code, memory.last.reason) == (137, "ContainerStatusUnknown")
    again = World(world.pod, remembered(world))
    assert again.starts() == ["web"]
    assert again.attempt("web") == 1


def test_a_finished_pod_looks_the_same_to_the_next_agent() -> None:
    world = World(pod(init=[container("one")], restartPolicy="Never"))
    world.started("one")
    world.exited(0, "one")
    world.started()
    world.exited(7, message="bad end")
    shown = world.status()
    again = World({**world.pod, "status": shown}, remembered(world))
    again.old_status = shown
    assert again.status() == shown


# Times.


@given(st.integers(0, 4_000_000_000))
def test_stamps_are_read_back(wall: int) -> None:
    assert times.seconds(times.stamp(wall)) == wall


@pytest.mark.parametrize("text", [None, "", "soon"])
def test_what_is_no_time_is_the_default(text: str | None) -> None:
    assert times.seconds(text, 7.0) == 7.0


@pytest.mark.parametrize(("span", "text"), [(10, "10s"), (80, "1m20s"), (300, "5m0s"), (0, "0s")])
def test_durations_read_as_go_prints_them(span: float, text: str) -> None:
    assert times.go_duration(span) == text


def test_the_clock_of_the_tests_is_what_the_expectations_say() -> None:
    assert times.stamp(testing.EPOCH) == "2023-11-14T22:13:20Z"
