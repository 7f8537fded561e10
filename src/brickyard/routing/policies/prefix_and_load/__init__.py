"""Cache and load as one cost in tokens: the endpoint where the request is done with the least work before it.

    cost = tokens of the prompt that are not cached there                    what this request adds
         + load * (prefill outstanding + decode_weight * decode outstanding)  what it waits for

A cached prefix saves work, load adds it, and both are counted in the same unit, so there is no threshold at which the choice jumps: an
endpoint keeps a conversation as long as the work queued there, less that of the idlest, is less than the prefix is worth. One that
everybody's prefix points to fills up by just that much and the rest goes elsewhere, where the prefix is then cached as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from brickyard.lib import settings
from brickyard.routing import contract, pickers, scorers
from brickyard.routing.ledgers import prefixes, work

NAME = "prefix-and-load"


@dataclasses.dataclass(frozen=True)
class PrefixAndLoadParameters:
    """Strategy `prefix-and-load`: what work counts."""

    load: float = settings.field(
        1.0,
        env="BRICKYARD_PREFIX_AND_LOAD_LOAD",
        help="What a token outstanding on an endpoint counts, compared with one of this request's prompt; above 0.",
    )
    decode_weight: float = settings.field(
        1.0,
        env="BRICKYARD_PREFIX_AND_LOAD_DECODE_WEIGHT",
        help="What a token to generate counts beside one of a prompt.",
    )

    def __post_init__(self) -> None:
        if not 0 < self.load < float("inf"):
            raise ValueError("load must be above 0, or one endpoint would get everything")
        if not 0 < self.decode_weight < float("inf"):
            raise ValueError("decode_weight must be above 0, or long answers would pile up unseen")


class Cost:
    """The formula, as a measure of which the least is best."""

    def __init__(self, parameters: PrefixAndLoadParameters) -> None:
        self._prefill = parameters.load
        self._decode = parameters.load * parameters.decode_weight

    def __call__(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        owed = work.INPUT.of(snapshot)
        if owed is None:
            return [scorers.UNKNOWN] * len(rows)
        light, heavy, prefill, decode = self._prefill, self._decode, owed.prefill, owed.decode
        queued = [light * prefill[row] + heavy * decode[row] for row in rows]
        matches = prefixes.INPUT.of(snapshot)
        if matches is None or not matches.total:
            return queued
        worth, held = request.input_tokens / matches.total, matches.held
        return [each - worth * held[row] for each, row in zip(queued, rows, strict=True)]


def words(snapshot: contract.EndpointSnapshot, row: int) -> str:
    """``62 % of the prompt cached, 120 tokens to prefill and 256 to generate before it``."""
    owed, matches = work.INPUT.of(snapshot), prefixes.INPUT.of(snapshot)
    if owed is None:
        return "outstanding work unknown"
    cached = "cached share unknown" if matches is None else f"{matches.percent(row)} % of the prompt cached"
    return f"{cached}, {owed.prefill[row]} tokens to prefill and {owed.decode[row]} to generate before it"


def profile(parameters: PrefixAndLoadParameters) -> contract.Profile:
    """One cost and the least of it."""
    scorer = scorers.Ranking(NAME, Cost(parameters), words)
    return contract.Profile(
        NAME,
        filters=(),
        scorers=((scorer, 1.0),),
        picker=pickers.Best(),
        inputs=(prefixes.INPUT, work.INPUT),
    )


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.BETA,
    summary="the endpoint with the least work before the answer: queued tokens plus what of the prompt is not cached",
    needs=frozenset({contract.Need.PROMPT}),
    build=profile,
    parameters=PrefixAndLoadParameters,
)
