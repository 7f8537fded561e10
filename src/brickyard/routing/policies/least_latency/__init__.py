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


class Expected:
    """Expected seconds, as a measure of which the least is best.

    Where engines tell all it takes, seconds without requests in flight follow from their pages alone, and are kept until one changes.
    """

    def __init__(self) -> None:
        self._facts: rates.Rates | None = None
        self._told: Sequence[float] | None = None

    def __call__(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        facts, seen, in_flight = rates.INPUT.of(snapshot), latencies.INPUT.of(snapshot), snapshot.in_flight
        if facts is not None and len(rows) == len(in_flight):
            if facts is not self._facts:
                self._facts, self._told = facts, _told(facts)
            if self._told is not None:
                return [each * (1 + open_) for each, open_ in zip(self._told, in_flight, strict=True)]
        means = [_means(facts.done[row]) if facts is not None else None for row in rows]
        own = [seen.seen[row] if seen is not None else None for row in rows]
        expected = _expected(means, own)
        best = min((each for each in expected if each is not None), default=scorers.UNKNOWN)
        return [
            (best if each is None else each) * (1 + in_flight[row]) for each, row in zip(expected, rows, strict=True)
        ]


def _means(done: rates.Done | None) -> rates.Means | None:
    return None if done is None else done.means


def _told(facts: rates.Rates) -> Sequence[float] | None:
    """Expected seconds on engines without requests in flight; None when it takes what the gateway saw as well."""
    means = [done.means for done in facts.done if done is not None]
    if len(means) < len(facts.done) or any(None in (each.prefill, each.decode, each.output) for each in means):
        return None
    return [each for each in _expected(means, [None] * len(means)) if each is not None]


def _expected(means: Sequence[rates.Means | None], own: Sequence[latencies.Seen | None]) -> list[float | None]:
    """Seconds by the engine's own times, else by the gateway's; None where there are neither."""
    outputs = [_output(engine, gateway) for engine, gateway in zip(means, own, strict=True)]
    prompt = _typical([each.prompt for each in means if each is not None], TYPICAL_PROMPT)
    output = _typical(outputs, TYPICAL_OUTPUT)
    expected: list[float | None] = []
    for engine, gateway, length in zip(means, own, outputs, strict=True):
        scale = output / (length or output)
        if engine is not None and engine.prefill is not None and engine.decode is not None:
            prefill = engine.prefill * (prompt / (engine.prompt or prompt))
            expected.append((engine.queue or 0.0) + prefill + engine.decode * scale)
        else:
            expected.append(None if gateway is None else gateway.first + gateway.rest * scale)
    return expected


def _output(engine: rates.Means | None, gateway: latencies.Seen | None) -> float | None:
    """Mean tokens per answer."""
    if engine is not None and engine.output is not None:
        return engine.output
    return None if gateway is None else gateway.output_tokens


def _typical(means: Iterable[float | None], otherwise: float) -> float:
    known = [mean for mean in means if mean]
    return math.fsum(known) / len(known) if known else otherwise


def words(snapshot: contract.EndpointSnapshot, row: int) -> str:
    """``0.21 s to prefill and 1.30 s to decode on average``."""
    facts, observed = rates.INPUT.of(snapshot), latencies.INPUT.of(snapshot)
    done = facts.done[row] if facts is not None else None
    means = done.means if done is not None else None
    if means is not None and means.prefill is not None and means.decode is not None:
        queue = means.queue or 0.0
        return f"{queue:.2f} s queued, {means.prefill:.2f} s to prefill and {means.decode:.2f} s to decode on average"
    seen = observed.seen[row] if observed is not None else None
    if seen is None:
        return "latency unknown"
    return f"{seen.first:.2f} s to the first byte and {seen.rest:.2f} s from there on average"


def profile(parameters: contract.NoParameters) -> contract.Profile:
    """One scorer and the best of it."""
    scorer = scorers.Ranking(NAME, Expected(), words)
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
