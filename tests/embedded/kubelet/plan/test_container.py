"""One container by itself: every row of its transition table, its timings, its memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import testing
from brickyard.embedded.kubelet.plan import container as containers
from brickyard.embedded.kubelet.plan import messages, spec

NOW = 1000.0
PROBE = {"httpGet": {"port": 1}, "failureThreshold": 1}
HOOK = {"exec": {"command": ["true"]}}
GRACE = 30.0

Step = Callable[["Bench"], None]


class Bench:
    """A container alone, with the instructions it gave."""

    def __init__(self, restart: str = "Always", **fields: Any) -> None:
        obj = testing.pod(testing.container(**fields), restartPolicy=restart)
        self.out: list[messages.Instruction] = []
        self.one = containers.Container(spec.read(obj).containers[0], "a_default(uid)", self.out)
        self.now = NOW

    def start(self) -> None:
        self.one.start()

    def started(self) -> None:
        self.one.start()
        self.one.on_started(messages.Started("web", self.one.attempt, "process://1-1"), self.now)

    def exited(self, code: int = 1) -> None:
        self.one.on_exited(messages.Exited("web", self.one.attempt, code), self.now)

    def probed(self, kind: spec.ProbeKind, success: bool) -> None:
        self.one.advance(self.now)
        self.one.on_probe(messages.ProbeDone("web", self.one.attempt, kind, success, "why"), self.now, GRACE)

    def hooked(self, hook: messages.Hook, success: bool) -> None:
        self.one.on_hook(messages.HookDone("web", self.one.attempt, hook, success, "why"), self.now, GRACE)

    def said(self) -> list[str]:
        """Instructions so far, in a word each."""
        names = []
        for each in self.out:
            match each:
                case messages.SendSignal(_, _, signal):
                    names.append(signal.value)
                case messages.RecordEvent(_, reason):
                    names.append(f"event {reason}")
                case _:
                    names.append(type(each).__name__)
        return names


def stop(bench: Bench) -> None:
    bench.one.stop(bench.now, GRACE, "Stopping container web")


# from      event                                    to          instructions
TRANSITIONS: list[tuple[list[Step], Step, str, list[str]]] = [
    ([], Bench.start, "starting", ["StartContainer"]),
    (
        [Bench.start],
        lambda b: b.one.on_started(messages.Started("web", 0, "x"), NOW),
        "running",
        ["event Created", "event Started"],
    ),
    (
        [Bench.start],
        lambda b: b.one.on_start_failed(messages.StartFailed("web", 0, "R", "m"), NOW),
        "idle",
        ["event Failed"],
    ),
    ([Bench.start], lambda b: b.one.on_start_cancelled(), "idle", []),
    ([Bench.start], lambda b: b.exited(128), "idle", ["event Failed"]),
    ([Bench.start], lambda b: b.one.cancel(), "starting", ["CancelStart"]),
    ([Bench.start, lambda b: b.one.cancel()], lambda b: b.one.cancel(), "starting", []),
    ([Bench.start], stop, "starting", []),
    ([Bench.started], Bench.exited, "idle", []),
    ([Bench.started], stop, "stopping", ["event Killing", "TERM"]),
    ([Bench.started, stop], stop, "stopping", []),
    ([Bench.started, stop], Bench.exited, "idle", []),
    ([], Bench.exited, "idle", []),
    ([], lambda b: b.one.cancel(), "idle", []),
    ([], stop, "idle", []),
    ([Bench.started], lambda b: b.one.on_start_cancelled(), "running", []),
    ([Bench.started], lambda b: b.one.on_start_failed(messages.StartFailed("web", 0, "R", "m"), NOW), "running", []),
]


@pytest.mark.parametrize(("before", "event", "phase", "said"), TRANSITIONS)
def test_transitions(before: list[Step], event: Step, phase: str, said: list[str]) -> None:
    bench = Bench()
    for step in before:
        step(bench)
    bench.out.clear()
    event(bench)
    assert (bench.one.phase.value, bench.said()) == (phase, said)
    assert bench.one.faults() == []


# probe or hook that fails   policy       stopped   restarted afterwards
FAILURES = [
    ("livenessProbe", "Always", True, True),
    ("livenessProbe", "OnFailure", True, True),
    ("livenessProbe", "Never", True, False),
    ("startupProbe", "Always", True, True),
    ("startupProbe", "Never", True, False),
    ("readinessProbe", "Always", False, True),
    ("postStart", "Always", True, True),
    ("postStart", "Never", True, False),
]


@pytest.mark.parametrize(("what", "policy", "stopped", "restarted"), FAILURES)
def test_failures_that_end_a_container(what: str, policy: str, stopped: bool, restarted: bool) -> None:
    fields = {"lifecycle": {what: HOOK}} if what == "postStart" else {what: PROBE}
    bench = Bench(policy, **fields)
    bench.started()
    if what == "postStart":
        bench.hooked(messages.Hook.POST_START, success=False)
    else:
        bench.probed(spec.ProbeKind(what.removesuffix("Probe").capitalize()), success=False)
    assert ("TERM" in bench.said()) is stopped
    bench.exited(0)
    assert bench.one.wants_run is restarted


# policy, exit code, restart wanted whatever the policy says → runs again
WISHES = [
    ("Always", 0, False, True),
    ("Always", 1, False, True),
    ("OnFailure", 0, False, False),
    ("OnFailure", 1, False, True),
    ("Never", 0, False, False),
    ("Never", 1, False, False),
    ("OnFailure", 0, True, True),
    ("Never", 0, True, True),
]


@pytest.mark.parametrize(("policy", "code", "wished", "again"), WISHES)
def test_whether_it_runs_again(policy: str, code: int, wished: bool, again: bool) -> None:
    bench = Bench(policy)
    bench.started()
    bench.one.restart = wished
    bench.exited(code)
    assert bench.one.wants_run is again
    assert bench.one.done is not again
    assert bench.one.succeeded is (not again and code == 0)


# preStop hook, grace, hook's end after (None: never) → TERM after, KILL after
STOPS = [
    (False, 30, None, 0, 30),
    (False, 2, None, 0, 2),
    (False, 1, None, 0, 2),
    (False, 0, None, 0, 2),
    (True, 30, 5, 5, 30),
    (True, 30, 29, 29, 31),
    (True, 30, None, 30, 32),
    (True, 1, None, 1, 3),
    (True, 0, None, 0, 2),
]


@pytest.mark.parametrize(("hook", "grace", "hook_ends", "term", "kill"), STOPS)
def test_how_a_stop_goes(hook: bool, grace: float, hook_ends: float | None, term: float, kill: float) -> None:
    bench = Bench(lifecycle={"preStop": HOOK} if hook else {})
    bench.started()
    bench.one.stop(bench.now, grace, "Stopping")
    seen: dict[str, float] = {}
    for second in range(40):
        bench.now = NOW + second
        if hook_ends == second:
            bench.hooked(messages.Hook.PRE_STOP, success=True)
        bench.one.advance(bench.now)
        for word in bench.said():
            seen.setdefault(word, second)
    assert (seen["TERM"], seen["KILL"]) == (term, kill)


# a stop with 30 s begun at 0; at 10 s it must be over by → KILL after
HURRIES = [(60, 30), (30, 30), (20, 20), (11, 11), (10, 10), (0, 10)]


@pytest.mark.parametrize(("deadline", "kill"), HURRIES)
def test_a_stop_may_be_hurried_but_not_put_off(deadline: float, kill: float) -> None:
    bench = Bench()
    bench.started()
    bench.one.stop(NOW, 30, "Stopping")
    for second in range(10, 40):
        bench.now = NOW + second
        if second == 10:
            bench.one.hasten(NOW + deadline)
        bench.one.advance(bench.now)
        if "KILL" in bench.said():
            break
    assert bench.now - NOW == kill


def test_hurrying_what_does_not_stop_does_nothing() -> None:
    bench = Bench()
    bench.started()
    bench.one.hasten(NOW)
    assert bench.one.advance(NOW) is None


def test_hurrying_a_hook_ends_its_wait() -> None:
    bench = Bench(lifecycle={"preStop": HOOK})
    bench.started()
    bench.one.stop(NOW, 30, "Stopping")
    bench.one.hasten(NOW + 3)
    assert bench.one.advance(NOW) == NOW + 3
    bench.one.advance(NOW + 3)
    assert bench.said()[-1] == "TERM"


# Delays.


@given(st.lists(st.floats(0, 2000), min_size=1, max_size=20))
def test_delays_grow_with_crashes_and_a_calm_run_resets_them(runs: list[float]) -> None:
    bench = Bench()
    expected = 0
    for length in runs:
        bench.started()
        bench.now += length
        expected = 0 if bench.now - bench.one.started_at > containers.CALM_AFTER else expected
        bench.exited()
        wait = 0.0 if expected == 0 else min(300.0, 10.0 * 2 ** (expected - 1))
        assert bench.one.retry_at == pytest.approx(bench.now + wait)
        assert (bench.one.waiting is None) is (wait == 0)
        expected += 1
        bench.now = bench.one.retry_at


@given(st.integers(1, 30))
def test_delays_of_failed_starts(failures: int) -> None:
    bench = Bench()
    for _ in range(failures):
        bench.one.start()
        bench.one.on_start_failed(messages.StartFailed("web", 0, "R", "m"), bench.now)
    assert bench.one.retry_at == bench.now + min(60, 5 * 2 ** (failures - 1))
    assert bench.one.runs == 0


def test_an_end_while_ending_is_no_crash() -> None:
    bench = Bench()
    bench.started()
    bench.one.ending = True
    bench.exited()
    assert (bench.one.crashes, bench.one.retry_at, bench.one.waiting) == (0, 0.0, None)


# Readiness.

# role, phase, startup passed, readiness passed (None: no such probe) → ready
READY = [
    ("running", None, None, True),
    ("running", True, None, True),
    ("running", False, None, False),
    ("running", None, True, True),
    ("running", None, False, False),
    ("running", True, True, True),
    ("running", False, True, False),
    ("stopping", None, True, True),
    ("idle", None, None, False),
    ("starting", None, None, False),
]


@pytest.mark.parametrize(("phase", "startup", "readiness", "ready"), READY)
def test_readiness(phase: str, startup: bool | None, readiness: bool | None, ready: bool) -> None:
    probes = {"startupProbe": startup, "readinessProbe": readiness}
    fields: dict[str, Any] = {name: PROBE for name, passed in probes.items() if passed is not None}
    bench = Bench(**fields)
    if phase == "starting":
        bench.start()
    elif phase != "idle":
        bench.started()
        if startup is not None:
            bench.probed(spec.ProbeKind.STARTUP, startup)
        if readiness is not None:
            bench.probed(spec.ProbeKind.READINESS, readiness)
        if phase == "stopping":
            stop(bench)
    assert bench.one.ready is ready


# startup passed, hook over, phase → kinds of probes that run
ASKED = [
    (False, True, "running", ["Startup"]),
    (True, True, "running", ["Liveness", "Readiness"]),
    (True, True, "stopping", ["Readiness"]),
    (False, True, "stopping", []),
    (False, False, "running", []),
]


@pytest.mark.parametrize(("startup", "hook_over", "phase", "kinds"), ASKED)
def test_which_probes_run(startup: bool, hook_over: bool, phase: str, kinds: list[str]) -> None:
    every: dict[str, Any] = {
        "startupProbe": PROBE,
        "livenessProbe": PROBE,
        "readinessProbe": {**PROBE, "periodSeconds": 1},
    }
    bench = Bench(lifecycle={} if hook_over else {"postStart": HOOK}, **every)
    bench.started()
    if startup:
        bench.probed(spec.ProbeKind.STARTUP, success=True)
    if phase == "stopping":
        stop(bench)
    bench.out.clear()
    bench.one.advance(bench.now)
    bench.one.advance(bench.now + 100)
    asked = [each.probe.kind.value for each in bench.out if isinstance(each, messages.RunProbe)]
    assert sorted(set(asked)) == kinds


# Memory.


def test_memory_of_every_stage_is_taken_up_again() -> None:
    stages: list[list[Step]] = [
        [],
        [Bench.started],
        [Bench.started, Bench.exited],
        [Bench.started, Bench.exited, Bench.started],
    ]
    for steps in stages:
        bench = Bench()
        for step in steps:
            step(bench)
        again = Bench()
        again.one.recall(bench.one.memory())
        assert again.one.memory() == bench.one.memory()
        assert again.one.phase is bench.one.phase
        assert again.one.faults() == []


def test_a_start_under_way_is_not_remembered() -> None:
    bench = Bench()
    bench.start()
    again = Bench()
    again.one.recall(bench.one.memory())
    assert again.one.phase is containers.Phase.IDLE
    assert again.one.attempt == 0


def test_a_wish_to_restart_is_remembered() -> None:
    bench = Bench("Never", livenessProbe=PROBE)
    bench.started()
    bench.one.restart = True
    bench.exited(0)
    again = Bench("Never")
    again.one.recall(bench.one.memory())
    assert again.one.wants_run


@given(
    st.lists(
        st.sampled_from(["start", "started", "failed", "cancelled", "exited", "stop", "cancel", "tick"]), max_size=30
    )
)
def test_no_order_of_events_contradicts_itself(steps: list[str]) -> None:
    bench = Bench(livenessProbe=PROBE, readinessProbe=PROBE, lifecycle={"preStop": HOOK})
    runs = 0
    for step in steps:
        bench.now += 1.5
        match step:
            case "start" if bench.one.phase is containers.Phase.IDLE:
                bench.start()
            case "started":
                bench.one.on_started(messages.Started("web", bench.one.attempt, "process://1-1"), bench.now)
            case "failed":
                bench.one.on_start_failed(messages.StartFailed("web", bench.one.attempt, "R", "m"), bench.now)
            case "cancelled":
                bench.one.on_start_cancelled()
            case "exited":
                bench.exited()
            case "stop":
                stop(bench)
            case "cancel":
                bench.one.cancel()
            case "tick":
                due = bench.one.advance(bench.now)
                assert due is None or due > bench.now
        assert bench.one.faults() == []
        assert bench.one.runs >= runs
        runs = bench.one.runs
