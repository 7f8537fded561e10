"""What engines say they hold: the prefix index for those who publish KV events.

Engines name blocks by hashes of their own, which differ from engine to engine. What all share are the tokens: a block's **chained
hash** is that of its tokens and of the chained hash before it, its chain begins with model and adapter. ``Residency`` keeps for each
endpoint which chained hash an engine's name stands for, and which endpoints hold a chained hash.

What an engine says it dropped is dropped for that engine alone. A block whose parent nobody knows is held for unknown, with all that
follows it: a guess would send prompts where their prefix is not. An engine whose messages were lost is cleared (see ``events``).

A match may miss what the table had no room for; it never reports what an engine told it does not hold any more.

Whoever wants to follow what changes (see ``learning``) is told block by block, by chained hash: a ``Watch``.
"""

from __future__ import annotations

import array
import dataclasses
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import xxhash

from brickyard.engines import contract as engines
from brickyard.kvindex import blocks, slots, table, wordmap

WORD: Final = 4
"""Bytes of a token in a hash."""
DEVICE: Final = "gpu"
"""What engines call the memory that a cached prefix is used from, in small letters."""
_WORDS: Final = (1 << 64) - 1


class Chain:
    """Chained hashes of one model's token blocks. ``seed`` is any number that all who compare hashes share."""

    def __init__(self, model: str, seed: int = 0) -> None:
        self._model = model
        self._seed = seed & _WORDS
        self._roots: dict[str, int] = {}

    def root(self, adapter: str) -> int:
        """What the first block of a prompt is chained to."""
        root = self._roots.get(adapter)
        if root is None:
            if len(self._roots) >= 4096:  # names of adapters come from outside
                self._roots.clear()
            text = f"{self._model}\0{adapter}".encode()
            root = self._roots[adapter] = xxhash.xxh3_64_intdigest(text, seed=self._seed) & blocks.MASK or 1
        return root

    def hashes(self, tokens: Sequence[int], block_size: int, adapter: str = "") -> list[int]:
        """The chained hash of each full block of a prompt's tokens."""
        return self.extend(self.root(adapter), tokens, block_size)

    def extend(self, parent: int, tokens: Sequence[int], block_size: int) -> list[int]:
        """The same for blocks that follow the block of chained hash ``parent``."""
        data = memoryview(_packed(tokens))
        step, seed, digest = block_size * WORD, self._seed, xxhash.xxh3_64_intdigest
        found = []
        for start in range(0, len(data) - step + 1, step):
            parent = digest(parent.to_bytes(8, "big") + data[start : start + step], seed=seed) & blocks.MASK or 1
            found.append(parent)
        return found


def _packed(tokens: Sequence[int]) -> bytes:
    """Tokens as 4 bytes each, in the same order of bytes on every machine."""
    words = array.array("I", tokens)
    if sys.byteorder == "little":
        words.byteswap()
    return words.tobytes()


class Watch(Protocol):
    """Hears what engines told, once it is understood. All keys are chained hashes."""

    def stored(self, endpoint: str, parent: int, keys: Sequence[int]) -> None:
        """Blocks in a row, the first after the block ``parent``; 0: they begin a prompt."""
        ...

    def dropped(self, endpoint: str, key: int, *, last: bool) -> None:
        """The endpoint holds a block no more; ``last``: nobody else is known to."""
        ...


@dataclasses.dataclass(slots=True)
class Counts:
    """What came, for whoever shows it.

    Attributes:
        stored: blocks taken in. removed: blocks dropped again.
        orphans: blocks whose parent was unknown, so that they were not taken in.
        odd: blocks of an event whose tokens do not fill its hashes.
        displaced: blocks that the table had no room for.
        elsewhere: blocks in other memory than the device's, stored or removed.
    """

    stored: int = 0
    removed: int = 0
    orphans: int = 0
    odd: int = 0
    displaced: int = 0
    elsewhere: int = 0


class Residency:
    """Which endpoints of one model hold which blocks. ``entries`` and ``budget`` (bytes) bound the table as ``table.Table`` says.

    Each endpoint's own names take 27 to 54 bytes a block beside it, bounded by what an engine's memory holds.
    """

    def __init__(self, chain: Chain, entries: int, budget: int, watch: Watch | None = None) -> None:
        self.counts = Counts()
        self._watch = watch
        self._chain = chain
        self._table = table.Table(entries, budget)
        self._slots = slots.Slots()
        self._names: dict[str, wordmap.WordMap] = {}
        self._sizes: dict[str, int] = {}
        self._turn = 0

    def take(self, endpoint: str, events: Iterable[engines.KvEvent]) -> None:
        """What an engine told, in its order. Blocks in slower memory than the device's are not followed."""
        for event in events:
            match event:
                case engines.BlocksCleared():
                    self.clear(endpoint)
                case _ if event.medium and event.medium.lower() != DEVICE:
                    self.counts.elsewhere += len(event.hashes)
                case engines.BlocksStored():
                    self._store(endpoint, event)
                case engines.BlocksRemoved():
                    self._remove(endpoint, event.hashes)

    def match(self, hashes: Sequence[int], endpoints: Iterable[str]) -> Mapping[str, int]:
        """Blocks in a row from the first that each endpoint holds; endpoints that hold none are absent. ``hashes`` are chained."""
        remaining = self._slots.mask(endpoints)
        matched: dict[str, int] = {}
        depth = 0
        for key in hashes:
            entry = self._table.find(key) if remaining else -1
            here = self._table.get(entry) & remaining if entry >= 0 else 0
            self._note(matched, remaining & ~here, depth)
            remaining = here
            if not here:
                break
            depth += 1
        self._note(matched, remaining, depth)
        return matched

    def _note(self, matched: dict[str, int], mask: int, depth: int) -> None:
        if depth:
            for slot in slots.bits(mask):
                matched[self._slots.name(slot)] = depth

    def block_size(self, endpoint: str) -> int:
        """Tokens in a block, as the endpoint's last event said; 0 when it never did."""
        return self._sizes.get(endpoint, 0)

    def held(self, endpoint: str) -> int:
        """Blocks that an endpoint holds, as far as is known."""
        names = self._names.get(endpoint)
        return 0 if names is None else len(names)

    def holders(self, key: int) -> list[str]:
        """Endpoints that hold the block of a chained hash."""
        entry = self._table.find(key)
        return [] if entry < 0 else [self._slots.name(slot) for slot in slots.bits(self._table.get(entry))]

    @property
    def bytes(self) -> int:
        """Bytes of the table and of all names."""
        return self._table.bytes + sum(names.bytes for names in self._names.values())

    def clear(self, endpoint: str) -> None:
        """The endpoint holds nothing, or nothing that is known."""
        names = self._names.get(endpoint)
        if names is None or not len(names):
            return
        bit = self._slots.mask([endpoint])
        for key in names.values():
            self._take_bit(endpoint, key, bit)
        names.clear()

    def remove(self, endpoint: str) -> None:
        """The endpoint is gone. As long as it takes to go through what it held."""
        self.clear(endpoint)
        self._names.pop(endpoint, None)
        self._sizes.pop(endpoint, None)
        if self._slots.leave(endpoint) is not None:
            self._slots.recycle()

    def _store(self, endpoint: str, event: engines.BlocksStored) -> None:
        if len(event.tokens) != len(event.hashes) * event.block_size:
            self.counts.odd += len(event.hashes)
            return
        names = self._joined(endpoint)
        self._sizes[endpoint] = event.block_size
        parent = self._chain.root(event.adapter) if event.parent is None else names.get(event.parent or 1)
        if parent is None:
            self.counts.orphans += len(event.hashes)
            return
        bit = self._slots.mask([endpoint])
        chained = self._chain.extend(parent, event.tokens, event.block_size)
        for name, key in zip(event.hashes, chained, strict=True):
            self._forget(endpoint, name or 1, bit, unless=key)
            names.put(name or 1, key)
            self._give_bit(key, bit)
        self.counts.stored += len(chained)
        if self._watch is not None:
            self._watch.stored(endpoint, 0 if event.parent is None else parent, chained)

    def _joined(self, endpoint: str) -> wordmap.WordMap:
        names = self._names.get(endpoint)
        if names is None:
            names = self._names[endpoint] = wordmap.WordMap()
            self._slots.join(endpoint)
            self._table.widen(self._slots.width)
        return names

    def _remove(self, endpoint: str, hashes: Sequence[int]) -> None:
        names = self._names.get(endpoint)
        if names is None:
            return
        bit = self._slots.mask([endpoint])
        for name in hashes:
            self.counts.removed += self._forget(endpoint, name or 1, bit)

    def _forget(self, endpoint: str, name: int, bit: int, unless: int = 0) -> bool:
        """Drop what ``name`` stood for, unless that is the same block again; whether something was dropped."""
        names = self._names[endpoint]
        key = names.get(name)
        if key is None or key == unless:
            return False
        names.pop(name)
        self._take_bit(endpoint, key, bit)
        return True

    def _give_bit(self, key: int, bit: int) -> None:
        entry = self._table.find(key)
        self._turn = min(table.STAMP_MAX, self._turn + 1)
        if entry < 0:
            full = self._table.full(key)
            entry = self._table.claim(key, self._turn)
            self.counts.displaced += full
        self._table.stamps[entry] = self._turn
        self._table.put(entry, self._table.get(entry) | bit)

    def _take_bit(self, endpoint: str, key: int, bit: int) -> None:
        entry, left = self._table.find(key), 0
        if entry >= 0:
            left = self._table.get(entry) & ~bit
            if left:
                self._table.put(entry, left)
            else:
                self._table.drop(entry)
        if self._watch is not None:
            self._watch.dropped(endpoint, key, last=not left)
