"""How far one step may go. Pure.

    up     at most max(1, ceil(up rate * replicas))
    down   at least floor(replicas / down rate)

For KPA and APA a step starts from the replicas of now. A HorizontalPodAutoscaler's policies speak of a minute: its steps start from what
there was 60 s ago, so that ten passes in a minute go no further than one.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from brickyard.scaling import contract, rounding

UP: Final = "up rate"
DOWN: Final = "down rate"
PERIOD: Final = 60.0
"""Seconds of a HorizontalPodAutoscaler's policies."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """The most and the fewest replicas after this step."""

    most: int
    fewest: int

    def cut(self, asked: int) -> tuple[int, str]:
        """What becomes of ``asked``, and which rate cut it: ``UP``, ``DOWN`` or ""."""
        if asked > self.most:
            return self.most, UP
        if asked < self.fewest:
            return self.fewest, DOWN
        return asked, ""


def limits(settings: contract.Settings, current: int, risen: int = 0, fallen: int = 0) -> Limits:
    """Limits of a step from ``current`` replicas, of which ``risen`` came and from which ``fallen`` went within the period."""
    most = max(1, rounding.up(settings.up_rate * max(0, current - risen)))
    fewest = rounding.down((current + fallen) / settings.down_rate)
    return Limits(max(most, current), min(fewest, current))
