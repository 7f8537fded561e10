"""The endpoint whose engine has the smallest share of its KV cache in use; equals share by chance.

An engine that does not tell is chosen only when none tells, and then by chance.
"""

from __future__ import annotations

import operator

from brickyard.routing import contract, pickers, scorers

NAME = "least-gpu-cache"


def words(snapshot: contract.EndpointSnapshot, row: int) -> str:
    """``37 % of the KV cache in use``."""
    load = snapshot.loads[row]
    usage = load.kv_cache_usage if load is not None else None
    return "use of the KV cache unknown" if usage is None else f"{usage:.0%} of the KV cache in use"


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """One scorer and the best of it."""
    scorer = scorers.Ranking(NAME, scorers.OfLoads(operator.attrgetter("kv_cache_usage")), words)
    return contract.Profile(NAME, filters=(), scorers=((scorer, 1.0),), picker=pickers.Best())


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="the engine with the smallest share of its KV cache in use",
    needs=frozenset({contract.Need.LOADS}),
    build=profile,
)
