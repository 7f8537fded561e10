"""The band around the target in which nothing moves, for a number that is known as an interval. Pure.

low of the ratio > 1 + up     up      even the least that may be the case is too much
high of the ratio < 1 - down  down    even the most that may be the case is too little
else                          stay    the edges themselves belong to the band
"""

from __future__ import annotations

import dataclasses
import enum

from brickyard.scaling import contract, rounding


class Move(enum.Enum):
    """Which way."""

    UP = "up"
    STAY = "stay"
    DOWN = "down"


@dataclasses.dataclass(frozen=True, slots=True)
class Band:
    """Shares above and below the target."""

    up: float = 0.0
    down: float = 0.0

    def move(self, ratio: contract.Span) -> Move:
        """``ratio`` is measured to wanted."""
        if rounding.above(ratio.low, 1 + self.up):
            return Move.UP
        if rounding.below(ratio.high, 1 - self.down):
            return Move.DOWN
        return Move.STAY
