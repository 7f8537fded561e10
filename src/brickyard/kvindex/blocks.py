"""Hashes of a prompt's prefixes, cheap enough to be taken of every request.

A **block** ends at a border; its hash is the hash of everything before that border, so that two prompts share a block's hash exactly
when they share the whole prefix. One running hash is read at each border: two C calls a block, whatever its length.

Borders widen with depth: ``FINE`` blocks of the block size, then ``FINE`` of twice that, and so on. A prompt of 400 KB has 209 blocks of
128 bytes and more instead of 3125, and what the widening loses is less than two parts in ``FINE`` of the matched prefix. Up to ``FINE``
blocks the borders are those of the block size alone, as AIBrix sets them.

Hashes are of 63 bits, never 0, and mean something only among hashers of equal seed and block size: replicas that share an index must
be given the same seed.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Final

import xxhash

from brickyard.kvindex import errors

FINE: Final = 32
"""Blocks of one width before it doubles."""
SHORT: Final = 1280
"""Bytes up to which hashing every prefix anew costs less than going on with a running hash: a call each instead of two."""
LONGEST: Final = 1 << 30
"""Bytes after which a prompt is not looked at: far above any request the gateway takes."""
MASK: Final = (1 << 63) - 1

Hashes = Sequence[int]


class Hasher:
    """Hashes prompts by one block size (bytes) and seed (64 bits).

    Raises:
        SizeError: the block size is not positive.
    """

    def __init__(self, block_size: int, seed: int = 0) -> None:
        if block_size < 1:
            raise errors.SizeError(f"a block of {block_size} bytes holds nothing: take at least 1")
        self.block_size = block_size
        self.ends = _borders(block_size)
        """Where blocks end, in bytes, up to ``LONGEST``."""
        self._seed = seed & (2**64 - 1)
        self._salts: dict[str, int] = {}

    def hashes(self, model: str, prompt: bytes | memoryview) -> Hashes:
        """One hash for each full block of ``prompt``, in order; equal prompts of different models share none."""
        view, salt = memoryview(prompt), self._salt(model)
        length = len(view)
        ends = self.ends[: self.count(length)]
        if length <= SHORT:
            digest_of, mask = xxhash.xxh3_64_intdigest, MASK
            return [digest_of(view[:end], salt) & mask or 1 for end in ends]
        running = xxhash.xxh3_64(seed=salt)
        update, digest = running.update, running.intdigest
        found = []
        start = 0
        for end in ends:
            update(view[start:end])
            found.append(digest() & MASK or 1)
            start = end
        return found

    def count(self, length: int) -> int:
        """Full blocks in a prompt of ``length`` bytes."""
        return bisect.bisect_right(self.ends, length)

    def covered(self, blocks: int) -> int:
        """Bytes that the first ``blocks`` blocks hold."""
        return self.ends[blocks - 1] if blocks else 0

    def percent(self, matched: int, blocks: int) -> int:
        """``matched`` of ``blocks`` blocks as whole percent of their bytes, rounded down; 0 of no blocks."""
        return 100 * self.covered(matched) // self.ends[blocks - 1] if blocks else 0

    def _salt(self, model: str) -> int:
        salt = self._salts.get(model)
        if salt is None:
            if len(self._salts) >= 4096:  # names come from clients: they must not pile up
                self._salts.clear()
            salt = self._salts[model] = xxhash.xxh3_64_intdigest(model.encode(), seed=self._seed)
        return salt


def _borders(block_size: int) -> list[int]:
    ends, end, width = [], 0, block_size
    while end < LONGEST:
        for _ in range(FINE):
            end += width
            ends.append(end)
        width *= 2
    return ends
