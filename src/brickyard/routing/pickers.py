"""How one row is chosen once every row has its total."""

from __future__ import annotations

from collections.abc import Sequence

from brickyard.routing import contract

TIE = 1e-9
"""Totals closer than this are equal: sums of weighted floats differ in their last bits by the order of summing alone."""


def least(numbers: Sequence[int], rng: contract.Random) -> int:
    """Where the least of ``numbers`` stands; of equals any, with the same probability."""
    bottom = min(numbers)
    at, equals = numbers.index(bottom), numbers.count(bottom)
    if equals > 1:
        for _ in range(int(rng.random() * equals)):
            at = numbers.index(bottom, at + 1)
    return at


class Best:
    """The highest total; equals share by chance, each with the same probability whatever its place in the table."""

    name = "best"

    def pick(self, rows: Sequence[int], totals: Sequence[float], rng: contract.Random) -> int:
        floor = max(totals) - TIE
        winners = [row for row, total in zip(rows, totals, strict=True) if total >= floor]
        return winners[0] if len(winners) == 1 else winners[int(rng.random() * len(winners))]


def any_row(request: contract.Request, snapshot: contract.EndpointSnapshot, rng: contract.Random) -> int:
    """``Uniform`` among all rows, as a shortcut."""
    return int(rng.random() * len(snapshot.endpoints))


class Uniform:
    """Any row with the same probability; totals are not looked at."""

    name = "uniform"

    def pick(self, rows: Sequence[int], totals: Sequence[float], rng: contract.Random) -> int:
        return rows[int(rng.random() * len(rows))]
