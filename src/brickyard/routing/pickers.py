"""How one row is chosen once every row has its total."""

from __future__ import annotations

from collections.abc import Sequence

from brickyard.routing import contract

TIE = 1e-9
"""Totals closer than this are equal: sums of weighted floats differ in their last bits by the order of summing alone."""


class Best:
    """The highest total; equals share by chance, each with the same probability whatever its place in the table."""

    name = "best"

    def pick(self, rows: Sequence[int], totals: Sequence[float], rng: contract.Random) -> int:
        floor = max(totals) - TIE
        winners = [row for row, total in zip(rows, totals, strict=True) if total >= floor]
        return winners[0] if len(winners) == 1 else winners[int(rng.random() * len(winners))]


class Uniform:
    """Any row with the same probability; totals are not looked at."""

    name = "uniform"

    def pick(self, rows: Sequence[int], totals: Sequence[float], rng: contract.Random) -> int:
        return rows[int(rng.random() * len(rows))]
