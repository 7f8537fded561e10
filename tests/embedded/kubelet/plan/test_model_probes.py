"""Probes against a second account of Kubernetes' rules, written the other way round: as a timetable instead of a machine.

startup    from its delay on, every period, until a streak of successes (started) or of failures (killed)
the others once it has started, from their own delay or that moment on, every period, until the container is killed
verdicts   a streak as long as its threshold decides; until then what was decided before holds: alive, not ready
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet.plan import messages, spec
from brickyard.embedded.kubelet.testing import World, running

STARTUP, LIVENESS, READINESS = spec.ProbeKind.STARTUP, spec.ProbeKind.LIVENESS, spec.ProbeKind.READINESS
HORIZON = 60
Answers = Mapping[spec.ProbeKind, Sequence[bool]]


@dataclasses.dataclass(frozen=True)
class Rule:
    """A probe of the manifest, in whole seconds."""

    delay: int = 0
    period: int = 1
    good: int = 1
    bad: int = 3

    def manifest(self) -> dict[str, object]:
        return {
            "httpGet": {"port": 1},
            "initialDelaySeconds": self.delay,
            "periodSeconds": self.period,
            "successThreshold": self.good,
            "failureThreshold": self.bad,
        }


@dataclasses.dataclass
class Account:
    """What happened, in seconds since the start: probes, the moment of the kill, changes of readiness."""

    probes: list[tuple[int, spec.ProbeKind]] = dataclasses.field(default_factory=list)
    started: int | None = None
    killed: tuple[int, spec.ProbeKind] | None = None
    ready: list[tuple[int, bool]] = dataclasses.field(default_factory=list)


def timetable(rules: Mapping[spec.ProbeKind, Rule], answers: Answers) -> Account:
    """What Kubernetes' documentation says would happen."""
    told = Account()
    scripts = {kind: _script(each) for kind, each in answers.items()}
    told.started = 0 if STARTUP not in rules else _until_started(rules[STARTUP], scripts[STARTUP], told)
    if told.started is None:
        return told
    if READINESS not in rules:
        told.ready.append((told.started, True))
    agenda = [(max(told.started, rules[kind].delay), kind) for kind in (LIVENESS, READINESS) if kind in rules]
    queue = [(at, order, kind) for order, (at, kind) in enumerate(agenda)]
    heapq.heapify(queue)
    streaks: dict[spec.ProbeKind, list[bool]] = {LIVENESS: [], READINESS: []}
    was_ready = False
    while queue and queue[0][0] <= HORIZON:
        at, order, kind = heapq.heappop(queue)
        told.probes.append((at, kind))
        streaks[kind].append(next(scripts[kind]))
        verdict = _decided(streaks[kind], rules[kind])
        if kind is LIVENESS and verdict is False:
            told.killed = (at, LIVENESS)
            return told
        if kind is READINESS and verdict not in (None, was_ready):
            was_ready = bool(verdict)
            told.ready.append((at, was_ready))
        heapq.heappush(queue, (at + rules[kind].period, order, kind))
    return told


def _until_started(rule: Rule, script: Iterator[bool], told: Account) -> int | None:
    streak: list[bool] = []
    for at in range(rule.delay, HORIZON + 1, rule.period):
        told.probes.append((at, STARTUP))
        streak.append(next(script))
        verdict = _decided(streak, rule)
        if verdict:
            return at
        if verdict is False:
            told.killed = (at, STARTUP)
            return None
    return None


def _decided(answers: Sequence[bool], rule: Rule) -> bool | None:
    """What the last answers decide, if they do."""
    last = answers[-1]
    needed = rule.good if last else rule.bad
    return last if list(answers[-needed:]) == [last] * needed else None


def _script(answers: Sequence[bool]) -> Iterator[bool]:
    """The answers, the last of them for ever."""
    return itertools.chain(answers, itertools.repeat(answers[-1]))


def machine(rules: Mapping[spec.ProbeKind, Rule], answers: Answers) -> Account:
    """What the state machine does when every probe is answered at once."""
    world = running(**{f"{kind.value.lower()}Probe": each.manifest() for kind, each in rules.items()})
    told, begun = Account(), world.now
    scripts = {kind: _script(each) for kind, each in answers.items()}
    waiting = list(world.said(messages.RunProbe))
    shown = False
    while True:
        at = int(world.now - begun)
        while waiting:
            kind = waiting.pop(0).probe.kind
            told.probes.append((at, kind))
            world.probed(kind, next(scripts[kind]))
            waiting += world.said(messages.RunProbe)
            if world.signals():
                told.killed = (at, kind)
                return told
        state = world.state()
        if state["started"] and told.started is None:
            told.started = at
        if state["ready"] != shown:
            shown = state["ready"]
            told.ready.append((at, shown))
        if world.machine.due is None or world.machine.due - begun > HORIZON:
            return told
        waiting += _due(world)


def _due(world: World) -> list[messages.RunProbe]:
    assert world.machine.due is not None
    return [each for each in world.wait(world.machine.due - world.now) if isinstance(each, messages.RunProbe)]


rules_of = st.builds(Rule, delay=st.integers(0, 8), period=st.integers(1, 7), good=st.just(1), bad=st.integers(1, 4))
readiness_rules = st.builds(
    Rule, delay=st.integers(0, 8), period=st.integers(1, 7), good=st.integers(1, 3), bad=st.integers(1, 4)
)
scripts_of = st.lists(st.booleans(), min_size=1, max_size=25)


@given(
    st.fixed_dictionaries({}, optional={STARTUP: rules_of, LIVENESS: rules_of, READINESS: readiness_rules}),
    st.fixed_dictionaries(dict.fromkeys(spec.ProbeKind, scripts_of)),
)
def test_the_machine_keeps_the_timetable(rules: dict[spec.ProbeKind, Rule], answers: Answers) -> None:
    told, expected = machine(rules, answers), timetable(rules, answers)
    assert told.killed == expected.killed
    # What is due together with a fatal answer may or may not have been asked before it.
    until = HORIZON + 1 if expected.killed is None else expected.killed[0]
    assert _before(told.probes, until) == _before(expected.probes, until)
    assert [each for each in told.ready if each[0] < until] == [each for each in expected.ready if each[0] < until]
    if expected.killed is None:
        assert told.started == expected.started


def _before(probes: Sequence[tuple[int, spec.ProbeKind]], until: int) -> list[tuple[int, str]]:
    """In an order that does not tell which of two simultaneous probes was asked first."""
    return sorted((at, kind.value) for at, kind in probes if at < until)


# Probes, their answers (+ good, - bad; the last one for ever) → seconds of the probes, what came of it.
ROWS = [
    pytest.param(
        {READINESS: Rule(delay=5, period=10)}, {READINESS: "+"}, [5, 15, 25, 35, 45, 55], "ready 5", id="ready"
    ),
    pytest.param(
        {READINESS: Rule(period=10, good=3)}, {READINESS: "+"}, [0, 10, 20, 30, 40, 50, 60], "ready 20", id="3 good"
    ),
    pytest.param({LIVENESS: Rule(period=10)}, {LIVENESS: "-"}, [0, 10, 20], "killed 20", id="dead"),
    pytest.param(
        {LIVENESS: Rule(period=10)}, {LIVENESS: "--+--+---"}, [0, 10, 20, 30, 40, 50, 60], "ready 0", id="recovers"
    ),
    pytest.param(
        {STARTUP: Rule(period=10, bad=5)}, {STARTUP: "----+"}, [0, 10, 20, 30, 40], "ready 40", id="slow start"
    ),
    pytest.param({STARTUP: Rule(period=10, bad=4)}, {STARTUP: "-----+"}, [0, 10, 20, 30], "killed 30", id="too slow"),
    pytest.param(
        {STARTUP: Rule(period=20), LIVENESS: Rule(delay=30, period=15, bad=1)},
        {STARTUP: "-+", LIVENESS: "+-"},
        [0, 20, 30, 45],
        "killed 45",
        id="the delay counts from the start, not from startup",
    ),
    pytest.param(
        {STARTUP: Rule(period=25, bad=9), READINESS: Rule(delay=1, period=30)},
        {STARTUP: "-+", READINESS: "+"},
        [0, 25, 25, 55],
        "ready 25",
        id="a delay that is over does not count again",
    ),
]


@pytest.mark.parametrize(("rules", "answers", "times", "outcome"), ROWS)
def test_timetables(
    rules: dict[spec.ProbeKind, Rule], answers: dict[spec.ProbeKind, str], times: list[int], outcome: str
) -> None:
    scripts = {kind: [each == "+" for each in text] for kind, text in answers.items()}
    for account in (machine(rules, scripts), timetable(rules, scripts)):
        assert [at for at, _ in account.probes] == times
        if account.killed is not None:
            assert outcome == f"killed {account.killed[0]}"
        else:
            assert [f"ready {at}" for at, ready in account.ready if ready] == [outcome]
