"""A set-associative table from hashes to sets of endpoints, in plain arrays.

A hash belongs to one set of ``WAYS`` entries, where it is looked for by one C call. A set that is full gives up the entry with
the oldest stamp: LRU among eight, as processors' caches do it. Nothing is moved, so an operation costs the same at any fill, and the
arrays are all the memory there is: 12 bytes an entry and 8 for each 64 endpoints.

Entries are bits of endpoints (see ``slots``), spread over ``planes`` of 64. Whole planes are masked as one integer: Python's own
arithmetic runs over them at memory speed.
"""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Final, Protocol

from brickyard.kvindex import errors

WAYS: Final = 8
PLANE: Final = 64
KEY_BYTES: Final = 12
PLANE_BYTES: Final = 8
_WORD: Final = (1 << PLANE) - 1
STAMP_MAX: Final = (1 << 32) - 1


class Masks(Protocol):
    """What entries hold."""

    def __getitem__(self, entry: int, /) -> int:
        """The bits of an entry."""
        ...


def check(budget: int, planes: int = 1) -> None:
    """Refuse a budget (bytes) that does not hold a single set.

    Raises:
        SizeError: naming the least that would do.
    """
    least = WAYS * (KEY_BYTES + planes * PLANE_BYTES)
    if budget < least:
        raise errors.SizeError(f"an index of {budget} bytes holds nothing: take at least {least}")


class Table:
    """Entries in sets: ``sets`` masks a hash to the number of its set.

    At least ``entries`` entries, rounded up to a power of two, unless that passes ``budget`` (bytes), which is kept whatever comes.

    With every 64 endpoints more a plane is added; where the budget forbids it, the table starts again with half the entries.

    Raises:
        SizeError: the budget does not hold a single set.
    """

    def __init__(self, entries: int, budget: int) -> None:
        self._budget = budget
        self._entries = WAYS
        while self._entries < entries:
            self._entries *= 2
        self._make(1)

    def _make(self, planes: int) -> None:
        check(self._budget, planes)
        while self._entries * (KEY_BYTES + planes * PLANE_BYTES) > self._budget:
            self._entries //= 2
        self.sets = self._entries // WAYS - 1
        self.keys = _zeros("Q", self._entries)
        self.stamps = _zeros("I", self._entries)
        self.planes = [_zeros("Q", self._entries) for _ in range(planes)]

    @property
    def entries(self) -> int:
        """Entries there is room for."""
        return self._entries

    @property
    def bytes(self) -> int:
        """Bytes of all arrays."""
        return self._entries * (KEY_BYTES + len(self.planes) * PLANE_BYTES)

    def used(self) -> int:
        """Entries that hold something, expired or not. Looks at all of them."""
        return self._entries - self.keys.count(0)

    def widen(self, slots: int) -> None:
        """Make room for bits below ``slots``. What was in the table may be lost, where the budget asks for fewer entries."""
        planes = -(-slots // PLANE)
        if planes <= len(self.planes):
            return
        if self._entries * (KEY_BYTES + planes * PLANE_BYTES) > self._budget:
            self._make(planes)
        else:
            self.planes += [_zeros("Q", self._entries) for _ in range(planes - len(self.planes))]

    def find(self, key: int) -> int:
        """The entry of ``key``, -1 when there is none."""
        base = (key & self.sets) * WAYS
        try:
            return self.keys.index(key, base, base + WAYS)
        except ValueError:
            return -1

    def claim(self, key: int, stamp: int) -> int:
        """A new entry for a key that has none, without bits, at the cost of its set's oldest."""
        base = (key & self.sets) * WAYS
        ages = self.stamps[base : base + WAYS]
        entry = base + ages.index(min(ages))
        self.keys[entry] = key
        self.stamps[entry] = stamp
        for plane in self.planes:
            plane[entry] = 0
        return entry

    def full(self, key: int) -> bool:
        """Whether a new entry for ``key`` would cost another one."""
        base = (key & self.sets) * WAYS
        return 0 not in self.keys[base : base + WAYS]

    def get(self, entry: int) -> int:
        """The bits of an entry."""
        planes = self.planes
        mask = planes[0][entry]
        for number in range(1, len(planes)):
            mask |= planes[number][entry] << number * PLANE
        return mask

    def masks(self) -> Masks:
        """Entry → its bits, as cheap as it can be had; good until the next ``widen`` or ``clear_bits``."""
        return self.planes[0] if len(self.planes) == 1 else _Wide(self)

    def put(self, entry: int, mask: int) -> None:
        """Set the bits of an entry."""
        for plane in self.planes:
            plane[entry] = mask & _WORD
            mask >>= PLANE

    def writer(self) -> Callable[[int, int], None]:
        """``put`` as cheap as it can be had, for bits that the table is wide enough for; good as long as ``masks``."""
        return self.planes[0].__setitem__ if len(self.planes) == 1 else self.put

    def drop(self, entry: int) -> None:
        """Empty an entry."""
        self.keys[entry] = 0
        self.stamps[entry] = 0
        for plane in self.planes:
            plane[entry] = 0

    def clear_bits(self, mask: int) -> None:
        """Take the bits of ``mask`` out of all entries. Those that are left without any stay as empty sets until they are pushed out."""
        for number, plane in enumerate(self.planes):
            word = mask >> number * PLANE & _WORD
            if word:
                self.planes[number] = _without(plane, word)


class _Wide:
    """The bits of entries that lie in several planes."""

    __slots__ = ("_table",)

    def __init__(self, table: Table) -> None:
        self._table = table

    def __getitem__(self, entry: int, /) -> int:
        return self._table.get(entry)


def _zeros(kind: str, count: int) -> array.array[int]:
    return array.array(kind, bytes(array.array(kind).itemsize * count))


def _without(plane: array.array[int], word: int) -> array.array[int]:
    length = len(plane) * plane.itemsize
    keep = int.from_bytes(array.array("Q", [_WORD & ~word]).tobytes() * len(plane), "little")
    masked = int.from_bytes(plane.tobytes(), "little") & keep
    return array.array("Q", masked.to_bytes(length, "little"))
