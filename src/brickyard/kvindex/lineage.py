"""Which token block follows which: the way from a block back to the beginning of its prompt."""

from __future__ import annotations

from collections.abc import Iterable

from brickyard.kvindex import wordmap


class Lineage:
    """Parents and depths of blocks by chained hash. Depth counts blocks: that of a prompt's first is 1."""

    def __init__(self) -> None:
        self._parents = wordmap.WordMap()
        self._depths = wordmap.WordMap()

    def __len__(self) -> int:
        return len(self._depths)

    @property
    def bytes(self) -> int:
        """Bytes of both maps."""
        return self._parents.bytes + self._depths.bytes

    def extend(self, keys: Iterable[int], parent: int, depth: int) -> None:
        """Blocks in a row after ``parent``, which has ``depth``; 0 and 0 where they begin a prompt."""
        for key in keys:
            depth += 1
            self._parents.put(key, parent)
            self._depths.put(key, depth)
            parent = key

    def depth(self, key: int) -> int:
        """0 for the beginning itself and for blocks that are not known."""
        return self._depths.get(key) or 0

    def parent(self, key: int) -> int:
        """0 where there is none or none is known."""
        return self._parents.get(key) or 0

    def drop(self, key: int) -> None:
        """Nobody holds the block."""
        self._parents.pop(key)
        self._depths.pop(key)

    def at(self, key: int, depth: int) -> int:
        """The block of ``depth`` on the way from ``key`` to the beginning, itself included; 0 where the way is not known."""
        while key and self.depth(key) > depth:
            key = self.parent(key)
        return key if self.depth(key) == depth else 0

    def shared(self, one: int, other: int, most: int) -> int:
        """The deepest block that both ways have in common, 0 where they part within ``most`` steps from nothing known."""
        one, other = self._level(one, other), self._level(other, one)
        for _ in range(most):
            if one == other:
                return one
            one, other = self.parent(one), self.parent(other)
            if not one or not other:
                return 0
        return 0

    def _level(self, key: int, beside: int) -> int:
        """``key``, or its ancestor of the depth of ``beside`` where that lies less deep."""
        return self.at(key, min(self.depth(key), self.depth(beside)))
