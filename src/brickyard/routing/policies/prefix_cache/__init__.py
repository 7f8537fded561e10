"""The endpoint that holds most of the prompt's beginning, unless it has more than its share of requests.

1. When the busiest candidate has more than ``imbalance`` requests in flight more than the idlest, only the idlest may match.
2. Of those that match, the one that holds most; of equals the one with fewer in flight; of equals any. It must not have more in flight
   than ``mean + deviations * standard deviation`` over all candidates (the sample's, n - 1), else the next one is asked.
3. When none matches or all that do have too much: the fewest in flight among all.

A mix takes from it the share that each endpoint holds, and nothing of this order.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Sequence

from brickyard.api.names import environment
from brickyard.lib import settings
from brickyard.routing import contract, pickers, scorers
from brickyard.routing.ledgers import prefixes

NAME = "prefix-cache"
LEAST_MATCHED = 0.5
"""Scores of rows that match begin here, others end below it."""


@dataclasses.dataclass(frozen=True)
class PrefixCacheParameters:
    """Strategy `prefix-cache`: when load matters more than the cache."""

    imbalance: int = settings.field(
        8,
        env=environment.PREFIX_CACHE_IMBALANCE_ABS_COUNT,
        help="Requests in flight that the busiest endpoint may have more than the idlest before only the idlest may match.",
    )
    deviations: float = settings.field(
        1.0,
        env=environment.PREFIX_CACHE_STANDARD_DEVIATION_FACTOR,
        help="Standard deviations above the mean that a matching endpoint's requests in flight may lie.",
    )

    def __post_init__(self) -> None:
        if self.imbalance < 0:
            raise ValueError("imbalance must be 0 or more")


class PrefixCache:
    """The order above as scores: rows that may match from 0.5 to 1, all others below by requests in flight."""

    name = NAME

    def __init__(self, parameters: PrefixCacheParameters) -> None:
        self._imbalance = parameters.imbalance
        self._deviations = parameters.deviations

    def scores(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        counts = scorers.in_flight(request, snapshot, rows)
        facts = prefixes.INPUT.of(snapshot)
        idle = scorers.lowest(counts)
        if facts is None or not any(facts.held):
            return idle
        held, total = facts.held, facts.total
        percents = [held[row] * 100 // total for row in rows]
        eligible = matched(percents, counts, self._imbalance, self._deviations)
        scores = [LEAST_MATCHED * 0.999 * each for each in idle]
        order = sorted({(percents[at], -counts[at]) for at in eligible})
        step = (1.0 - LEAST_MATCHED) / len(order) if order else 0.0
        value = {key: LEAST_MATCHED + step * (place + 1) for place, key in enumerate(order)}
        for at in eligible:
            scores[at] = value[percents[at], -counts[at]]
        return scores

    def best(self, request: contract.Request, snapshot: contract.EndpointSnapshot, rng: contract.Random) -> int:
        """The row that scores highest, as a shortcut: the order itself instead of its numbers."""
        counts = snapshot.in_flight
        facts = prefixes.INPUT.of(snapshot)
        holders = () if facts is None else range(len(counts)) if facts.holders is None else facts.holders
        if facts is None or not holders:
            return pickers.least(counts, rng)
        _, most = allowed(counts, self._imbalance, self._deviations)
        held, total = facts.held, facts.total
        longest, tied = 1, list[int]()  # whole percent: less than one is nothing
        for at in holders:
            percent = held[at] * 100 // total if total else 0
            if percent >= longest and counts[at] <= most:
                if percent > longest:
                    longest, tied = percent, []
                tied.append(at)
        if len(tied) == 1:
            return tied[0]
        return tied[pickers.least([counts[at] for at in tied], rng)] if tied else pickers.least(counts, rng)

    def describe(self, snapshot: contract.EndpointSnapshot, row: int) -> str:
        return f"{words(snapshot, row)}, {scorers.told_in_flight(snapshot, row)}"


def matched(percents: Sequence[int], counts: Sequence[int], imbalance: int, deviations: float) -> list[int]:
    """Positions of those that hold something and have not too much to do.

    ``counts`` are requests in flight. Source of the rule: AIBrix' prefix-cache router.
    """
    least, most = allowed(counts, imbalance, deviations)
    return [
        at
        for at, (percent, count) in enumerate(zip(percents, counts, strict=True))
        if percent and least <= count <= most
    ]


def allowed(counts: Sequence[int], imbalance: int, deviations: float) -> tuple[int, float]:
    """Between how many requests in flight a row that matches may have. None has fewer than the first: it is the least of ``counts``."""
    least, size = min(counts), len(counts)
    if max(counts) - least > imbalance:
        return least, least
    whole = sum(counts)
    # n * sum of squares - square of the sum, exact: the sample's variance times n * (n - 1).
    spread = size * sum(map(operator.mul, counts, counts)) - whole * whole
    deviation = math.sqrt(spread / (size * (size - 1))) if size > 1 else 0.0
    # A hair above, since a mean of equal counts may come out below each of them.
    return least, whole / size + deviations * deviation + pickers.TIE


def measure(request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]) -> Sequence[float]:
    """Percent of the prompt that each row holds."""
    facts = prefixes.INPUT.of(snapshot)
    if facts is None or not facts.total:
        return [scorers.UNKNOWN] * len(rows)
    held, total = facts.held, facts.total
    return [held[row] * 100 // total for row in rows]


def words(snapshot: contract.EndpointSnapshot, row: int) -> str:
    """``62 % of the prompt cached``."""
    facts = prefixes.INPUT.of(snapshot)
    return "cached share unknown" if facts is None else f"{facts.percent(row)} % of the prompt cached"


def profile(parameters: PrefixCacheParameters) -> contract.Profile:
    """The order by itself; in a mix the share alone."""
    share = scorers.Ranking(NAME, measure, words, highest=True)
    order = PrefixCache(parameters)
    return contract.Profile(
        NAME,
        filters=(),
        scorers=((order, 1.0),),
        picker=pickers.Best(),
        blend=((share, 1.0),),
        inputs=(prefixes.INPUT,),
        shortcut=order.best,
    )


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="the endpoint that holds most of the prompt's beginning, within its share of requests",
    needs=frozenset({contract.Need.IN_FLIGHT, contract.Need.PROMPT}),
    build=profile,
    parameters=PrefixCacheParameters,
)
