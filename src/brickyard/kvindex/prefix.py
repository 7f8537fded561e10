"""Where prompts went: the prefix index that needs nothing from engines.

Whoever answered a prompt holds its prefix in its cache, most likely and for a while. ``add`` notes it, ``match`` says for each endpoint
how many of a new prompt's blocks in a row from the first it has been sent. Looking does not refresh; only sending does.

An entry lives for the time to live after it was last sent to anyone, or until its set is full of newer ones. An endpoint that leaves is
out of all answers at once; its bits are swept out together with others' when their slots are needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from brickyard.kvindex import blocks, settings, slots, table

WAYS = table.WAYS
TICK = 1.0 / 8
"""Seconds in one unit of the entries' stamps: 2^32 of them are 17 years."""


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """What the index holds. ``used`` counts expired entries that nobody has pushed out yet."""

    entries: int
    used: int
    endpoints: int
    bytes: int


def check(given: settings.PrefixSettings) -> None:
    """Refuse settings that leave no room for an index, without making one.

    Raises:
        SizeError: naming the least that would do.
    """
    table.check(given.budget)


class PrefixIndex:
    """The prompts of one gateway and those it heard of from others.

    ``now`` is in seconds of a clock that does not go back; the first call sets its origin.

    Raises:
        SizeError: the budget holds nothing.
    """

    def __init__(self, given: settings.PrefixSettings) -> None:
        self._table = table.Table(given.block_number, given.budget)
        self._slots = slots.Slots()
        self._ttl = max(1, int(given.ttl / TICK))
        self._origin: float | None = None

    def _stamp(self, now: float) -> int:
        """``now`` as entries are stamped; never below 1 + the time to live, so that an empty entry is always too old."""
        if self._origin is None:
            self._origin = now
        return min(table.STAMP_MAX, max(0, int((now - self._origin) / TICK)) + self._ttl + 1)

    def match(self, hashes: blocks.Hashes, endpoints: Iterable[str], now: float) -> Mapping[str, int]:
        """Blocks in a row from the first that each endpoint was sent; endpoints that have none are absent."""
        remaining = self._slots.mask(endpoints)
        matched: dict[str, int] = {}
        if not remaining:
            return matched
        held, depth, oldest = self._table, 0, self._stamp(now) - self._ttl
        # This loop and the one of ``add`` run for every block of every request: ``find`` stands in them word by word.
        index, sets, stamps, get = held.keys.index, held.sets, held.stamps, held.getter()
        for key in hashes:
            base = (key & sets) * WAYS
            try:
                entry = index(key, base, base + WAYS)
            except ValueError:
                break
            if stamps[entry] < oldest:
                break
            here = get(entry) & remaining
            if here != remaining:
                if depth:
                    self._note(matched, remaining & ~here, depth)
                remaining = here
                if not here:
                    break
            depth += 1
        if depth:
            self._note(matched, remaining, depth)
        return matched

    def _note(self, matched: dict[str, int], mask: int, depth: int) -> None:
        for slot in slots.bits(mask):
            matched[self._slots.name(slot)] = depth

    def add(self, hashes: blocks.Hashes, endpoint: str, now: float) -> None:
        """Note that ``endpoint`` is sent the prompt of these blocks. One that the index does not know joins."""
        slot = self._slot(endpoint)
        stamp, bit, live = self._stamp(now), 1 << slot, self._slots.live
        oldest = stamp - self._ttl
        held = self._table
        index, sets, stamps, get, put = held.keys.index, held.sets, held.stamps, held.getter(), held.put
        for key in hashes:
            base = (key & sets) * WAYS
            try:
                entry = index(key, base, base + WAYS)
            except ValueError:
                put(held.claim(key, stamp), bit)
                continue
            # What expired is not brought back by someone else's sending, nor is what left.
            before = get(entry) & live if stamps[entry] >= oldest else 0
            if before != bit:
                put(entry, before | bit)
            stamps[entry] = stamp

    def join(self, endpoint: str) -> None:
        """An endpoint is there. Not needed before ``add``."""
        self._slot(endpoint)

    def remove(self, endpoint: str) -> None:
        """An endpoint is gone, and so is its cache: one of the same name that comes later starts empty."""
        self._slots.leave(endpoint)

    def _slot(self, endpoint: str) -> int:
        if endpoint not in self._slots and not self._slots.free and self._slots.width % table.PLANE == 0:
            self._sweep()
        slot = self._slots.join(endpoint)
        self._table.widen(self._slots.width)
        return slot

    def _sweep(self) -> None:
        if self._slots.dead:
            self._table.clear_bits(self._slots.dead)
            self._slots.recycle()

    @property
    def endpoints(self) -> list[str]:
        """Those that joined and are not gone."""
        return self._slots.names()

    def size(self) -> Size:
        """What is held now. Looks at every entry: for a metrics page, not for a request."""
        held = self._table
        return Size(held.entries, held.used(), len(self._slots), held.bytes)
