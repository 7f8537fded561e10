"""KV blocks: who holds them, what is in them, which content is found again and which is forgotten first.

A full block is known by a hash of its tokens and of everything before it, so that equal prefixes share blocks and nothing else does.
A block nobody holds is free and keeps its content until it is needed: the least recently released first, and of one sequence the
last block first, since a prefix is of use without what follows and not the other way round.

    held ──release──► free, content known ──acquire (found again)──► held
                                └──allocate (taken for new content)──► held, and the old content is reported as removed
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Final

from brickyard.sim.engine.core import tokens

_ROOT: Final = b"\0" * 8


def root(salt: str = "") -> bytes:
    """What the first block of a sequence has as its parent. Sequences of different ``salt`` (an adapter) share nothing."""
    return hashlib.blake2b(salt.encode(), digest_size=8).digest() if salt else _ROOT


def chain(parent: bytes, block: bytes) -> bytes:
    """The hash, 8 bytes, of a full block after ``parent``."""
    return hashlib.blake2b(block, digest_size=8, key=parent).digest()


def hashes(parent: bytes, sequence: bytes, block_size: int) -> list[bytes]:
    """The hashes of the full blocks of ``sequence``; what is left over has none."""
    width = block_size * tokens.WIDTH
    found: list[bytes] = []
    for at in range(0, len(sequence) - width + 1, width):
        parent = chain(parent, sequence[at : at + width])
        found.append(parent)
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """Blocks whose content can now be found. ``tokens`` are those of all of them, one after another."""

    hashes: tuple[bytes, ...]
    parent: bytes | None
    tokens: bytes
    block_size: int
    adapter: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Removed:
    """Blocks whose content is gone."""

    hashes: tuple[bytes, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Cleared:
    """Nothing can be found any more."""


Event = Stored | Removed | Cleared


class Pool:
    """All blocks of one engine, by number.

    Attributes:
        total: how many there are.
        events: what happened since ``take_events``; empty while ``record`` is False.
    """

    def __init__(self, total: int, *, record: bool = False) -> None:
        self.total = total
        self.record = record
        self.events: list[Event] = []
        self._holders = [0] * total
        self._content: list[bytes | None] = [None] * total
        self._found: dict[bytes, int] = {}
        self._free: collections.OrderedDict[int, None] = collections.OrderedDict.fromkeys(range(total))

    @property
    def free(self) -> int:
        """Blocks that can be allocated."""
        return len(self._free)

    @property
    def usage(self) -> float:
        """Share of blocks somebody holds, 0..1."""
        return 1.0 - len(self._free) / self.total

    @property
    def known(self) -> int:
        """Blocks whose content can be found."""
        return len(self._found)

    def match(self, wanted: Sequence[bytes]) -> int:
        """How many of ``wanted``, from the first on, are there. Changes nothing."""
        found = self._found
        for number, each in enumerate(wanted):
            if each not in found:
                return number
        return len(wanted)

    def acquire(self, wanted: Sequence[bytes]) -> list[int]:
        """Hold the blocks of ``wanted``, which ``match`` has found."""
        held: list[int] = []
        for each in wanted:
            block = self._found[each]
            if self._holders[block] == 0:
                del self._free[block]
            self._holders[block] += 1
            held.append(block)
        return held

    def allocate(self, number: int) -> list[int] | None:
        """``number`` blocks for new content, or None when there are too few; nothing is taken then."""
        if number > len(self._free):
            return None
        taken: list[int] = []
        lost: list[bytes] = []
        for _ in range(number):
            block, _ = self._free.popitem(last=False)
            self._holders[block] = 1
            old = self._content[block]
            if old is not None:
                self._content[block] = None
                del self._found[old]
                lost.append(old)
            taken.append(block)
        if lost and self.record:
            self.events.append(Removed(tuple(lost)))
        return taken

    def seal(self, block: int, content: bytes) -> bool:
        """``block`` is full, its hash is ``content``. False when another block holds the same and is the one to be found."""
        if content in self._found:
            return False
        self._content[block] = content
        self._found[content] = block
        return True

    def release(self, held: Sequence[int]) -> None:
        """Let go of a sequence's blocks, in the order of the sequence."""
        holders = self._holders
        for block in reversed(held):
            holders[block] -= 1
            if holders[block] == 0:
                self._free[block] = None
                if self._content[block] is None:
                    self._free.move_to_end(block, last=False)

    def clear(self) -> None:
        """Forget all content. Blocks that are held stay held."""
        for block in self._found.values():
            self._content[block] = None
        self._found.clear()
        if self.record:
            self.events.append(Cleared())

    def take_events(self) -> tuple[Event, ...]:
        """What happened since the last call, in order."""
        events = tuple(self.events)
        self.events.clear()
        return events

    def validate(self) -> None:
        """Check every invariant.

        Raises:
            AssertionError: one is broken.
        """
        if any(holders < 0 for holders in self._holders):
            raise AssertionError("a block was released more often than held")
        free = {block for block, holders in enumerate(self._holders) if holders == 0}
        if free != set(self._free):
            raise AssertionError("a block is free and held, or neither")
        content = {each: block for block, each in enumerate(self._content) if each is not None}
        if content != self._found:
            raise AssertionError("the index and the blocks disagree on their content")
