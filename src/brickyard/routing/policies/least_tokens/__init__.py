"""The endpoint with the least work before it, counted in tokens and not in requests; equals share by chance.

    work = prefill_weight * tokens of prompts not yet computed + decode_weight * tokens still expected

A request of 100 000 tokens and one of 100 are one request each to least-request. Here the prompt counts until the first byte of the
answer (less what the endpoint has cached of it, where that is known), and the tokens that requests of its length generated lately
count until the end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from brickyard.lib import settings
from brickyard.routing import contract, pickers, scorers
from brickyard.routing.ledgers import work

NAME = "least-tokens"


@dataclasses.dataclass(frozen=True)
class LeastTokensParameters:
    """Strategy `least-tokens`: how the two kinds of work compare."""

    prefill_weight: float = settings.field(
        1.0, env="BRICKYARD_LEAST_TOKENS_PREFILL_WEIGHT", help="What a token of a prompt counts."
    )
    decode_weight: float = settings.field(
        2.0, env="BRICKYARD_LEAST_TOKENS_DECODE_WEIGHT", help="What a token to generate counts."
    )

    def __post_init__(self) -> None:
        if min(self.prefill_weight, self.decode_weight) < 0 or not self.prefill_weight + self.decode_weight:
            raise ValueError("weights are 0 or more, and not both 0")


def profile(parameters: LeastTokensParameters) -> contract.Profile:
    """One scorer and the best of it."""
    heavy, light = parameters.decode_weight, parameters.prefill_weight

    def measure(request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]) -> Sequence[float]:
        facts = work.INPUT.of(snapshot)
        if facts is None:
            return [scorers.UNKNOWN] * len(rows)
        prefill, decode = facts.prefill, facts.decode
        return [light * prefill[row] + heavy * decode[row] for row in rows]

    scorer = scorers.Ranking(NAME, measure, words)
    return contract.Profile(NAME, filters=(), scorers=((scorer, 1.0),), picker=pickers.Best(), inputs=(work.INPUT,))


def words(snapshot: contract.EndpointSnapshot, row: int) -> str:
    """``120 tokens to prefill and 256 to generate``."""
    facts = work.INPUT.of(snapshot)
    if facts is None:
        return "outstanding work unknown"
    return f"{facts.prefill[row]} tokens to prefill and {facts.decode[row]} to generate"


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.BETA,
    summary="the endpoint with the least outstanding work in tokens",
    needs=frozenset({contract.Need.PROMPT}),
    build=profile,
    parameters=LeastTokensParameters,
)
