"""Which blocks of bytes an engine's blocks of tokens stand for.

A **link** says: whoever holds the token block of this chained hash holds the prompt up to the border of this byte block. Several byte
blocks may hang on one token block. The number of links is bounded; the oldest go first.
"""

from __future__ import annotations

import array
from collections.abc import Iterable

from brickyard.kvindex import wordmap


class Links:
    """Links between hashes of ``blocks`` and chained hashes of ``residency``, ``most`` of them.

    Those of one token block are a list through the map ``_next``: a map of lists would take four times the memory.
    """

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._key = wordmap.WordMap()
        self._first = wordmap.WordMap()
        self._next = wordmap.WordMap()
        self._made = array.array("Q")
        self._turn = 0

    def __len__(self) -> int:
        return len(self._key)

    @property
    def bytes(self) -> int:
        """Bytes of all maps."""
        return self._key.bytes + self._first.bytes + self._next.bytes + 8 * len(self._made)

    def key(self, block: int) -> int | None:
        """The token block that a byte block hangs on."""
        return self._key.get(block)

    def blocks(self, key: int) -> list[int]:
        """The byte blocks that hang on a token block, in no order."""
        return self.all((key,))

    def all(self, keys: Iterable[int]) -> list[int]:
        """The byte blocks that hang on any of some token blocks."""
        found = []
        first, following = self._first.get, self._next.get
        for key in keys if len(self._key) else ():
            block = first(key)
            while block:
                found.append(block)
                block = following(block)
        return found

    def put(self, block: int, key: int) -> None:
        """Hang ``block`` on ``key``, and on nothing else."""
        if self._key.get(block) is None:
            self._age(block)
        else:
            self.drop(block)
        self._key.put(block, key)
        before = self._first.get(key)
        if before:
            self._next.put(block, before)
        self._first.put(key, block)

    def drop(self, block: int) -> None:
        """Forget a byte block's link; one that has none is fine."""
        key = self._key.pop(block)
        if key is None:
            return
        after = self._next.pop(block) or 0
        at = self._first.get(key) or 0
        if at != block:
            while (follows := self._next.get(at) or 0) != block:
                at = follows
            if after:
                self._next.put(at, after)
            else:
                self._next.pop(at)
        elif after:
            self._first.put(key, after)
        else:
            self._first.pop(key)

    def _age(self, block: int) -> None:
        """Note that a link is made, at the cost of the oldest where there are too many."""
        if len(self._made) < self._most:
            self._made.append(block)
            return
        self.drop(self._made[self._turn])
        self._made[self._turn] = block
        self._turn = (self._turn + 1) % self._most
