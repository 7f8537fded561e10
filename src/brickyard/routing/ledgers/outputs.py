"""How many tokens a request will generate, guessed from what requests with prompts of its length did lately.

Lengths are counted in powers of two, 1 to 2²⁰ tokens, prompt by output, over a sliding window of 240 s in slices of 10 s. Without
history the guess is ``UNHEARD``.
"""

from __future__ import annotations

import collections
import math
from typing import Final

BUCKETS: Final = 21
WINDOW: Final = 240.0
SLICE: Final = 10.0
UNHEARD: Final = 1

Grid = dict[tuple[int, int], int]


def bucket(tokens: float) -> int:
    """The power of two nearest to ``tokens`` (in logarithms), 0..20."""
    return min(BUCKETS - 1, max(0, round(math.log2(tokens)))) if tokens > 1 else 0


class Outputs:
    """One model's history."""

    def __init__(self) -> None:
        self._counts: Grid = {}
        self._slices: collections.deque[tuple[int, Grid]] = collections.deque()

    def learn(self, prompt_tokens: int, output_tokens: int, now: float) -> None:
        """A request ended."""
        self._expire(now)
        current = int(now // SLICE)
        if not self._slices or self._slices[-1][0] != current:
            self._slices.append((current, {}))
        cell = (bucket(prompt_tokens), bucket(output_tokens))
        grid = self._slices[-1][1]
        grid[cell] = grid.get(cell, 0) + 1
        self._counts[cell] = self._counts.get(cell, 0) + 1

    def draw(self, prompt_tokens: int, chance: float, now: float) -> int:
        """A length by the frequency of lengths; ``chance`` in [0, 1) says which."""
        seen = self._seen(prompt_tokens, now)
        left = chance * sum(count for _, count in seen)
        for length, count in seen:
            left -= count
            if left < 0:
                return length
        return seen[-1][0] if seen else UNHEARD

    def mean(self, prompt_tokens: int, now: float) -> int | None:
        """The mean length; None without history."""
        seen = self._seen(prompt_tokens, now)
        whole = sum(count for _, count in seen)
        return round(sum(length * count for length, count in seen) / whole) if whole else None

    def _seen(self, prompt_tokens: int, now: float) -> list[tuple[int, int]]:
        self._expire(now)
        row, counts = bucket(prompt_tokens), self._counts
        return [(1 << column, counts[row, column]) for column in range(BUCKETS) if (row, column) in counts]

    def _expire(self, now: float) -> None:
        oldest = int((now - WINDOW) // SLICE)
        while self._slices and self._slices[0][0] < oldest:
            for cell, count in self._slices.popleft()[1].items():
                self._counts[cell] -= count
                if not self._counts[cell]:
                    del self._counts[cell]
