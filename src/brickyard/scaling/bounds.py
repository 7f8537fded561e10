"""How many replicas there may be now, and when bounds alone decide. Pure.

| replicas  | bounds                                        | outcome                      |
|-----------|-----------------------------------------------|------------------------------|
| 0         | minimum above 0, not given by a schedule,     | 0: switched off by hand      |
|           | and no schedule lets it sleep                 |                              |
| > maximum |                                               | maximum                      |
| < minimum |                                               | minimum                      |
| else      |                                               | metrics decide, within bounds|
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from brickyard.scaling import contract, rounding, schedule

DISABLED: Final = "scaling disabled: current replicas is 0"
EXCEEDED: Final = "current replicas exceed maximum"
UNDERCUT: Final = "current replicas below minimum"
WORDS: Final[Mapping[contract.Limit, str]] = {
    contract.Limit.MINIMUM: "no fewer than the minimum",
    contract.Limit.MAXIMUM: "no more than the maximum",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Effective:
    """The bounds that hold; ``schedule`` is "" for none.

    ``explicit``: a schedule is why there may be no replicas now: the minimum is its own, or another one allowed 0 in its hours.
    """

    minimum: int
    maximum: int
    schedule: str = ""
    explicit: bool = False

    def clamp(self, replicas: int) -> int:
        """The nearest number within the bounds."""
        return max(self.minimum, min(replicas, self.maximum))


def effective(settings: contract.Settings, now: float) -> Effective:
    """The bounds at Unix time ``now``. Without a maximum that is a number, there is none but Kubernetes' own."""
    window = schedule.active(settings, now)
    sleeps = any(each.own_minimum and not each.minimum for each in settings.hours)
    if window is None:
        base = settings.bounds
        return Effective(base.minimum, rounding.MOST if base.maximum is None else base.maximum, explicit=sleeps)
    most = rounding.MOST if window.maximum is None else window.maximum
    return Effective(window.minimum, most, window.name, window.own_minimum or sleeps)


def check(found: Effective, current: int) -> tuple[int, str] | None:
    """What bounds alone decide for ``current`` replicas, and why; None when metrics decide."""
    if not current and found.minimum and not found.explicit:
        return 0, DISABLED
    if current > found.maximum:
        return found.maximum, EXCEEDED
    if current < found.minimum:
        return found.minimum, UNDERCUT
    return None
