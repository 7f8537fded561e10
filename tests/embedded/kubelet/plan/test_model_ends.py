"""How a container ends, against formulas: when each signal comes, when the pod is gone, when a crashed container runs again."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import testing
from brickyard.embedded.kubelet.plan import messages
from brickyard.embedded.kubelet.testing import World, container, deleted, pod, running

HOOK = {"preStop": {"exec": {"command": ["true"]}}}
NEVER = 10_000.0


@dataclasses.dataclass(frozen=True)
class Dying:
    """A container that is asked to end: seconds its hook takes (None: it has none), seconds from SIGTERM to its end."""

    hook: float | None
    obeys: float
    grace: int


@dataclasses.dataclass(frozen=True)
class Course:
    """Seconds after the request."""

    term: float
    kill: float | None
    end: float


def formula(case: Dying) -> Course:
    """By Kubernetes' documentation: hook and process share the grace, and SIGTERM gets two seconds whatever the hook has left."""
    term = 0.0 if case.hook is None else min(case.hook, case.grace)
    deadline = max(float(case.grace), term + 2.0)
    obeyed = term + case.obeys
    return Course(term, None, obeyed) if obeyed < deadline else Course(term, deadline, deadline)


def play(case: Dying) -> Course:
    """What the machine does; a killed process ends at once."""
    world = running(lifecycle=HOOK) if case.hook is not None else running()
    begun = world.now
    world.see(deleted(world.pod, case.grace))
    term = kill = None
    hooked = case.hook is None or case.grace == 0
    while True:
        at = world.now - begun
        for _, signal in world.signals():
            term, kill = (at, kill) if signal == "TERM" else (term, at)
        if kill is not None or (term is not None and at >= term + case.obeys):
            world.exited(137 if kill is not None else 0)
            assert world.machine.removed
            assert term is not None
            return Course(term, kill, at)
        if not hooked and case.hook is not None and at >= case.hook:
            hooked = True
            if term is None:
                world.hooked(messages.Hook.PRE_STOP)
                continue
        moments = [world.machine.due, None if term is None else begun + term + case.obeys]
        moments.append(begun + case.hook if not hooked and case.hook is not None else None)
        world.wait(min(each for each in moments if each is not None) - world.now)


@given(
    st.builds(
        Dying,
        hook=st.one_of(st.none(), st.integers(0, 40).map(float), st.just(NEVER)),
        obeys=st.one_of(st.integers(0, 50).map(lambda each: each + 0.5), st.just(NEVER)),
        grace=st.integers(0, 40),
    )
)
def test_signals_come_when_they_should(case: Dying) -> None:
    assert play(case) == formula(case)


# Hook takes, process takes after SIGTERM, grace → SIGTERM, SIGKILL, end.
@pytest.mark.parametrize(
    ("hook", "obeys", "grace", "course"),
    [
        (None, 0.5, 30, Course(0, None, 0.5)),
        (None, NEVER, 30, Course(0, 30, 30)),
        (None, NEVER, 0, Course(0, 2, 2)),
        (5.0, 0.5, 30, Course(5, None, 5.5)),
        (5.0, NEVER, 30, Course(5, 30, 30)),
        (NEVER, 0.5, 30, Course(30, None, 30.5)),
        (NEVER, NEVER, 30, Course(30, 32, 32)),
        (29.0, NEVER, 30, Course(29, 31, 31)),
        (5.0, NEVER, 0, Course(0, 2, 2)),
    ],
)
def test_courses(hook: float | None, obeys: float, grace: int, course: Course) -> None:
    case = Dying(hook, obeys, grace)
    assert (play(case), formula(case)) == (course, course)


# Coming back.


def delays(runs: list[float]) -> list[float]:
    """Seconds between the end of each run and the next start: at once, then 10, 20, 40 … 300; a run beyond ten minutes starts over."""
    found, crashes = [], 0
    for seconds in runs:
        crashes = 0 if seconds > 600 else crashes
        found.append(0.0 if crashes == 0 else min(300.0, 10.0 * 2 ** (crashes - 1)))
        crashes += 1
    return found


def observed(runs: list[float], code: int, policy: str) -> list[float]:
    world = World(pod(container(), restartPolicy=policy))
    found = []
    for seconds in runs:
        world.started()
        world.wait(seconds)
        world.exited(code)
        begun = world.now
        if not world.starts():
            assert world.state()["state"]["waiting"]["reason"] == "CrashLoopBackOff"
            assert world.machine.due is not None
            world.wait(world.machine.due - world.now)
        assert world.starts() == ["web"]
        found.append(world.now - begun)
    return found


lengths = st.lists(st.sampled_from([0.0, 1.0, 59.0, 600.0, 601.0, 5000.0]), max_size=12)


@given(lengths, st.sampled_from([("Always", 0), ("Always", 1), ("OnFailure", 3), ("OnFailure", 137)]))
def test_restarts_back_off(runs: list[float], how: tuple[str, int]) -> None:
    policy, code = how
    assert observed(runs, code, policy) == delays(runs)


@given(lengths)
def test_an_agent_that_comes_after_keeps_to_the_delay(runs: list[float]) -> None:
    """However often a container crashed: what is remembered of it makes the next agent wait exactly as long."""
    world = World(pod(container()))
    for seconds in runs:
        if not world.starts() and world.machine.due is not None:
            world.wait(world.machine.due - world.now)
        world.started()
        world.wait(seconds)
        world.exited(1)
    again = World({**world.pod, "status": world.status()}, world.machine.memories())
    if not runs:
        assert again.starts() == ["web"]
        return
    before, after = world.machine.memories()["web"], again.machine.memories()["web"]
    assert (after.retry_at, after.crashes, after.runs) == (before.retry_at, before.crashes, before.runs)
    assert (after.last, after.before) == (before.last, before.before)


# In which order.

KINDS = st.lists(st.sampled_from(["init", "sidecar"]), max_size=5)


@given(KINDS, st.integers(1, 3), st.integers(0, 6))
def test_the_order_of_a_start(kinds: list[str], mains: int, failing: int) -> None:
    """One after another, each when the one before has done its part; a failure is repeated before anything else; then all the others."""
    names = [f"{kind}{index}" for index, kind in enumerate(kinds)]
    init = [
        testing.container(name, **({"restartPolicy": "Always"} if name.startswith("sidecar") else {})) for name in names
    ]
    main = [testing.container(f"main{index}") for index in range(mains)]
    world = World(pod(*main, init=init))
    for index, name in enumerate(names):
        assert world.starts() == [name]
        world.started(name)
        if name.startswith("sidecar"):
            continue
        assert world.starts() == []
        if index == failing:
            world.exited(1, name)
            assert world.starts() == [name]
            world.started(name)
        world.exited(0, name)
    assert world.starts() == [each["name"] for each in main]
    assert world.phase() == "Pending"
    for each in main:
        world.started(each["name"])
    assert world.phase() == "Running"
    assert world.condition("Ready")["status"] == "True"


@given(KINDS, st.integers(1, 3))
def test_the_order_of_an_end(kinds: list[str], mains: int) -> None:
    """Main containers together, then sidecars one by one, the last one first."""
    sidecars = [f"sidecar{index}" for index, kind in enumerate(kinds) if kind == "sidecar"]
    init = [testing.container(name, restartPolicy="Always") for name in sidecars]
    main = [f"main{index}" for index in range(mains)]
    world = World(pod(*[testing.container(name) for name in main], init=init))
    for name in (*sidecars, *main):
        world.started(name)
    world.see(deleted(world.pod, 30))
    assert sorted(world.signals()) == [(name, "TERM") for name in main]
    for name in main:
        assert not world.machine.removed
        world.exited(0, name)
    for name in reversed(sidecars):
        assert world.signals() == [(name, "TERM")]
        world.exited(0, name)
    assert world.machine.removed
