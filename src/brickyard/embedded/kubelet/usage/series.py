"""From readings to what ``kubectl top`` shows: CPU as a mean over a window, memory as it is. Pure.

readings                                    window
one of 10 to 60 s before the newest         from the youngest such one
only younger ones                           from the oldest, if it is at least a second older
the newest alone                            from the start, unless that was more than a minute ago: an average over days tells nothing
"""

from __future__ import annotations

import collections
import dataclasses

from brickyard.api.kinds import usage

WINDOW = 10.0
LONGEST = 60.0
SHORTEST = 1.0
_KEPT = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """Seconds of CPU so far and bytes of memory, at that Unix time."""

    at: float
    cpu: float
    memory: int


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """A mean over ``window`` seconds that end at ``at``."""

    at: float
    window: float
    amount: usage.Amount


class Series:
    """Readings of one thing, which began at ``born`` with no CPU used; None where that is not known."""

    def __init__(self, born: float | None = None) -> None:
        self._born = born
        self._readings: collections.deque[Reading] = collections.deque(maxlen=_KEPT)

    def add(self, reading: Reading) -> None:
        """A newer reading; one that is not newer replaces nothing."""
        if not self._readings or reading.at > self._readings[-1].at:
            self._readings.append(reading)

    @property
    def newest(self) -> float | None:
        """When the last reading was taken."""
        return self._readings[-1].at if self._readings else None

    def measured(self) -> Measured | None:
        """What the readings come to; None while there are too few."""
        if not self._readings:
            return None
        last = self._readings[-1]
        base = self._base(last)
        if base is None:
            return None
        window = last.at - base.at
        # A parent that dies takes the time of its ended children out of the sum.
        used = max(0.0, last.cpu - base.cpu)
        return Measured(last.at, window, usage.Amount(used / window, last.memory))

    def _base(self, last: Reading) -> Reading | None:
        before = [each for each in self._readings if SHORTEST <= last.at - each.at <= LONGEST]
        if self._born is not None and SHORTEST <= last.at - self._born <= LONGEST:
            before.insert(0, Reading(self._born, 0.0, 0))
        wide = [each for each in before if last.at - each.at >= WINDOW]
        return wide[-1] if wide else next(iter(before), None)
