"""Any endpoint that is possible, each with the same probability: the yardstick for every other policy."""

from __future__ import annotations

from brickyard.routing import contract, pickers

NAME = "random"


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """No scorers and a uniform picker."""
    return contract.Profile(NAME, filters=(), scorers=(), picker=pickers.Uniform(), shortcut=pickers.any_row)


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="any endpoint, with the same probability",
    needs=frozenset(),
    build=profile,
)
