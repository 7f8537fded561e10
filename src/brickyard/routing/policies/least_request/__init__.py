"""The endpoint with the fewest requests in flight; equals share by chance.

What counts is what this gateway has open itself: that number is exact and never old, where an engine's own page is always a scrape
behind. Each data-parallel port is an endpoint with a count of its own.
"""

from __future__ import annotations

from brickyard.routing import contract, pickers, scorers

NAME = "least-request"
SCORER = scorers.least_request(NAME)


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """One scorer and the best of it."""
    return contract.Profile(
        NAME, filters=(), scorers=((SCORER, 1.0),), picker=pickers.Best(), shortcut=scorers.fewest_in_flight
    )


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="the endpoint with the fewest requests in flight",
    needs=frozenset({contract.Need.IN_FLIGHT}),
    build=profile,
)
