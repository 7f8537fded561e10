"""One pass of an autoscaler: what it should become, and every number that led there. Pure.

    1  bounds alone        off by hand, above the maximum, below the minimum: nothing else is asked
    2  metrics             the most of what each asks for; one that cannot be read might ask for more, so nothing goes down
    3  rates               no further than one step
    4  stabilisation       up to the lowest, down to the highest of what was recommended lately; the first replica of none comes at once
    5  panic, young        no way down
    6  bounds              the last word

``Memory`` learns from every pass, also from those in which it has no say, and from recommendations before stages 4 to 6: what held them
back is not a wish.
"""

from __future__ import annotations

import dataclasses

from brickyard.scaling import bounds, contract, outlook, rates, verdicts, words
from brickyard.scaling import memory as memories
from brickyard.scaling.algorithms import kpa

Memory = memories.Memory
UNREAD = "no metric could be read"
STABLE = "stable"
ALL_BELOW = "All metrics below target"


def decide(
    settings: contract.Settings, memory: Memory, snapshot: contract.Snapshot, now: float
) -> contract.Recommendation:
    """What the target's replicas should be at Unix time ``now``. ``memory`` is changed, nothing else is."""
    current = snapshot.replicas
    memory.begin(settings, current, now)
    seen = verdicts.look(settings, memory, snapshot, now)
    if settings.strategy is contract.Strategy.KPA:
        _panic(settings, memory, seen, current, now)
    held = bounds.effective(settings, now)
    blank = contract.Recommendation(
        at=now,
        current=current,
        desired=None,
        algorithm=settings.strategy.value.lower(),
        reason=UNREAD,
        minimum=held.minimum,
        maximum=held.maximum,
        schedule=held.schedule,
        panicking_since=memory.panic.since,
    )
    checked = bounds.check(held, current)
    if checked is not None:
        found = dataclasses.replace(blank, algorithm=contract.BOUNDARY_CHECK, desired=checked[0], reason=checked[1])
        return outlook.with_transition(settings, found)
    return _by_metrics(settings, memory, blank, seen, held)


def _panic(
    settings: contract.Settings, memory: Memory, seen: tuple[verdicts.Look, ...], current: int, now: float
) -> None:
    """Metrics that were not read neither begin nor prolong a panic, nor do they end it."""
    over = [verdicts.rushes(settings, each, current) for each in seen if each.reading.total is not None]
    if over:
        memory.panic.update(over=any(over), now=now, stable_window=settings.stable_window)


def _by_metrics(
    settings: contract.Settings,
    memory: Memory,
    blank: contract.Recommendation,
    seen: tuple[verdicts.Look, ...],
    held: bounds.Effective,
) -> contract.Recommendation:
    hpa = settings.strategy is contract.Strategy.HPA
    changed = memory.changed(blank.at) if hpa else (0, 0)
    case = verdicts.Case(
        settings, blank.current, rates.limits(settings, blank.current, *changed), memory.panic.since is not None
    )
    found = tuple(verdicts.verdict(case, each) for each in seen)
    told = dataclasses.replace(blank, metrics=found, excess_burst_capacity=_excess(settings, seen, blank.current))
    if all(each.replicas is None for each in found):
        return dataclasses.replace(told, reason=_unread(found))
    young = not hpa and any(each.young for each in seen if each.reading.total is not None)
    steps = _Steps(settings, memory, told)
    steps.run(held, young=young)
    done = dataclasses.replace(
        told,
        desired=steps.value,
        asked=steps.asked,
        steps=tuple(steps.taken),
        panicking_since=memory.panic.since,
        reason=_reason(told, steps.value),
    )
    return outlook.foresee(settings, done, steps.guards)


def _unread(found: tuple[contract.MetricVerdict, ...]) -> str:
    if not found:
        return "there is no metric to scale by"
    return f"{UNREAD}: " + "; ".join(f"{each.metric.name}: {each.reason}" for each in found)


def _reason(told: contract.Recommendation, desired: int) -> str:
    if desired > told.current:
        return f"{told.algorithm} above target"
    return ALL_BELOW if desired < told.current else STABLE


def _excess(settings: contract.Settings, seen: tuple[verdicts.Look, ...], current: int) -> float | None:
    """That of the metric that has the least room, measured by its target."""
    if settings.strategy is not contract.Strategy.KPA:
        return None
    rooms = [
        (kpa.excess_burst_capacity(each.panic, each.metric, current, settings.burst_capacity), each.metric.target)
        for each in seen
        if each.panic is not None and not each.metric.presence
    ]
    return min(rooms, key=lambda room: room[0] / room[1])[0] if rooms else None


def _recommended(replicas: int, window: float) -> str:
    verb = "was" if replicas == 1 else "were"
    return f"{words.replicas(replicas)} {verb} recommended within the last {words.seconds(window)}"


class _Steps:
    """Stages 2 to 6. ``value`` is the recommendation so far, ``taken`` what changed it, ``guards`` until when something holds it up."""

    def __init__(self, settings: contract.Settings, memory: Memory, told: contract.Recommendation) -> None:
        self.settings = settings
        self.memory = memory
        self.now = told.at
        self.current = told.current
        self.metrics = told.metrics
        self.asked = max(each.asked for each in told.metrics if each.asked is not None)
        self.value = self.asked
        self.taken: list[contract.Step] = []
        self.guards: list[outlook.Guard] = []

    def run(self, held: bounds.Effective, *, young: bool) -> None:
        """All stages, in order."""
        advised = max(each.replicas for each in self.metrics if each.replicas is not None)
        self._unknown()
        self._rates(advised)
        self.memory.advice.note(self.now, advised)
        self._stabilise()
        self._panic()
        if young:
            self._young()
        clamped = held.clamp(self.value)
        if clamped > self.value:
            self._take(contract.Limit.MINIMUM, clamped, f"the minimum is {held.minimum}")
        elif clamped < self.value:
            self._take(contract.Limit.MAXIMUM, clamped, f"the maximum is {held.maximum}")

    def _take(self, limit: contract.Limit, after: int, why: str) -> None:
        if after != self.value:
            self.taken.append(contract.Step(limit, self.value, after, why))
            self.value = after

    def _unknown(self) -> None:
        unread = next((each for each in self.metrics if each.replicas is None), None)
        if unread is not None and self.value < self.current:
            why = f"{unread.metric.name} cannot be read and might ask for more: {unread.reason}"
            self.guards.append(outlook.Guard(None, why))
            self._take(contract.Limit.UNKNOWN, self.current, why)

    def _rates(self, advised: int) -> None:
        if self.value > self.current and advised < self.value:
            why = f"one step makes at most {words.amount(self.settings.up_rate)} of each"
            self._take(contract.Limit.UP_RATE, advised, why)
        elif self.value < self.current and advised > self.value:
            why = f"one step leaves at least one in {words.amount(self.settings.down_rate)}"
            self._take(contract.Limit.DOWN_RATE, advised, why)

    def _stabilise(self) -> None:
        advice, settings = self.memory.advice, self.settings
        lowest = advice.lowest(settings.up_window, self.now)
        highest = advice.highest(settings.down_window, self.now)
        # Where there is none, whoever asks is not answered at all: that is no fluctuation to sit out.
        floor = max(self.current, 1)
        if self.value > floor and lowest is not None and lowest.replicas < self.value:
            after = max(floor, lowest.replicas)
            why = _recommended(lowest.replicas, settings.up_window)
            self.guards.append(outlook.Guard(lowest.at + settings.up_window, why, down=False))
            self._take(contract.Limit.STABILISED_UP, after, why)
        elif self.value < self.current and highest is not None and highest.replicas > self.value:
            after = min(self.current, highest.replicas)
            why = _recommended(highest.replicas, settings.down_window)
            self.guards.append(outlook.Guard(highest.at + settings.down_window, why))
            self._take(contract.Limit.STABILISED_DOWN, after, why)

    def _panic(self) -> None:
        panic = self.memory.panic
        if panic.since is None:
            return
        why = f"nothing goes down in panic, which began at {words.moment(panic.since)}"
        if min(self.value, self.asked) < self.current:
            rushing = panic.rushed == self.now
            ends = None if rushing else panic.rushed + self.settings.stable_window
            self.guards.append(outlook.Guard(ends, why))
        self._take(contract.Limit.PANIC, panic.hold(self.value, self.current), why)

    def _young(self) -> None:
        window = self.settings.stable_window
        since = [each.total.since for each in self.memory.watches.values() if each.total.since is not None]
        why = f"the metrics have been watched for less than {words.seconds(window)}"
        if min(self.value, self.asked) < self.current and since:
            self.guards.append(outlook.Guard(max(since) + window, why))
        self._take(contract.Limit.YOUNG, max(self.value, self.current), why)
