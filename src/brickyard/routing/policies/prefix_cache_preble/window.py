"""What endpoints computed of late, prompt by prompt: the memory behind the costs of prefix-cache-preble.

A prompt is known by the hash of its last block (its **leaf**). For each prompt seen within the window the ledger keeps how often it
came, how many tokens it has, how many of them were not cached anywhere when it first came, and which endpoints got it:

    cost(endpoint)  = sum over its prompts of  prefill(prompt) + DECODING * TIME_PER_TOKEN
    prefill(prompt) = miss rate * requests * (linear(n) + attention(context) + quadratic(n)) / 0.9        of one request at a time
    miss rate       = 1 - cached tokens / prompt tokens, over the prompt's requests in the window

n: tokens of the prompt's own, context: all of them. The times are those measured for a 7-billion-parameter model on two devices.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from brickyard.routing import contract
from brickyard.routing.ledgers import prefixes

TIME_PER_TOKEN: Final = 0.15
"""Seconds per token generated, as the cost counts it."""
EFFICIENCY: Final = 0.9
PROMPTS_KEPT: Final = 100_000
"""Prompts within the window; of more, the oldest requests are forgotten early."""


@dataclasses.dataclass(frozen=True, slots=True)
class Device:
    """Milliseconds of prefill by tokens: three ranges for the linear layers, two for attention, one for long prompts.

    Each tuple holds the coefficients of 1, n and n².
    """

    linear_long: tuple[float, float]
    linear_middle: tuple[float, float, float]
    linear_short: float
    attention_short: float
    attention_long: tuple[float, float]
    quadratic: tuple[float, float, float]

    def prefill(self, own: int, context: int, requests: int) -> float:
        """Seconds to prefill ``own`` tokens of a prompt of ``context``, once."""
        return (self._linear(own) + self._attention(own, context, requests) + self._quadratic(own)) / 1000 / EFFICIENCY

    def _linear(self, n: int) -> float:
        if n >= 384:
            return self.linear_long[0] + self.linear_long[1] * n
        if n >= 192:
            return self.linear_middle[0] + self.linear_middle[1] * n + self.linear_middle[2] * n * n
        return self.linear_short

    def _attention(self, own: int, context: int, requests: int) -> float:
        constant, slope = self.attention_long
        time = self.attention_short if context <= 1024 else constant + slope * context
        kept = own or context
        small = requests and kept / requests <= 1024 and requests * kept <= 32 * 256 * 2048
        return time / 2 if small else time

    def _quadratic(self, n: int) -> float:
        constant, slope, bend = self.quadratic
        return constant + slope * n + bend * n * n if n >= 4096 else 0.0


A6000: Final = Device(
    (4.209777054806409, 0.10842571), (-118.0, 1.25, -2.56e-3), 22.0, 0.32, (0.159, 1.86e-4), (-7.37, 3.86e-3, 2.16e-6)
)
V100: Final = Device(
    (10.52444263, 0.27106428), (-295.0, 3.125, -6.4e-3), 55.0, 0.80, (0.398, 4.65e-4), (-18.425, 9.65e-3, 5.4e-6)
)
DEVICES: Final[Mapping[str, Device]] = {"V100": V100, "A6000": A6000}


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """Per row the requests of the window that its prompts had, and their cost in seconds."""

    requests: Sequence[int]
    costs: Sequence[float]

    def age(self, snapshot: contract.EndpointSnapshot) -> float:
        return 0.0

    def row(self, row: int) -> Mapping[str, object]:
        return {"requests": self.requests[row], "cost_seconds": self.costs[row]}


@dataclasses.dataclass(slots=True)
class _Prompt:
    """One prompt within the window; ``own`` tokens were new when it first came."""

    own: int
    context: int
    requests: int = 0
    cached: int = 0
    asked: int = 0
    cost: float = 0.0
    endpoints: set[str] = dataclasses.field(default_factory=set)


class WindowLedger:
    """Requests of the last ``period`` seconds, by prompt; sums by endpoint are kept up to date with every change."""

    def __init__(self, period: float, device: Device, decoding: int) -> None:
        self._period = period
        self._device = device
        self._decode = decoding * TIME_PER_TOKEN
        self._prompts: dict[tuple[str, int], _Prompt] = {}
        self._entries: collections.deque[tuple[float, tuple[str, int], int, int]] = collections.deque()
        self._requests: dict[str, int] = {}
        self._costs: dict[str, float] = {}
        self._present: tuple[Sequence[contract.Endpoint], frozenset[str]] = ((), frozenset())

    def facts(self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float) -> Window:
        self._expire(now)
        keys = [endpoint.key for endpoint in snapshot.endpoints]
        return Window([self._requests.get(key, 0) for key in keys], [self._costs.get(key, 0.0) for key in keys])

    def observe(self, event: contract.Event) -> None:
        matches = prefixes.INPUT.of(event.decision.snapshot)
        if not isinstance(event, contract.Chosen) or matches is None or not matches.total:
            return
        self._expire(event.at)
        request, endpoint = event.decision.request, event.decision.endpoint.key
        context = request.input_tokens
        share = max(matches.held) / matches.total
        key = (request.model, matches.leaf)
        prompt = self._prompts.get(key)
        if prompt is None:
            prompt = self._prompts[key] = _Prompt(context - int(context * share), context)
        self._purge(prompt, event.decision.snapshot.endpoints)
        cached = max(0, context - prompt.own)
        self._entries.append((event.at, key, context, cached))
        self._change(prompt, 1, context, cached, joins=endpoint)
        if len(self._entries) > PROMPTS_KEPT:
            self._forget()

    def _purge(self, prompt: _Prompt, endpoints: Sequence[contract.Endpoint]) -> None:
        """Forget those of the prompt's endpoints that left: a prompt that keeps coming would remember every one there ever was."""
        if self._present[0] is not endpoints:  # one tuple until a pod comes or goes
            self._present = (endpoints, frozenset(endpoint.key for endpoint in endpoints))
        for name in prompt.endpoints - self._present[1]:
            self._sum(name, -prompt.requests, -prompt.cost)
            prompt.endpoints.remove(name)

    def _change(self, prompt: _Prompt, requests: int, context: int, cached: int, joins: str = "") -> None:
        """Count requests of ``prompt`` in or out, and bring the sums of its endpoints along."""
        for name in prompt.endpoints:
            self._sum(name, -prompt.requests, -prompt.cost)
        prompt.requests += requests
        prompt.asked += requests * context
        prompt.cached += requests * cached
        if joins:
            prompt.endpoints.add(joins)
        prompt.cost = self._cost(prompt)
        for name in prompt.endpoints:
            self._sum(name, prompt.requests, prompt.cost)

    def _cost(self, prompt: _Prompt) -> float:
        if not prompt.requests:
            return 0.0
        missed = 1.0 - prompt.cached / prompt.asked if prompt.asked else 1.0
        once = self._device.prefill(prompt.own, prompt.context, 1)
        return missed * prompt.requests * once + self._decode

    def _sum(self, name: str, requests: int, cost: float) -> None:
        count = self._requests.get(name, 0) + requests
        if count:
            self._requests[name] = count
            self._costs[name] = max(0.0, self._costs.get(name, 0.0) + cost)
        else:  # back to nothing: floats start anew
            self._requests.pop(name, None)
            self._costs.pop(name, None)

    def _expire(self, now: float) -> None:
        while self._entries and self._entries[0][0] <= now - self._period:
            self._forget()

    def _forget(self) -> None:
        _, key, context, cached = self._entries.popleft()
        prompt = self._prompts[key]
        self._change(prompt, -1, context, cached)
        if not prompt.requests:
            del self._prompts[key]
