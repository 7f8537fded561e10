"""The endpoint whose engine uses the least of its KV caches, that on the device and that in the machine's memory added up.

An engine that does not report the second kind has none of it. One that reports neither is chosen only when none tells, and then by chance.
"""

from __future__ import annotations

from brickyard.api import serving
from brickyard.routing import contract, pickers, scorers

NAME = "least-kv-cache"


def used(load: serving.EngineLoad) -> float | None:
    """Shares of 1, added: 0..2."""
    return None if load.kv_cache_usage is None else load.kv_cache_usage + (load.cpu_cache_usage or 0.0)


def words(snapshot: contract.EndpointSnapshot, row: int) -> str:
    """``37 % of the KV cache in use, 5 % of that in memory``."""
    load = snapshot.loads[row]
    if load is None or load.kv_cache_usage is None:
        return "use of the KV cache unknown"
    told = f"{load.kv_cache_usage:.0%} of the KV cache in use"
    return told if load.cpu_cache_usage is None else f"{told}, {load.cpu_cache_usage:.0%} of that in memory"


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """One scorer and the best of it."""
    scorer = scorers.Ranking(NAME, scorers.OfLoads(used), words)
    return contract.Profile(NAME, filters=(), scorers=((scorer, 1.0),), picker=pickers.Best())


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="the engine with the least of its KV caches in use, device and memory added up",
    needs=frozenset({contract.Need.LOADS}),
    build=profile,
)
