"""What a metric was over the last seconds: intervals in buckets of one second. Pure.

    bucket   floor(time / width); a later value takes the place of an earlier one of the same bucket
    kept     buckets from floor((now - duration) / width) on, at reading as at writing: a value exactly ``duration`` old still counts
    mean     of the buckets that have a value; None where none has, which is not 0

One series serves windows of every length up to what it keeps, so that a panic window needs no copy.

**Young.** ``since`` is the moment from which on a series has missed nothing, and a mean over more than that time would be a guess. It
moves when values come in again after an interruption: a pause of more than a minute that is longer than three times the pause before
it. (A minute alone would make every value of a slow reader an interruption.)
"""

from __future__ import annotations

import array
import bisect
import copy
import math
from typing import Final, Self

from brickyard.scaling import contract

PAUSE: Final = 60.0
STRIDES: Final = 3.0
_LARGEST: Final = 1e300
"""Larger values count as this one: sums of an hour of them stay finite."""


def interrupted(pause: float, before: float) -> bool:
    """Whether a ``pause`` between two values is too long to be their rhythm; ``before`` is the pause before. Seconds."""
    return pause > max(PAUSE, STRIDES * before)


class Series:
    """One value over time, as an interval. Holds a bucket for each second of what ``forget`` leaves, and no more.

    ``width`` is a bucket's, in seconds. ``since`` is a Unix time; None while nothing was recorded.
    """

    __slots__ = ("_at", "_high", "_low", "_stride", "last", "since", "width")

    def __init__(self, width: float = 1.0) -> None:
        self.width = width
        self.since: float | None = None
        self.last: float | None = None
        self._stride = 0.0
        self._at = array.array("q")
        self._low = array.array("d")
        self._high = array.array("d")

    def __len__(self) -> int:
        return len(self._at)

    def record(self, at: float, value: contract.Span) -> None:
        """``value`` was measured at Unix time ``at``. What is older than the newest bucket is not taken."""
        bucket = math.floor(at / self.width)
        if self._at and bucket < self._at[-1]:
            return
        if self.last is None or self.since is None:
            self.since = at
        elif at > self.last:
            if interrupted(at - self.last, self._stride):
                self.since = at
            self._stride = at - self.last
        self.last = at
        if not self._at or bucket > self._at[-1]:
            self._at.append(bucket)
            self._low.append(0.0)
            self._high.append(0.0)
        self._low[-1] = min(value.low, _LARGEST)
        self._high[-1] = min(value.high, _LARGEST)

    def mean(self, duration: float, now: float) -> contract.Span | None:
        """The mean over the last ``duration`` seconds; None without values."""
        first = self._first(duration, now)
        count = len(self._at) - first
        if not count:
            return None
        if count == 1:
            return contract.Span(self._low[-1], self._high[-1])
        return contract.Span(math.fsum(self._low[first:]) / count, math.fsum(self._high[first:]) / count)

    def extremes(self, duration: float, now: float) -> contract.Span | None:
        """The lowest ``low`` and the highest ``high`` of the last ``duration`` seconds; None without values."""
        first = self._first(duration, now)
        if first == len(self._at):
            return None
        return contract.Span(min(self._low[first:]), max(self._high[first:]))

    def values(self, duration: float, now: float) -> tuple[contract.Span, ...]:
        """The buckets of the last ``duration`` seconds, oldest first."""
        first = self._first(duration, now)
        return tuple(map(contract.Span, self._low[first:], self._high[first:]))

    def covered(self, duration: float, now: float) -> float:
        """Seconds from the oldest value of the last ``duration`` seconds until now; 0 without values."""
        first = self._first(duration, now)
        if first == len(self._at):
            return 0.0
        return min(max(now - self._at[first] * self.width, 0.0), duration)

    def spans(self, duration: float, now: float) -> bool:
        """Whether nothing was missed for ``duration`` seconds."""
        return self.since is not None and now - self.since >= duration - 1e-3

    def forget(self, duration: float, now: float) -> None:
        """Drop what is older than ``duration`` seconds; for more than that time ``spans`` is False from then on."""
        first = self._first(duration, now)
        if first:
            del self._at[:first], self._low[:first], self._high[:first]
        if self.since is not None:
            self.since = max(self.since, now - duration)

    def shift(self, seconds: float) -> None:
        """The clock was set by ``seconds``: everything keeps its age, to the bucket."""
        buckets = round(seconds / self.width)
        self._at = array.array("q", (each + buckets for each in self._at))
        if self.since is not None and self.last is not None:
            self.since += seconds
            self.last += seconds

    def copied(self) -> Self:
        """A copy that shares nothing."""
        return copy.deepcopy(self)

    def _first(self, duration: float, now: float) -> int:
        return bisect.bisect_left(self._at, math.floor((now - duration) / self.width))
