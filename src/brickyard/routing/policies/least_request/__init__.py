"""The endpoint with the fewest requests in flight; equals share by chance.

What counts is what this gateway has open itself: that number is exact and never old, where an engine's own page is always a scrape
behind. The score is the place between the busiest and the idlest candidate, so that it can be mixed with other scorers:

    score = (highest - own) / (highest - lowest)        1 for all when all are equal
"""

from __future__ import annotations

from collections.abc import Sequence

from brickyard.routing import contract, pickers

NAME = "least-request"


class LeastRequest:
    """Scores rows by how few requests they have in flight."""

    name = NAME

    def scores(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        in_flight = snapshot.in_flight
        counts = in_flight if len(rows) == len(in_flight) else [in_flight[row] for row in rows]
        highest = max(counts)
        spread = highest - min(counts)
        if not spread:
            return [1.0] * len(rows)
        return [(highest - count) / spread for count in counts]

    def describe(self, snapshot: contract.EndpointSnapshot, row: int) -> str:
        count = snapshot.in_flight[row]
        return "1 request in flight" if count == 1 else f"{count} requests in flight"


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """One scorer and the best of it."""
    return contract.Profile(NAME, filters=(), scorers=((LeastRequest(), 1.0),), picker=pickers.Best())


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="the endpoint with the fewest requests in flight",
    needs=frozenset({contract.Need.IN_FLIGHT}),
    build=profile,
)
