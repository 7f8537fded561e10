"""What must be known of earlier passes, for one autoscaler. Pure.

**The clock.** When it is set back, everything is moved with it and keeps its age: nothing expires, nothing counts twice. When it leaps
forward, or nobody looked for long, nobody knows what happened meanwhile: windows are young again, and the replicas of now count
as a recommendation. Neither moves anything.

Bounded: a bucket for each second of the stable window and metric, and few recommendations.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
from typing import Self

from brickyard.scaling import contract, demand, panic, rates, stabilisation, windows

_CHANGES = 1000


@dataclasses.dataclass(slots=True)
class Watch:
    """What is known of one metric: of the whole workload, and per pod."""

    total: windows.Series = dataclasses.field(default_factory=windows.Series)
    mean: windows.Series = dataclasses.field(default_factory=windows.Series)


class Memory:
    """Made empty by whoever begins to look at an autoscaler; ``decide`` alone changes it."""

    __slots__ = ("_changes", "_last", "_replicas", "_stride", "advice", "panic", "watches")

    def __init__(self) -> None:
        self.watches: dict[str, Watch] = {}
        self.advice = stabilisation.Advice()
        self.panic = panic.Panic()
        self._changes: collections.deque[tuple[float, int]] = collections.deque(maxlen=_CHANGES)
        self._last: float | None = None
        self._stride = 0.0
        self._replicas = 0

    def begin(self, settings: contract.Settings, current: int, now: float) -> None:
        """A pass begins, at ``current`` replicas."""
        if self._last is not None and now < self._last:
            self._shift(now - self._last)
        resumed = self._last is None or windows.interrupted(now - self._last, self._stride)
        # Windows may be shorter than the time between two passes: what the last pass recommended is out of them by rights then.
        silent = self._last not in {now, self.advice.latest}
        if resumed or (silent and self.advice.highest(max(settings.up_window, settings.down_window), now) is None):
            self.advice.assume(now, current)
        if self._last is not None:
            self._stride = now - self._last
            if current != self._replicas:
                # It was the last pass that asked for it.
                self._changes.append((self._last, current - self._replicas))
        self._last, self._replicas = now, current
        known = {each.key for each in settings.metrics}
        for key in self.watches.keys() - known:
            del self.watches[key]
        if settings.strategy is not contract.Strategy.KPA:
            self.panic.end()

    def observe(self, metric: contract.Metric, reading: demand.Reading, window: float, now: float) -> Watch:
        """Keep ``reading``, if it says anything; what ``metric`` measured within ``window`` seconds is returned."""
        watch = self.watches.setdefault(metric.key, Watch())
        if reading.total is not None:
            at = min(reading.at, now)
            watch.total.record(at, reading.total)
            if reading.mean is not None:
                watch.mean.record(at, reading.mean)
        watch.total.forget(window, now)
        watch.mean.forget(window, now)
        return watch

    def changed(self, now: float) -> tuple[int, int]:
        """By how many replicas the target rose, and by how many it fell, within the period of ``rates``."""
        while self._changes and self._changes[0][0] <= now - rates.PERIOD:
            self._changes.popleft()
        return sum(max(by, 0) for _, by in self._changes), sum(max(-by, 0) for _, by in self._changes)

    def copied(self) -> Self:
        """A copy that shares nothing: for questions such as what another setting would have done."""
        return copy.deepcopy(self)

    def __len__(self) -> int:
        """How many values are kept."""
        series = sum(len(each.total) + len(each.mean) for each in self.watches.values())
        return series + len(self.advice) + len(self._changes)

    def _shift(self, seconds: float) -> None:
        for watch in self.watches.values():
            watch.total.shift(seconds)
            watch.mean.shift(seconds)
        self.advice.shift(seconds)
        self.panic.shift(seconds)
        self._changes = collections.deque(((at + seconds, by) for at, by in self._changes), maxlen=_CHANGES)
        if self._last is not None:
            self._last += seconds
