"""How long endpoints took of late, as this gateway saw it: to the first byte, and from there to the end.

Means by endpoint in which a request counts half after ``HALF_LIFE`` seconds. They stand in where an engine does not report times itself.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Final

from brickyard.routing import contract

NAME: Final = "latencies"
HALF_LIFE: Final = 60.0
FAINTEST: Final = 0.02
"""The weight of what is left of a mean below which it says nothing: one request of 5.6 half-lives ago."""
ENDPOINTS_KEPT: Final = 16384
"""Endpoints remembered; above that, those whose means say nothing any more are dropped."""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """Means of one endpoint: seconds to the first byte, seconds from there to the end, tokens generated, and their age."""

    first: float
    rest: float
    output_tokens: float
    at: float


@dataclasses.dataclass(frozen=True, slots=True)
class Latencies:
    """``Seen`` per row at ``now``; None for an endpoint that finished nothing lately."""

    seen: Sequence[Seen | None]
    now: float

    def age(self, snapshot: contract.EndpointSnapshot) -> float:
        return max((self.now - each.at for each in self.seen if each is not None), default=float("inf"))

    def row(self, row: int) -> Mapping[str, object]:
        seen = self.seen[row]
        if seen is None:
            return {}
        return {"first_byte": seen.first, "rest": seen.rest, "output_tokens": seen.output_tokens}


class _Mean:
    """Sums that fade."""

    __slots__ = ("at", "first", "output", "rest", "seen", "until", "weight")

    def __init__(self, at: float) -> None:
        self.at = at
        self.weight = self.first = self.rest = self.output = 0.0
        self.seen: Seen | None = None
        self.until = at
        """From when on it says nothing. The means themselves do not change as they fade: all sums fade alike."""

    def add(self, first: float, rest: float, output: int, now: float) -> None:
        keep = 0.5 ** (max(0.0, now - self.at) / HALF_LIFE)
        self.at = max(self.at, now)
        self.weight = self.weight * keep + 1
        self.first = self.first * keep + first
        self.rest = self.rest * keep + rest
        self.output = self.output * keep + output
        self.seen = Seen(self.first / self.weight, self.rest / self.weight, self.output / self.weight, self.at)
        self.until = self.at + HALF_LIFE * math.log2(self.weight / FAINTEST)


class LatencyLedger:
    """Times requests from choice to end."""

    def __init__(self) -> None:
        self._answered: dict[int, tuple[contract.Decision, float]] = {}
        self._means: dict[str, _Mean] = {}

    def facts(self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float) -> Latencies:
        known = self._means.get
        means = [known(each.key) for each in snapshot.endpoints]
        return Latencies([mean.seen if mean is not None and now < mean.until else None for mean in means], now)

    def observe(self, event: contract.Event) -> None:
        decision = event.decision
        if isinstance(event, contract.Answered):
            self._answered[id(decision)] = (decision, event.at)
        elif isinstance(event, contract.Finished):
            answered = self._answered.pop(id(decision), None)
            output = event.usage.completion_tokens if event.usage is not None else None
            if answered is None or output is None:
                return  # what failed or was broken off says nothing of how long it would have taken
            if len(self._means) >= ENDPOINTS_KEPT:
                self._means = {key: mean for key, mean in self._means.items() if event.at < mean.until}
            mean = self._means.setdefault(decision.endpoint.key, _Mean(event.at))
            mean.add(answered[1] - decision.decided_at, event.at - answered[1], output, event.at)


INPUT: Final = contract.Input(NAME, Latencies, LatencyLedger)
