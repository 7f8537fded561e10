"""Endpoints as bits.

Each endpoint that joins gets a slot, the lowest free one, and keeps it until it leaves. The bit of an endpoint that left may still stand
in tables: it is ``dead``, masked out of every answer at once, and its slot is given away again only after ``recycle``, which whoever
owns the tables calls when no dead bit stands in them any more.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable


class Slots:
    """Numbers endpoints. ``live`` has the bits of those that are here."""

    def __init__(self) -> None:
        self.live = 0
        self.dead = 0
        self.changes = 0
        """Grows with every endpoint that joins or leaves: what was worked out of them holds as long as it stays."""
        self._slots: dict[str, int] = {}
        self._names: list[str] = []
        self._free: list[int] = []

    def __contains__(self, endpoint: str) -> bool:
        return endpoint in self._slots

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def width(self) -> int:
        """Slots ever given: one more than the highest."""
        return len(self._names)

    @property
    def free(self) -> int:
        """Slots that can be given without a higher one."""
        return len(self._free)

    def slot(self, endpoint: str) -> int | None:
        """The endpoint's slot, None if it has none."""
        return self._slots.get(endpoint)

    def join(self, endpoint: str) -> int:
        """The endpoint's slot, a new one if it has none."""
        slot = self._slots.get(endpoint)
        if slot is None:
            if self._free:
                slot = heapq.heappop(self._free)
                self._names[slot] = endpoint
            else:
                slot = len(self._names)
                self._names.append(endpoint)
            self._slots[endpoint] = slot
            self.live |= 1 << slot
            self.changes += 1
        return slot

    def leave(self, endpoint: str) -> int | None:
        """Forget an endpoint; the slot that it had, None if it had none."""
        slot = self._slots.pop(endpoint, None)
        if slot is not None:
            self.live &= ~(1 << slot)
            self.dead |= 1 << slot
            self.changes += 1
        return slot

    def recycle(self) -> None:
        """No dead bit stands anywhere: their slots may be given again."""
        for slot in bits(self.dead):
            heapq.heappush(self._free, slot)
        self.dead = 0

    def mask(self, endpoints: Iterable[str]) -> int:
        """The bits of those among ``endpoints`` that are here."""
        mask = 0
        slots = self._slots
        for endpoint in endpoints:
            slot = slots.get(endpoint)
            if slot is not None:
                mask |= 1 << slot
        return mask

    def name(self, slot: int) -> str:
        """The endpoint of a slot."""
        return self._names[slot]

    def names(self) -> list[str]:
        """Those that are here, in no order."""
        return list(self._slots)


def bits(mask: int) -> Iterable[int]:
    """The positions of the bits that are set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
