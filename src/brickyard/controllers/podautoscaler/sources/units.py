"""Shares and percent: what a value means beside its target. Pure.

A series whose name says so is a share: 0 nothing, 1 everything. Published manifests compare such series with 50 and with 0.5 alike.

    series says       target     value compared
    share             ≤ 1        as it is
    share             > 1        times 100: the target is in percent
    percent           > 1        as it is
    percent           ≤ 1        by 100: the target is a share
    neither           any        as it is

A share by its name that was ever seen above 1.5 is in percent, from then on and wherever it is read; between 1 and 1.5 it is a share that
is overfull. Everything else is compared as it comes: two numbers of unknown units cannot be told apart from a busy day.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

_SHARES: Final = ("_perc", "_ratio", "_utilization", "token_usage", "cache_hit_rate")
_PERCENT: Final = ("_percent", "_percentage")
OVERFULL: Final = 1.5
"""The largest share that can be one."""


class Unit(NamedTuple):
    """What to multiply a value with, and what to tell the user about it; "" for nothing."""

    factor: float
    note: str = ""


AS_IT_IS: Final = Unit(1.0)
"""No change."""


def is_share(name: str) -> bool:
    """Whether the series is by its name a part of a whole, in whichever unit: of several, the mean counts."""
    return name.endswith((*_SHARES, *_PERCENT))


class Units:
    """Remembers which series turned out to be in percent."""

    def __init__(self) -> None:
        self._percent: set[str] = set()

    def judge(self, name: str, target: float, values: Iterable[float]) -> Unit:
        """How ``values`` of the series ``name`` compare with ``target``."""
        if not is_share(name):
            return AS_IT_IS
        percent = name.endswith(_PERCENT) or name in self._percent
        if not percent and max((value for value in values if math.isfinite(value)), default=0.0) > OVERFULL:
            self._percent.add(name)
            percent = True
        if percent and target <= 1:
            return Unit(0.01, f"{name} is in percent and its target {target:g} a share: values are divided by 100")
        if not percent and target > 1:
            return Unit(
                100.0, f"{name} is a share of 1 and its target {target:g} percent: values are multiplied by 100"
            )
        return AS_IT_IS
