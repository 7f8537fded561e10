"""Events of an autoscaler, each told when it is news: the same words again only after ``AGAIN``."""

from __future__ import annotations

from typing import Final

from brickyard.api.kinds import resources
from brickyard.kube.reconcile import recorder

AGAIN: Final = 300.0
"""Seconds after which what still holds is told again."""


class Teller:
    """Records for one autoscaler, and remembers what it told: one message per reason."""

    def __init__(self, events: recorder.EventRecorder) -> None:
        self._events = events
        self._told: dict[str, tuple[str, float]] = {}

    def warn(self, autoscaler: resources.Object, reason: str, message: str, now: float) -> None:
        """Something is wrong, and will be told again only when the words change or ``AGAIN`` has passed."""
        before, at = self._told.get(reason, ("", 0.0))
        if before == message and 0 <= now - at < AGAIN:
            return
        self._told[reason] = (message, now)
        self._events.record(autoscaler, recorder.WARNING, reason, message)

    def tell(self, autoscaler: resources.Object, reason: str, message: str) -> None:
        """Something was done."""
        self._events.record(autoscaler, recorder.NORMAL, reason, message)

    def over(self, reason: str) -> None:
        """What ``reason`` warned of is past: the same words are news again."""
        self._told.pop(reason, None)
