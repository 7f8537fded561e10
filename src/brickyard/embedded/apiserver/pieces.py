"""Cutting long answers into pieces, so that no list or watch holds the loop or the memory for long. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

MOST = 250
"""Objects per piece: about a millisecond of work where they are sent as they are, ten where they become rows of a Table."""
LARGEST = 512 * 1024
"""Bytes per piece; one object may be larger by itself."""


def cut(found: Sequence[T], size: Callable[[T], int]) -> Iterator[Sequence[T]]:
    """``found`` in order, in pieces of at most ``MOST`` objects and about ``LARGEST`` bytes; none is empty."""
    start = total = 0
    for index, each in enumerate(found):
        total += size(each)
        if total >= LARGEST or index - start + 1 >= MOST:
            yield found[start : index + 1]
            start, total = index + 1, 0
    if start < len(found):
        yield found[start:]
