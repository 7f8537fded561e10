"""A container over its memory limit: killed at once, told as OOMKilled, restarted by its policy."""

from __future__ import annotations

import pytest

from brickyard.embedded.kubelet import testing
from brickyard.embedded.kubelet.plan import messages

HOW = "it used 2 MiB of memory, its limit is 1 MiB"


def test_it_is_killed_without_grace() -> None:
    world = testing.running(lifecycle={"preStop": {"exec": {"command": ["true"]}}})
    world.exceeded()
    assert world.signals() == [("web", "KILL")]
    assert world.reasons() == ["OOMKilled"]
    assert not world.said(messages.RunHook)
    (event,) = world.said(messages.RecordEvent)
    assert (event.type, event.message) == ("Warning", f"Container web was killed: {HOW}")


def test_it_is_told_once_however_often_it_is_seen() -> None:
    world = testing.running()
    world.exceeded()
    for _ in range(3):
        world.exceeded()
        assert world.new == []


# Exit code, restart policy → reason of the end, phase of the pod, what the container is then.
@pytest.mark.parametrize(
    ("code", "policy", "reason", "phase", "state"),
    [
        (137, "Always", "OOMKilled", "Running", "waiting"),
        (137, "OnFailure", "OOMKilled", "Running", "waiting"),
        (137, "Never", "OOMKilled", "Failed", "terminated"),
        (1, "Never", "OOMKilled", "Failed", "terminated"),
        (0, "Never", "Completed", "Succeeded", "terminated"),
    ],
)
def test_how_it_ends(code: int, policy: str, reason: str, phase: str, state: str) -> None:
    world = testing.World(testing.pod(testing.container(), restartPolicy=policy))
    world.started()
    # One crash before: the next restart waits.
    if policy != "Never":
        world.exited(1)
        world.started()
    world.exceeded()
    world.exited(code, message="last words")
    shown = world.state()
    assert list(shown["state"]) == [state]
    end = shown["state"].get("terminated") or shown["lastState"]["terminated"]
    assert (end["exitCode"], end["reason"]) == (code, reason)
    assert end["message"] == (f"{HOW}\nlast words" if reason == "OOMKilled" else "last words")
    assert world.phase() == phase


def test_the_next_run_begins_with_a_clean_slate() -> None:
    world = testing.running()
    world.exceeded()
    world.exited(137)
    world.started()
    world.exited(3)
    assert world.state()["lastState"]["terminated"]["reason"] == "Error"


def test_while_it_stops_it_may_not_take_more_either() -> None:
    world = testing.running()
    world.see(testing.deleted(world.pod, 30))
    world.exceeded()
    assert world.signals() == [("web", "KILL")]
    world.exited(137)
    assert world.machine.removed


def test_a_look_that_comes_too_late_is_nobodys() -> None:
    world = testing.running()
    old = messages.OutOfMemory("web", 0, HOW)
    world.exited(0)
    world.give(old)
    assert world.new == []
    world.started()
    world.give(old)
    assert world.new == []
    world.give(messages.OutOfMemory("nobody", 0, HOW))
    assert world.new == []
