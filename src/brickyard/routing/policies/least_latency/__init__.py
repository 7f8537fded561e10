"""The endpoint that is expected to answer soonest; equals share by chance.

    expected = (queue + prefill / avg_prompt * typical_prompt + decode / avg_output * typical_output) * (1 + requests in flight)

``queue``, ``prefill`` and ``decode`` are an engine's mean seconds per request of the last minute, ``avg_…`` its mean tokens per request,
``typical_…`` the mean of those over all candidates (10 and 100 when nobody knows). For an engine that does not report times, the gateway's
own observations stand in: time to the first byte for queue and prefill, the rest for decode.

Times are known only once requests have ended. Requests in flight are known at once: without them, everything sent until the first slow
answer comes back would go to the endpoint that was fast before.

An endpoint of which nothing is known lately would never be tried again if it were simply left out. It counts as fast as the fastest,
so that it is found out. When nothing is known of any, chance decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from brickyard.routing import contract, pickers, scorers
from brickyard.routing.ledgers import latencies, rates

NAME = "least-latency"
TYPICAL_PROMPT: Final = 10.0
TYPICAL_OUTPUT: Final = 100.0


def measure(request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]) -> Sequence[float]:
    """Expected seconds."""
    facts, seen = rates.INPUT.of(snapshot), latencies.INPUT.of(snapshot)
    done = [facts.done[row] if facts is not None else None for row in rows]
    own = [seen.seen[row] if seen is not None else None for row in rows]
    prompts = [each.per_request(each.prompt_tokens) if each is not None else None for each in done]
    outputs = [_output(engine, gateway) for engine, gateway in zip(done, own, strict=True)]
    prompt, output = _typical(prompts, TYPICAL_PROMPT), _typical(outputs, TYPICAL_OUTPUT)
    expected = []
    for at in range(len(rows)):
        prompt_scale, output_scale = prompt / (prompts[at] or prompt), output / (outputs[at] or output)
        found = _by_engine(done[at], prompt_scale, output_scale)
        expected.append(found if found is not None else _by_gateway(own[at], output_scale))
    best = min((each for each in expected if each is not None), default=scorers.UNKNOWN)
    in_flight = snapshot.in_flight
    return [(best if each is None else each) * (1 + in_flight[row]) for each, row in zip(expected, rows, strict=True)]


def _output(engine: rates.Done | None, gateway: latencies.Seen | None) -> float | None:
    """Mean tokens per answer."""
    told = engine.per_request(engine.generation_tokens) if engine is not None else None
    return told if told is not None or gateway is None else gateway.output_tokens


def _typical(means: Iterable[float | None], otherwise: float) -> float:
    known = [mean for mean in means if mean]
    return math.fsum(known) / len(known) if known else otherwise


def _by_engine(done: rates.Done | None, prompt_scale: float, output_scale: float) -> float | None:
    """Expected seconds by the engine's own times; None when it tells none or finished nothing."""
    if done is None:
        return None
    parts = [done.per_request(each) for each in (done.queue_seconds, done.prefill_seconds, done.decode_seconds)]
    queue, prefill, decode = parts
    if prefill is None or decode is None:
        return None
    return (queue or 0.0) + prefill * prompt_scale + decode * output_scale


def _by_gateway(seen: latencies.Seen | None, output_scale: float) -> float | None:
    return None if seen is None else seen.first + seen.rest * output_scale


def words(snapshot: contract.EndpointSnapshot, row: int) -> str:
    """``0.21 s to prefill and 1.30 s to decode on average``."""
    facts, observed = rates.INPUT.of(snapshot), latencies.INPUT.of(snapshot)
    done = facts.done[row] if facts is not None else None
    if done is not None and _by_engine(done, 1.0, 1.0) is not None:
        queue, prefill, decode = (
            done.per_request(each) or 0.0 for each in (done.queue_seconds, done.prefill_seconds, done.decode_seconds)
        )
        return f"{queue:.2f} s queued, {prefill:.2f} s to prefill and {decode:.2f} s to decode on average"
    seen = observed.seen[row] if observed is not None else None
    if seen is None:
        return "latency unknown"
    return f"{seen.first:.2f} s to the first byte and {seen.rest:.2f} s from there on average"


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """One scorer and the best of it."""
    scorer = scorers.Ranking(NAME, measure, words)
    return contract.Profile(
        NAME, filters=(), scorers=((scorer, 1.0),), picker=pickers.Best(), inputs=(rates.INPUT, latencies.INPUT)
    )


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="the endpoint that is expected to answer soonest",
    needs=frozenset({contract.Need.IN_FLIGHT, contract.Need.LOADS}),
    build=profile,
)
