"""When an autoscaler is told what a gateway holds and has open for it. Pure; times are seconds of one monotonic clock.

    told before     now                          told
    nothing         held or open                 at once
    open            held                         at once
    held            open                         at once
    held            held, 5 s later              again
    open            open, 15 s later             again
    held            nothing, 5 s later           taken back
    open            nothing, 15 s later          taken back

At once is a second after the last word at the soonest. A word lasts for four of its pauses and more: one that is lost changes nothing.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final

SOONEST: Final = 1.0
HELD_EVERY: Final = 5.0
HELD_LASTS: Final = 30.0
OPEN_EVERY: Final = 15.0
OPEN_LASTS: Final = 60.0


class Step(enum.Enum):
    """What to do about one autoscaler."""

    KEEP = "keep"
    TELL = "tell"
    RETRACT = "retract"


@dataclasses.dataclass(frozen=True, slots=True)
class Demand:
    """What there is: ``held`` requests without an endpoint now, and ``open`` ones, the most at once since the last word."""

    held: int = 0
    open: int = 0

    @property
    def busy(self) -> bool:
        """Whether anything is asked for."""
        return self.held > 0 or self.open > 0


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """The last word: how many were held, and when it was written."""

    held: int
    at: float


def step(told: Told | None, demand: Demand, now: float) -> Step:
    """What to do now. ``told`` None: there is no word of ours."""
    if told is None:
        return Step.TELL if demand.busy else Step.KEEP
    turned = demand.busy and (demand.held > 0) is not (told.held > 0)
    pause = SOONEST if turned else HELD_EVERY if told.held else OPEN_EVERY
    if now - told.at < pause:
        return Step.KEEP
    return Step.TELL if demand.busy else Step.RETRACT


def lasts(demand: Demand) -> float:
    """Seconds that a word of ``demand`` holds."""
    return HELD_LASTS if demand.held else OPEN_LASTS
