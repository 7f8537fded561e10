"""Numbers that look like chance and are not: the same request always draws the same, so that a decision can be made again and explained."""

from __future__ import annotations

import zlib


def uniform(request_id: str, salt: int) -> float:
    """A number in [0, 1) for ``salt`` of a request: evenly spread over requests and over salts."""
    state = zlib.crc32(request_id.encode(errors="replace")) | (salt + 1) << 32
    # splitmix64: a checksum alone would give neighbouring salts neighbouring numbers.
    state = (state * 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ state >> 27) * 0x94D049BB133111EB) & _MASK
    return ((state ^ state >> 31) >> 11) / (1 << 53)


_MASK = (1 << 64) - 1
