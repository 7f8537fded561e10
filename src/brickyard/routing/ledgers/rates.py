"""What engines did over the last minute: differences of the counters on their metrics pages.

Counters come with each snapshot; a sample is kept per page that is new. What a counter grew by between the oldest sample of the window
and the latest is what was done in that time. A counter that shrinks means a restart: history begins anew. An engine that does not
report a counter has None for it, and so has one that was heard only once.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from brickyard.api import serving
from brickyard.routing import contract

NAME: Final = "rates"
WINDOW: Final = 60.0
"""Seconds looked back."""
SPACING: Final = 1.0
"""Samples closer than this to the one before the last take the last one's place."""
SAME: Final = 1e-6
"""Moments closer than this are one: they are reckoned back from ages."""
MODELS_KEPT: Final = 1024
COUNTERS: Final = (
    "prompt_tokens_total",
    "generation_tokens_total",
    "finished_total",
    "queue_seconds_total",
    "prefill_seconds_total",
    "decode_seconds_total",
)


class Means(NamedTuple):
    """Per request that finished: seconds in each stage and tokens. None where nobody counts."""

    queue: float | None
    prefill: float | None
    decode: float | None
    prompt: float | None
    output: float | None


@dataclasses.dataclass(frozen=True)
class Done:
    """What one engine did in ``seconds``: each counter's growth, None where it is not reported."""

    seconds: float
    prompt_tokens: float | None
    generation_tokens: float | None
    finished: float | None
    queue_seconds: float | None
    prefill_seconds: float | None
    decode_seconds: float | None

    def per_request(self, amount: float | None) -> float | None:
        """``amount`` over the requests that finished; None when none did or nobody counts."""
        return amount / self.finished if amount is not None and self.finished else None

    @functools.cached_property
    def means(self) -> Means:
        """Everything per request. Worked out once, however many requests are routed by it."""
        each = self.per_request
        return Means(
            each(self.queue_seconds),
            each(self.prefill_seconds),
            each(self.decode_seconds),
            each(self.prompt_tokens),
            each(self.generation_tokens),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Rates:
    """``Done`` per row; None for an engine not heard twice."""

    done: Sequence[Done | None]

    def age(self, snapshot: contract.EndpointSnapshot) -> float:
        known = [age for age, done in zip(snapshot.load_ages, self.done, strict=True) if done is not None]
        return max(known, default=math.inf)

    def row(self, row: int) -> Mapping[str, object]:
        done = self.done[row]
        return dataclasses.asdict(done) if done is not None else {}


class _Track:
    """One engine's samples, oldest first."""

    __slots__ = ("at", "done", "load", "samples")

    def __init__(self) -> None:
        self.at = -math.inf
        self.load: serving.EngineLoad | None = None
        self.samples: collections.deque[tuple[float, tuple[float | None, ...]]] = collections.deque()
        self.done: Done | None = None

    def hear(self, load: serving.EngineLoad | None, at: float) -> None:
        """Take what was heard at ``at``. A page that says the same again is news: nothing was done."""
        samples = self.samples
        self.load, self.at = load, at
        if load is None:
            samples.clear()
            self.done = None
            return
        counters = tuple(getattr(load, name) for name in COUNTERS)
        if samples and (at < samples[-1][0] or _restarted(samples[-1][1], counters)):
            samples.clear()
        if len(samples) >= 2 and at - samples[-2][0] < SPACING:
            samples.pop()
        samples.append((at, counters))
        while len(samples) > 2 and samples[1][0] <= at - WINDOW:
            samples.popleft()
        self.done = _done(samples[0], samples[-1])


@dataclasses.dataclass(frozen=True, slots=True)
class _Model:
    """One model's tracks, and the rates that were made of this very loads and endpoints."""

    tracks: Mapping[str, _Track]
    loads: object
    endpoints: object
    rates: Rates


class RatesLedger:
    """Samples by model and endpoint; endpoints that left the snapshot are forgotten."""

    def __init__(self) -> None:
        self._models: collections.OrderedDict[str, _Model] = collections.OrderedDict()

    def facts(self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float) -> Rates:
        last = self._models.get(request.model)
        if last is not None and snapshot.loads is last.loads and snapshot.endpoints is last.endpoints:
            return last.rates  # snapshots share both until a page is read or a pod comes or goes
        if last is not None and snapshot.endpoints is last.endpoints:
            tracks = last.tracks
        else:
            old = last.tracks if last is not None else {}
            tracks = {endpoint.key: old.get(endpoint.key) or _Track() for endpoint in snapshot.endpoints}
        # Of a hundred pages one is new, as a rule: what was heard before is seen here and costs no call.
        for track, load, age in zip(tracks.values(), snapshot.loads, snapshot.load_ages, strict=True):
            if load is not track.load or now - age > track.at + SAME:
                track.hear(load, now - age)
        rates = Rates([track.done for track in tracks.values()])
        self._models[request.model] = _Model(tracks, snapshot.loads, snapshot.endpoints, rates)
        self._models.move_to_end(request.model)
        if len(self._models) > MODELS_KEPT:
            self._models.popitem(last=False)
        return rates

    def observe(self, event: contract.Event) -> None:
        """Nothing: engines tell."""


def _restarted(before: Sequence[float | None], after: Sequence[float | None]) -> bool:
    return any(old is not None and new is not None and new < old for old, new in zip(before, after, strict=True))


def _done(first: tuple[float, Sequence[float | None]], last: tuple[float, Sequence[float | None]]) -> Done | None:
    seconds = last[0] - first[0]
    if seconds <= 0:
        return None
    grown = [
        new - old if old is not None and new is not None else None for old, new in zip(first[1], last[1], strict=True)
    ]
    return Done(seconds, *grown)


INPUT: Final = contract.Input(NAME, Rates, RatesLedger)
