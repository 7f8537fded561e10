"""Preble's rule: exploit a cached prefix when it is most of the prompt, else explore where computing is cheapest.

1. When the busiest candidate has more than ``imbalance`` requests in flight more than the idlest, only the idlest are candidates.
2. When more than half of the prompt is cached somewhere: of the candidates that hold the longest part, the one whose prompts had the fewest
   requests of late.
3. Else, or when no candidate holds any of it: the candidate with the lowest cost of what it computed of late (see ``window``).

Source: Preble (https://arxiv.org/abs/2407.00023) as AIBrix reads it; also called prefix-cache-and-load.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Final

from brickyard.api.names import environment
from brickyard.lib import settings
from brickyard.routing import contract, pickers, scorers
from brickyard.routing.ledgers import prefixes
from brickyard.routing.policies.prefix_cache_preble import window

NAME: Final = "prefix-cache-preble"
ALIAS: Final = "prefix-cache-and-load"
MOST: Final = 0.5
"""The share of the prompt above which a cached prefix is exploited."""


@dataclasses.dataclass(frozen=True)
class PrebleParameters:
    """Strategy `prefix-cache-preble`: the cost's device and memory."""

    target_gpu: str = settings.field(
        "V100", env=environment.PREBLE_TARGET_GPU, help="The device whose times the cost goes by: V100 or A6000."
    )
    decoding_length: int = settings.field(
        45, env=environment.PREBLE_DECODING_LENGTH, help="Tokens that an answer is taken to have."
    )
    sliding_window_period: float = settings.field(
        3.0, env=environment.PREBLE_SLIDING_WINDOW_PERIOD, help="How far back computing counts, in minutes."
    )
    imbalance: int = settings.field(
        8,
        env=environment.PREFIX_CACHE_IMBALANCE_ABS_COUNT,
        help="Requests in flight that the busiest endpoint may have more than the idlest before only the idlest are asked.",
    )

    def __post_init__(self) -> None:
        if self.decoding_length < 0 or self.imbalance < 0:
            raise ValueError("decoding_length and imbalance must be 0 or more")
        if self.sliding_window_period <= 0:
            raise ValueError("sliding_window_period must be above 0")

    @property
    def device(self) -> window.Device:
        """Times of the device; those of a V100 where it is not known."""
        return window.DEVICES.get(self.target_gpu.upper(), window.V100)


class Preble:
    """Requests of late where the prefix is exploited, seconds of cost elsewhere; the least is best."""

    def __init__(self, parameters: PrebleParameters, seen: contract.Input[window.Window]) -> None:
        self._imbalance = parameters.imbalance
        self._input = seen

    def alone(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        """With the guard of rule 1."""
        counts = scorers.in_flight(request, snapshot, rows)
        least = min(counts)
        if max(counts) - least <= self._imbalance:
            return self.mixed(request, snapshot, rows)
        kept = [row for row, count in zip(rows, counts, strict=True) if count == least]
        found = dict(zip(kept, self.mixed(request, snapshot, kept), strict=True))
        return [found.get(row, scorers.UNKNOWN) for row in rows]

    def mixed(
        self, request: contract.Request, snapshot: contract.EndpointSnapshot, rows: Sequence[int]
    ) -> Sequence[float]:
        """Without it, for a mix: the other strategies look after load."""
        facts, matches = self._input.of(snapshot), prefixes.INPUT.of(snapshot)
        if facts is None:
            return [scorers.UNKNOWN] * len(rows)
        if matches is not None and matches.total and max(matches.held) > MOST * matches.total:
            longest = max(matches.held[row] for row in rows)
            if longest:
                held, requests = matches.held, facts.requests
                return [requests[row] if held[row] == longest else scorers.UNKNOWN for row in rows]
        return [facts.costs[row] for row in rows]

    def words(self, snapshot: contract.EndpointSnapshot, row: int) -> str:
        """``62 % of the prompt cached, 3 requests and 1.20 s of computing of late``."""
        facts, matches = self._input.of(snapshot), prefixes.INPUT.of(snapshot)
        cached = "cached share unknown" if matches is None else f"{matches.percent(row)} % of the prompt cached"
        if facts is None:
            return cached
        return f"{cached}, {facts.requests[row]} requests and {facts.costs[row]:.2f} s of computing of late"


def profile(parameters: PrebleParameters) -> contract.Profile:
    """One scorer and the best of it; in a mix without the guard."""
    make = functools.partial(
        window.WindowLedger, parameters.sliding_window_period * 60, parameters.device, parameters.decoding_length
    )
    seen = contract.Input("preble", window.Window, make)
    preble = Preble(parameters, seen)
    alone = scorers.Ranking(NAME, preble.alone, preble.words)
    mixed = scorers.Ranking(NAME, preble.mixed, preble.words)
    return contract.Profile(
        NAME,
        filters=(),
        scorers=((alone, 1.0),),
        picker=pickers.Best(),
        blend=((mixed, 1.0),),
        inputs=(prefixes.INPUT, seen),
    )


POLICY = contract.Policy(
    name=NAME,
    stability=contract.Stability.STABLE,
    summary="a prefix that is most of the prompt is exploited, else the endpoint that computed least of late",
    needs=frozenset({contract.Need.IN_FLIGHT, contract.Need.PROMPT}),
    build=profile,
    parameters=PrebleParameters,
    aliases=(ALIAS,),
)
