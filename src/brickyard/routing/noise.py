"""Numbers that look like chance and are not: the same request always draws the same, so that a decision can be made again and explained."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable


def uniform(request_id: str, salt: int) -> float:
    """A number in [0, 1) for ``salt`` of a request: evenly spread over requests and over salts."""
    return spread(request_id, (salt,))[0]


def spread(request_id: str, salts: Iterable[int]) -> list[float]:
    """``uniform`` for many salts of one request."""
    seed = zlib.crc32(request_id.encode(errors="replace"))
    numbers = []
    for salt in salts:
        # splitmix64: a checksum alone would give neighbouring salts neighbouring numbers.
        state = ((seed | (salt + 1) << 32) * 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ state >> 27) * 0x94D049BB133111EB) & _MASK
        numbers.append(((state ^ state >> 31) >> 11) / _STEPS)
    return numbers


def row(request_id: str, count: int) -> list[float]:
    """``count`` numbers in [0, 1) of one request, the first of which are those of a smaller count: quicker than so many salts."""
    drawn = hashlib.shake_128(request_id.encode(errors="replace")).digest(8 * count)
    return [(each >> 11) / _STEPS for each in struct.unpack(f"<{count}Q", drawn)]


_MASK = (1 << 64) - 1
_STEPS = 1 << 53
