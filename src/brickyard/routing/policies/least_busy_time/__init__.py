"""The endpoint that was busy for the smallest share of the last minute; equals share by chance.

An engine that reports how busy its device is is believed. For others the gateway's own leases say it: an endpoint is busy while it has a
request in flight. The share fades: what was ``busy.FADING`` seconds ago counts for a third of what is now.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

from brickyard.routing import contract, pickers, scorers
from brickyard.routing.policies.least_busy_time import busy

NAME = "least-busy-time"


class Shares:
    """Shares of 1: what engines tell is put together once per page, what the gateway saw once per request."""

    def __init__(self) -> None:
        self._told = scorers.OfLoads(operator.attrgetter("busy"))

    def __call__(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        told, facts = self._told(request, snapshot, rows), busy.INPUT.of(snapshot)
        if facts is None:
            return told
        seen = facts.shares
        return [seen[row] if math.isnan(share) else share for share, row in zip(told, rows, strict=True)]


def _share(snapshot: contract.EndpointSnapshot, facts: busy.Busy | None, row: int) -> float:
    load = snapshot.loads[row]
    if load is not None and load.busy is not None:
        return load.busy
    return scorers.UNKNOWN if facts is None else facts.shares[row]


def words(snapshot: contract.EndpointSnapshot, row: int) -> str:
    """``busy for 37 % of the time``."""
    share = _share(snapshot, busy.INPUT.of(snapshot), row)
    return "busy time unknown" if math.isnan(share) else f"busy for {share:.0%} of the time"


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """One scorer and the best of it."""
    scorer = scorers.Ranking(NAME, Shares(), words)
    return contract.Profile(NAME, filters=(), scorers=((scorer, 1.0),), picker=pickers.Best(), inputs=(busy.INPUT,))


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="the endpoint that was busy for the smallest share of the last minute",
    needs=frozenset({contract.Need.LOADS}),
    build=profile,
)
