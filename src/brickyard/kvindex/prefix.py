"""Where prompts went: the prefix index that needs nothing from engines.

Whoever answered a prompt holds its prefix in its cache, most likely and for a while. ``add`` notes it, ``match`` says for each endpoint
how many of a new prompt's blocks in a row from the first it has been sent. Looking does not refresh; only sending does.

An entry lives for the time to live after it was last sent to anyone, or until its set is full of newer ones. An endpoint that leaves is
out of all answers at once; its bits are swept out together with others' when their slots are needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from brickyard.kvindex import blocks, settings, slots, table

WAYS = table.WAYS
TICK = 1.0 / 8
"""Seconds in one unit of the entries' stamps: 2^32 of them are 17 years."""
GRAIN = 16
"""The part of the time to live for which ``renew`` takes an entry for fresh."""
ASKED_KEPT = 256
"""Sets of endpoints whose bits are remembered: one for each model, as a rule."""
_NOTHING: tuple[blocks.Hashes, list[int], int, int] = ((), [], 0, 0)
_AT_ONCE = 4096
"""Entries that ``recent`` looks at in one step: a millisecond or two."""


@dataclasses.dataclass(frozen=True, slots=True)
class Holding:
    """An endpoint, and hashes of blocks that it was sent ``age`` seconds ago, at most."""

    endpoint: str
    age: float
    hashes: blocks.Hashes


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
        self._asked: dict[int, tuple[Iterable[str], int, int]] = {}
        self._latest = _NOTHING

    def _stamp(self, now: float) -> int:
        """``now`` as entries are stamped; never below 1 + the time to live, so that an empty entry is always too old."""
        if self._origin is None:
            self._origin = now
        return min(table.STAMP_MAX, max(0, int((now - self._origin) / TICK)) + self._ttl + 1)

    def match(self, hashes: blocks.Hashes, endpoints: Iterable[str], now: float) -> Mapping[str, int]:
        """Blocks in a row from the first that each endpoint was sent; endpoints that have none are absent."""
        remaining = self._mask(endpoints)
        matched: dict[str, int] = {}
        if not remaining:
            return matched
        held, stamp = self._table, self._stamp(now)
        # This loop and the one of ``add`` run for every block of every request: ``find`` and ``claim`` stand in them word by word.
        index, sets, ways, stamps, masks = held.keys.index, held.sets, WAYS, held.stamps, held.masks()
        oldest, entries = stamp - self._ttl, list[int]()
        found = entries.append
        for key in hashes:
            base = (key & sets) * ways
            try:
                entry = index(key, base, base + ways)
            except ValueError:
                break
            if stamps[entry] < oldest:
                break
            here = masks[entry] & remaining
            if here != remaining:
                if entries:
                    self._note(matched, remaining & ~here, len(entries))
                remaining = here
                if not here:
                    break
            found(entry)
        if entries and remaining:
            self._note(matched, remaining, len(entries))
        self._latest = (hashes, entries, remaining, stamp)
        return matched

    def _mask(self, endpoints: Iterable[str]) -> int:
        """The bits of ``endpoints``; those of a tuple, which is asked about again and again, are remembered."""
        if not isinstance(endpoints, tuple):
            return self._slots.mask(endpoints)
        known = self._asked.get(id(endpoints))
        if known is not None and known[0] is endpoints and known[1] == self._slots.changes:
            return known[2]
        if len(self._asked) >= ASKED_KEPT:
            self._asked.clear()
        mask = self._slots.mask(endpoints)
        self._asked[id(endpoints)] = (endpoints, self._slots.changes, mask)
        return mask

    def _note(self, matched: dict[str, int], mask: int, depth: int) -> None:
        name = self._slots.name
        if not mask & (mask - 1):
            matched[name(mask.bit_length() - 1)] = depth
            return
        for slot in slots.bits(mask):
            matched[name(slot)] = depth

    def add(self, hashes: blocks.Hashes, endpoint: str, now: float) -> None:
        """Note that ``endpoint`` is sent the prompt of these blocks. One that the index does not know joins."""
        slot = self._slot(endpoint)
        stamp, bit, live = self._stamp(now), 1 << slot, self._slots.live
        held = self._table
        stamps, masks, put = held.stamps, held.masks(), held.writer()
        (asked, entries, holders, when), self._latest = self._latest, _NOTHING
        if asked is hashes and when == stamp:
            # As a rule the question came just before: what it found stands where it stood, and is as fresh.
            if not holders & bit:
                for entry in entries:
                    put(entry, masks[entry] & live | bit)
            for entry in entries:
                stamps[entry] = stamp
            if len(entries) == len(hashes):
                return
            hashes = hashes[len(entries) :]
        keys, sets, ways, oldest = held.keys, held.sets, WAYS, stamp - self._ttl
        for key in hashes:
            base = (key & sets) * ways
            row = keys[base : base + ways]
            if key not in row:  # most of these are new: looking twice for the others costs less than an error for each
                ages = stamps[base : base + ways]
                entry = base + ages.index(min(ages))
                keys[entry] = key
                stamps[entry] = stamp
                put(entry, bit)
                continue
            entry = base + row.index(key)
            # What expired is not brought back by someone else's sending, nor is what left.
            before = masks[entry] & live if stamps[entry] >= oldest else 0
            if before != bit:
                put(entry, before | bit)
            stamps[entry] = stamp

    def renew(self, hashes: blocks.Hashes, endpoint: str, now: float) -> int:
        """``add``, except for the first blocks that the endpoint was sent within a sixteenth of the time to live; how many those are.

        What is left to ``add`` is what others have to be told, if they are told all of it: a block that is sent again and again is
        told, and stamped, once per sixteenth.
        """
        depth = self._fresh(hashes, endpoint, now)
        if depth < len(hashes):
            self.add(hashes[depth:] if depth else hashes, endpoint, now)
        return depth

    def _fresh(self, hashes: blocks.Hashes, endpoint: str, now: float) -> int:
        bit, held, depth = self._slots.mask((endpoint,)), self._table, 0
        if not bit:
            return 0
        oldest = self._stamp(now) - max(1, self._ttl // GRAIN)
        index, sets, stamps, masks = held.keys.index, held.sets, held.stamps, held.masks()
        for key in hashes:
            base = (key & sets) * WAYS
            try:
                entry = index(key, base, base + WAYS)
            except ValueError:
                break
            if stamps[entry] < oldest or not masks[entry] & bit:
                break
            depth += 1
        return depth

    def drop(self, hashes: blocks.Hashes, endpoint: str) -> None:
        """``endpoint`` holds these blocks no more, as its engine says. Others that were sent them may."""
        bit, held = self._slots.mask((endpoint,)), self._table
        self._latest = _NOTHING
        for key in hashes if bit else ():
            entry = held.find(key)
            if entry < 0:
                continue
            left = held.get(entry) & ~bit
            if left:
                held.put(entry, left)
            else:
                held.drop(entry)

    def correct(self, held: Iterable[tuple[int, Iterable[str]]], among: Iterable[str], now: float) -> None:
        """Of the endpoints ``among`` only those that stand beside a block hold it; what is noted of others stays."""
        self._latest = _NOTHING
        for endpoint in among:
            self._slot(endpoint)
        told, stamp, kept = self._slots.mask(among), self._stamp(now), self._table
        for key, holders in held:
            holding = self._slots.mask(holders) & told
            entry = kept.find(key)
            if entry < 0:
                if holding:
                    kept.put(kept.claim(key, stamp), holding)
                continue
            fresh = kept.stamps[entry] >= stamp - self._ttl
            left = holding | (kept.get(entry) & self._slots.live & ~told if fresh else 0)
            if left:
                kept.put(entry, left)
                kept.stamps[entry] = stamp if holding else kept.stamps[entry]
            else:
                kept.drop(entry)

    def absorb(self, hashes: blocks.Hashes, endpoint: str, now: float, age: float) -> None:
        """Note what another gateway sent ``age`` seconds ago. What is known to be newer stays so."""
        if not age <= self._ttl * TICK:  # too old, or not a number
            return
        slot = self._slot(endpoint)
        self._latest = _NOTHING
        newest = self._stamp(now)
        stamp, oldest = newest - max(0, int(age / TICK)), newest - self._ttl
        bit, live, held = 1 << slot, self._slots.live, self._table
        for key in hashes:
            entry = held.find(key)
            if entry < 0:
                held.put(held.claim(key, stamp), bit)
                continue
            fresh = held.stamps[entry] >= oldest
            held.put(entry, (held.get(entry) & live if fresh else 0) | bit)
            held.stamps[entry] = max(held.stamps[entry], stamp)

    def recent(self, since: float, now: float) -> Iterator[list[Holding]]:
        """What was sent within the last ``since`` seconds, in pieces: nothing else needs to wait for the whole of it.

        Between two pieces the index may change; what changes then may be in or not.
        """
        start = 0
        while start < self._table.entries:
            newest = self._stamp(now)
            oldest = newest - min(self._ttl, int(min(since, self._ttl * TICK) / TICK))
            yield self._holdings(start, min(start + _AT_ONCE, self._table.entries), oldest, newest)
            start += _AT_ONCE

    def _holdings(self, start: int, stop: int, oldest: int, newest: int) -> list[Holding]:
        grain, held, live = max(1, self._ttl // GRAIN), self._table, self._slots.live
        groups: dict[tuple[int, int], list[int]] = {}
        for entry in range(start, stop):
            stamp = held.stamps[entry]
            mask = held.get(entry) & live if stamp >= oldest else 0
            if mask:
                groups.setdefault((mask, (newest - stamp) // grain), []).append(held.keys[entry])
        return [
            Holding(self._slots.name(slot), (step + 1) * grain * TICK, keys)
            for (mask, step), keys in groups.items()
            for slot in slots.bits(mask)
        ]

    def join(self, endpoint: str) -> None:
        """An endpoint is there. Not needed before ``add``."""
        self._slot(endpoint)

    def remove(self, endpoint: str) -> None:
        """An endpoint is gone, and so is its cache: one of the same name that comes later starts empty."""
        self._slots.leave(endpoint)

    def _slot(self, endpoint: str) -> int:
        slot = self._slots.slot(endpoint)
        if slot is not None:
            return slot
        self._latest = _NOTHING
        if not self._slots.free and self._slots.width % table.PLANE == 0:
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
