"""READY, STATUS and RESTARTS of pods, as kubectl shows them: one row for each thing that can be seen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import builtin_kinds, tables
from brickyard.embedded.apiserver.columns import pods
from brickyard.lib import timestamps

NOW = 1_800_000_000.0

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
READY = {"type": "Ready", "status": "True"}
INITIALIZED = {"type": "Initialized", "status": "True"}


def waiting(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason}}


def ended(code: int, reason: str = "", signal: int = 0) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "signal": signal}}


def status(name: str = "a", state: Any = RUNNING, **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "ready": False, "restartCount": 0, **more}


def up(name: str = "a") -> dict[str, Any]:
    return status(name, RUNNING, ready=True)


def pod(phase: str = "Running", containers: int = 1, init: Any = (), **parts: Any) -> resources.Object:
    names = [{"name": chr(ord("a") + index)} for index in range(containers)]
    return {
        "metadata": {"name": "p"},
        "spec": {"containers": names, "initContainers": list(init)},
        "status": {"phase": phase, **parts},
    }


def deleted(obj: resources.Object, **more: Any) -> resources.Object:
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    obj["status"].update(more)
    return obj


ONCE = {"name": "i"}
STAYS = {"name": "s", "restartPolicy": "Always"}

ROWS: list[tuple[str, resources.Object, str, str]] = [
    # what is seen, pod, READY, STATUS
    ("nothing yet", pod("Pending"), "0/1", "Pending"),
    ("own reason", pod("Failed", reason="Evicted"), "0/1", "Evicted"),
    (
        "gated",
        pod("Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]),
        "0/1",
        "SchedulingGated",
    ),
    (
        "starting",
        pod("Pending", containerStatuses=[status(state=waiting("ContainerCreating"))]),
        "0/1",
        "ContainerCreating",
    ),
    (
        "no image",
        pod("Pending", containerStatuses=[status(state=waiting("ErrImageNeverPull"))]),
        "0/1",
        "ErrImageNeverPull",
    ),
    ("crashing", pod(containerStatuses=[status(state=waiting("CrashLoopBackOff"))]), "0/1", "CrashLoopBackOff"),
    ("up", pod(containerStatuses=[up()], conditions=[READY]), "1/1", "Running"),
    ("up, not ready", pod(containerStatuses=[status()]), "0/1", "Running"),
    ("one of two up", pod(containers=2, containerStatuses=[up("a"), status("b")]), "1/2", "Running"),
    ("done", pod("Succeeded", containerStatuses=[status(state=ended(0, "Completed"))]), "0/1", "Completed"),
    ("failed", pod("Failed", containerStatuses=[status(state=ended(1, "Error"))]), "0/1", "Error"),
    ("exit code", pod("Failed", containerStatuses=[status(state=ended(3))]), "0/1", "ExitCode:3"),
    ("signal", pod("Failed", containerStatuses=[status(state=ended(137, "", 9))]), "0/1", "Signal:9"),
    ("out of memory", pod(containerStatuses=[status(state=ended(137, "OOMKilled"))]), "0/1", "OOMKilled"),
    (
        "the first container has the last word",
        pod(containers=2, containerStatuses=[status("a", waiting("CrashLoopBackOff")), status("b", ended(1, "Error"))]),
        "0/2",
        "CrashLoopBackOff",
    ),
    (
        "one done, one ready",
        pod(containers=2, containerStatuses=[status("a", ended(0, "Completed")), up("b")], conditions=[READY]),
        "1/2",
        "Running",
    ),
    (
        "one done, one up, pod not ready",
        pod(containers=2, containerStatuses=[status("a", ended(0, "Completed")), up("b")]),
        "1/2",
        "NotReady",
    ),
    ("going", deleted(pod(containerStatuses=[up()])), "1/1", "Terminating"),
    ("going, node lost", deleted(pod(), reason="NodeLost"), "0/1", "Unknown"),
    (
        "gone but for finalizers",
        deleted(pod("Succeeded", containerStatuses=[status(state=ended(0, "Completed"))])),
        "0/1",
        "Completed",
    ),
    (
        "first of two inits",
        pod(
            "Pending",
            init=[ONCE, {"name": "j"}],
            initContainerStatuses=[status("i"), status("j", waiting("PodInitializing"))],
        ),
        "0/1",
        "Init:0/2",
    ),
    (
        "second of two inits",
        pod(
            "Pending",
            init=[ONCE, {"name": "j"}],
            initContainerStatuses=[status("i", ended(0, "Completed")), status("j")],
        ),
        "0/1",
        "Init:1/2",
    ),
    (
        "init fails",
        pod("Pending", init=[ONCE], initContainerStatuses=[status("i", ended(1, "Error"))]),
        "0/1",
        "Init:Error",
    ),
    (
        "init exit code",
        pod("Pending", init=[ONCE], initContainerStatuses=[status("i", ended(2))]),
        "0/1",
        "Init:ExitCode:2",
    ),
    (
        "init signal",
        pod("Pending", init=[ONCE], initContainerStatuses=[status("i", ended(143, "", 15))]),
        "0/1",
        "Init:Signal:15",
    ),
    (
        "init crashing",
        pod("Pending", init=[ONCE], initContainerStatuses=[status("i", waiting("CrashLoopBackOff"))]),
        "0/1",
        "Init:CrashLoopBackOff",
    ),
    (
        "init done",
        pod(init=[ONCE], initContainerStatuses=[status("i", ended(0, "Completed"))], containerStatuses=[up()]),
        "1/1",
        "Running",
    ),
    (
        "sidecar starting",
        pod("Pending", init=[STAYS], initContainerStatuses=[status("s", started=False)]),
        "0/2",
        "Init:0/1",
    ),
    (
        "sidecar up, main up",
        pod(init=[STAYS], initContainerStatuses=[status("s", started=True, ready=True)], containerStatuses=[up()]),
        "2/2",
        "Running",
    ),
    (
        "sidecar fails after init",
        pod(
            init=[STAYS],
            initContainerStatuses=[status("s", waiting("CrashLoopBackOff"))],
            containerStatuses=[up()],
            conditions=[INITIALIZED],
        ),
        "1/2",
        "Init:CrashLoopBackOff",
    ),
]


@pytest.mark.parametrize(("obj", "ready", "reason"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_ready_and_status(obj: resources.Object, ready: str, reason: str) -> None:
    found = pods.summary(obj)
    assert (f"{found.ready}/{found.total}", found.reason) == (ready, reason)


def cell(obj: resources.Object, name: str) -> object:
    table = tables.render(builtin_kinds.POD, [obj], NOW)
    index = [each["name"] for each in table["columnDefinitions"]].index(name)
    return table["rows"][0]["cells"][index]


def restarted(count: int, seconds_ago: float | None) -> dict[str, Any]:
    last = (
        {}
        if seconds_ago is None
        else {"lastState": {"terminated": {"finishedAt": timestamps.rfc3339(NOW - seconds_ago)}}}
    )
    return {**up(), "restartCount": count, **last}


def test_restarts_say_when_the_last_one_was() -> None:
    assert cell(pod(containerStatuses=[restarted(0, None)]), "Restarts") == "0"
    assert cell(pod(containerStatuses=[restarted(2, None)]), "Restarts") == "2"
    assert cell(pod(containerStatuses=[restarted(2, 300)]), "Restarts") == "2 (5m ago)"
    two = pod(containers=2, containerStatuses=[restarted(1, 7200), restarted(2, 60)])
    assert cell(two, "Restarts") == "3 (60s ago)"


def test_restarts_of_init_containers_count_until_they_are_done() -> None:
    init = status("i", waiting("CrashLoopBackOff"), restartCount=4)
    assert cell(pod("Pending", init=[ONCE], initContainerStatuses=[init]), "Restarts") == "4"
    done = status("i", ended(0, "Completed"), restartCount=4)
    assert cell(pod(init=[ONCE], initContainerStatuses=[done], containerStatuses=[up()]), "Restarts") == "0"
    sidecar = status("s", started=True, ready=True, restartCount=3)
    assert cell(pod(init=[STAYS], initContainerStatuses=[sidecar], containerStatuses=[up()]), "Restarts") == "3"


def test_wide_columns() -> None:
    obj = pod(podIPs=[{"ip": "127.0.1.2"}], nominatedNodeName="n2", conditions=[{"type": "x/gate", "status": "True"}])
    obj["spec"].update(nodeName="n", readinessGates=[{"conditionType": "x/gate"}, {"conditionType": "x/other"}])
    assert [cell(obj, name) for name in ("IP", "Node", "Nominated Node", "Readiness Gates")] == [
        "127.0.1.2",
        "n",
        "n2",
        "1/2",
    ]
    bare = pod()
    assert [cell(bare, name) for name in ("IP", "Node", "Nominated Node", "Readiness Gates")] == ["<none>"] * 4
    assert cell(pod(podIP="127.0.1.3"), "IP") == "127.0.1.3"


STATES = st.sampled_from([RUNNING, waiting("X"), waiting(""), ended(0, "Completed"), ended(1), ended(9, "", 9), {}])
STATUSES = st.lists(
    st.builds(
        lambda state, ready, count: status("a", state, ready=ready, restartCount=count),
        STATES,
        st.booleans(),
        st.integers(0, 9),
    ),
    max_size=3,
)


@given(STATUSES, STATUSES, st.sampled_from(["Pending", "Running", "Succeeded", "Failed", ""]))
def test_every_pod_has_a_sensible_summary(main: Any, init: Any, phase: str) -> None:
    obj = pod(phase, containers=3, init=[{"name": "a"}] * len(init), containerStatuses=main, initContainerStatuses=init)
    found = pods.summary(obj)
    assert 0 <= found.ready <= found.total == 3
    assert 0 <= found.restarts <= sum(each["restartCount"] for each in [*main, *init])
