"""What this gateway has not told the others yet.

Counts are compared with what was told last, once per turn and not per request. Blocks wait in a line that has a bound; of more, the
oldest are dropped, since whoever misses them only guesses worse. Pure.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

MOST_WAITING: Final = 65536
"""Hashes that wait for the next turn, about half a megabyte."""
MOST_TOLD: Final = 32768
"""Hashes of one message: a quarter of a megabyte."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """``endpoint`` was sent the blocks of ``hashes`` at ``at``."""

    endpoint: str
    hashes: Sequence[int]
    at: float


class Telling:
    """Changes between two turns. ``dropped`` counts hashes that had to go untold."""

    def __init__(self) -> None:
        self.dropped = 0
        self._told: Mapping[str, int] = {}
        self._line: collections.deque[Sent] = collections.deque()
        self._waiting = 0

    def sent(self, endpoint: str, hashes: Sequence[int], at: float) -> None:
        """A prompt went to an endpoint."""
        self._line.append(Sent(endpoint, hashes, at))
        self._waiting += len(hashes)
        while self._waiting > MOST_WAITING:
            oldest = self._line.popleft()
            self._waiting -= len(oldest.hashes)
            self.dropped += len(oldest.hashes)

    def counts(self, now_open: Mapping[str, int]) -> dict[str, int]:
        """What differs from what was told last; ``now_open`` counts as told from now on. It is kept and must not change."""
        told, self._told = self._told, now_open
        if told == now_open:
            return {}
        changed = {key: count for key, count in now_open.items() if told.get(key) != count}
        changed |= {key: 0 for key in told if key not in now_open}
        return changed

    def blocks(self) -> list[Sent]:
        """The next ones that wait, as many as fit a message; they count as told."""
        taken: list[Sent] = []
        room = MOST_TOLD
        while self._line and (not taken or len(self._line[0].hashes) <= room):
            each = self._line.popleft()
            self._waiting -= len(each.hashes)
            room -= len(each.hashes)
            taken.append(each)
        return taken

    def forget(self) -> None:
        """Nobody hears: what waits will be asked for."""
        self._line.clear()
        self._waiting = 0
