"""A map from 64-bit words to 64-bit words in two plain arrays: 16 bytes an entry over its load, where a dict of ints takes 120.

Open addressing with linear probing; removal moves followers back, so that no tombstones gather. It grows by doubling and shrinks by
``clear`` only. Words must be spread evenly, as hashes are; the word 0 is no key.
"""

from __future__ import annotations

import array
from collections.abc import Iterator

LEAST = 64
FULL_TENTHS = 6
"""Tenths of the places that may be taken before there are twice as many."""


class WordMap:
    """``get``, ``put``, ``pop`` as a dict has them; keys 1..2^64-1, values 0..2^64-1."""

    def __init__(self) -> None:
        self._used = 0
        self._allocate(LEAST)

    def _allocate(self, places: int) -> None:
        self._keys = array.array("Q", bytes(8 * places))
        self._values = array.array("Q", bytes(8 * places))
        self._mask = places - 1

    def __len__(self) -> int:
        return self._used

    def __iter__(self) -> Iterator[int]:
        return (key for key in self._keys if key)

    @property
    def bytes(self) -> int:
        """Bytes of both arrays."""
        return 16 * len(self._keys)

    def get(self, key: int) -> int | None:
        """The value, None when there is none."""
        place = self._place(key)
        return self._values[place] if self._keys[place] else None

    def put(self, key: int, value: int) -> None:
        """Set the value of ``key``."""
        place = self._place(key)
        if not self._keys[place]:
            if 10 * (self._used + 1) > FULL_TENTHS * len(self._keys):
                self._grow()
                place = self._place(key)
            self._keys[place] = key
            self._used += 1
        self._values[place] = value

    def pop(self, key: int) -> int | None:
        """Remove ``key``; the value that it had."""
        place = self._place(key)
        if not self._keys[place]:
            return None
        value = self._values[place]
        self._close(place)
        self._used -= 1
        return value

    def values(self) -> Iterator[int]:
        """All values, in no order."""
        return (value for key, value in zip(self._keys, self._values, strict=True) if key)

    def clear(self) -> None:
        """Forget everything and give the memory back."""
        self._used = 0
        self._allocate(LEAST)

    def _place(self, key: int) -> int:
        """Where ``key`` stands, or the empty place where it would."""
        keys, mask = self._keys, self._mask
        place = key & mask
        while (there := keys[place]) and there != key:
            place = (place + 1) & mask
        return place

    def _close(self, hole: int) -> None:
        """Empty a place and move back whatever could not be found past the hole."""
        keys, values, mask = self._keys, self._values, self._mask
        place = hole
        while True:
            place = (place + 1) & mask
            if not keys[place]:
                break
            # It may move if its own place does not lie, going round, between the hole and where it stands.
            if (place - (keys[place] & mask)) & mask >= (place - hole) & mask:
                keys[hole], values[hole] = keys[place], values[place]
                hole = place
        keys[hole] = 0

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._allocate(2 * len(keys))
        for key, value in zip(keys, values, strict=True):
            if key:
                place = self._place(key)
                self._keys[place] = key
                self._values[place] = value
