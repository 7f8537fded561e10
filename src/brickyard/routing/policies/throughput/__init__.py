"""The endpoint that had the fewest tokens to work on of late; equals share by chance.

    tokens = 2 * prompt tokens + generated tokens      of the engine's last minute and of what the gateway has outstanding there

The outstanding part keeps all requests between two looks at the engines from running to the same endpoint. An engine that does not count
its tokens is chosen only when none does, and then by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from brickyard.routing import contract, pickers, scorers
from brickyard.routing.ledgers import rates, work

NAME = "throughput"
PROMPT_WEIGHT: Final = 2.0


def measure(request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]) -> Sequence[float]:
    """Tokens per minute, weighted, with outstanding tokens as if they were done within it."""
    facts, owed = rates.INPUT.of(snapshot), work.INPUT.of(snapshot)
    if facts is None:
        return [scorers.UNKNOWN] * len(rows)
    measured = [_rate(facts.done[row]) for row in rows]
    if owed is None:
        return measured
    return [
        each + PROMPT_WEIGHT * owed.prefill[row] + owed.decode[row] for each, row in zip(measured, rows, strict=True)
    ]


def _rate(done: rates.Done | None) -> float:
    if done is None or done.prompt_tokens is None or done.generation_tokens is None:
        return scorers.UNKNOWN
    return (PROMPT_WEIGHT * done.prompt_tokens + done.generation_tokens) * rates.WINDOW / done.seconds


def words(snapshot: contract.EndpointSnapshot, row: int) -> str:
    """``1200 prompt and 300 generated tokens in 60 s``."""
    facts = rates.INPUT.of(snapshot)
    done = facts.done[row] if facts is not None else None
    if done is None or done.prompt_tokens is None or done.generation_tokens is None:
        return "throughput unknown"
    return f"{done.prompt_tokens:.0f} prompt and {done.generation_tokens:.0f} generated tokens in {done.seconds:.0f} s"


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """One scorer and the best of it."""
    scorer = scorers.Ranking(NAME, measure, words)
    return contract.Profile(
        NAME, filters=(), scorers=((scorer, 1.0),), picker=pickers.Best(), inputs=(rates.INPUT, work.INPUT)
    )


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="the endpoint that had the fewest tokens to work on in the last minute",
    needs=frozenset({contract.Need.LOADS, contract.Need.PROMPT}),
    build=profile,
)
