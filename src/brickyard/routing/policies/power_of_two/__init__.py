"""Of two endpoints drawn by chance the one with fewer requests in flight; the first drawn when they are equal.

It spreads nearly as evenly as asking all, and many gateways that know each other's counts only late do not all run to the same endpoint.
"""

from __future__ import annotations

from collections.abc import Sequence

from brickyard.routing import contract, scorers

NAME = "power-of-two"


class BetterOfTwo:
    """Two distinct rows by chance, and the one with the higher total of them."""

    name = "better-of-two"

    def pick(self, rows: Sequence[int], totals: Sequence[float], rng: contract.Random) -> int:
        if len(rows) == 1:
            return rows[0]
        first = int(rng.random() * len(rows))
        second = int(rng.random() * (len(rows) - 1))
        second += second >= first  # any but the first, each with the same probability
        return rows[first] if totals[first] >= totals[second] else rows[second]


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """Requests in flight, judged two at a time. A mix would judge all, so there is nothing to mix."""
    scorer = scorers.least_request("in-flight")
    return contract.Profile(NAME, filters=(), scorers=((scorer, 1.0),), picker=BetterOfTwo(), blend=())


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="of two endpoints drawn by chance, the one with fewer requests in flight",
    needs=frozenset({contract.Need.IN_FLIGHT}),
    build=profile,
)
