"""The endpoint whose engine holds itself to be the least busy (xLLM tells so); equals share by chance.

An engine that does not tell is chosen only when none tells, and then by chance.
"""

from __future__ import annotations

import operator

from brickyard.routing import contract, pickers, scorers

NAME = "least-utilization"


def words(snapshot: contract.EndpointSnapshot, row: int) -> str:
    """``utilised to 37 %``."""
    load = snapshot.loads[row]
    own = load.utilization if load is not None else None
    return "utilisation unknown" if own is None else f"utilised to {own:.0%}"


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """One scorer and the best of it."""
    scorer = scorers.Ranking(NAME, scorers.OfLoads(operator.attrgetter("utilization")), words)
    return contract.Profile(NAME, filters=(), scorers=((scorer, 1.0),), picker=pickers.Best())


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="the engine that reports the lowest utilisation",
    needs=frozenset({contract.Need.LOADS}),
    build=profile,
)
