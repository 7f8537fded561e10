"""An engine's messages in their order: what is lost is noticed, asked for again, and if it cannot be had, the engine is held for unknown.

Messages carry sequence numbers that count up by one. A number beyond the next one means that messages were lost between: the ones
after the gap wait, while whoever listens asks the engine's replay socket for the missing. A number below the next one on the live
socket means that the engine started again: it holds nothing that was told before.

``live`` and ``replayed`` return what is to be done now, in order: ``RESET`` where everything known of the engine is void, and payloads.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, TypeAlias

HELD: Final = 1024
"""Messages that wait behind a gap; with one more the missing are given up."""


class Reset(enum.Enum):
    """Forget what the engine told so far."""

    RESET = "reset"


RESET: Final = Reset.RESET
Step: TypeAlias = bytes | Reset


class Order:
    """Puts one engine's messages in order. ``lost`` counts messages that came never, or too late to be of use."""

    def __init__(self, held: int = HELD) -> None:
        self.lost = 0
        self._begun = False
        self._next = 0
        self._waiting: dict[int, bytes] = {}
        self._held = held

    @property
    def missing(self) -> int | None:
        """The sequence number to ask a replay from; None when nothing is missing."""
        return self._next if self._waiting else None

    @property
    def next(self) -> int:
        """The number that is to come next; 0 before the first."""
        return self._next

    def live(self, number: int, payload: bytes) -> Sequence[Step]:
        """A message from the live socket. The first one ever may be any: what came before it is unknown and not waited for."""
        if not self._begun or number < self._next:
            return self._begin(number, payload)
        return self._take(number, payload)

    def replayed(self, number: int, payload: bytes) -> Sequence[Step]:
        """A message from the replay socket; one that came before is nothing new.

        Before any live message, replay begins the sequence: from 0 it is everything the engine still remembers to have told.
        """
        if not self._begun:
            return self._begin(number, payload)
        return [] if number < self._next else self._take(number, payload)

    def give_up(self) -> Sequence[Step]:
        """The missing will not come: begin again with the messages that wait behind the last gap."""
        if not self._waiting:
            return []
        last = first = max(self._waiting)
        while first - 1 in self._waiting:
            first -= 1
        self.lost += first - self._next
        steps: list[Step] = [RESET, *(self._waiting[number] for number in range(first, last + 1))]
        self._waiting.clear()
        self._next = last + 1
        return steps

    def _begin(self, number: int, payload: bytes) -> Sequence[Step]:
        self._waiting.clear()
        self._begun, self._next = True, number + 1
        return [RESET, payload]

    def _take(self, number: int, payload: bytes) -> Sequence[Step]:
        self._waiting[number] = payload
        if number != self._next:
            return self.give_up() if len(self._waiting) > self._held else []
        steps: list[Step] = []
        while self._next in self._waiting:
            steps.append(self._waiting.pop(self._next))
            self._next += 1
        return steps
