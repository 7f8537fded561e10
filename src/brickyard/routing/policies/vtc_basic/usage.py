"""Tokens that each user was charged for within a sliding window.

A request is charged when it is sent, by estimate: a token for every four bytes of prompt and one and a half times as many generated.
When it ends and the engine has counted, the difference is charged or given back, in the slice of time in which it was charged; a slice
that has left the window is left alone. Charges are never below zero.
"""

from __future__ import annotations

import collections
import dataclasses
import heapq
import math
from collections.abc import Mapping
from typing import Final

from brickyard.routing import contract

OUTPUT_PER_INPUT: Final = 1.5
USERS_KEPT: Final = 65536
"""Users with charges in the window; while there are more, the oldest slice of time is forgotten early."""
STALE: Final = 1024
"""Entries that do not hold any more, beyond one for each user, that the ends are not yet made anew for."""
PARTS: Final = 1000
"""Parts of a token that charges are whole numbers of."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """Seconds of window and slice; weights of tokens; what counts as least and most used while nobody used anything."""

    window: float
    slice: float
    input_weight: float
    output_weight: float
    least: float
    most: float

    def charge(self, prompt_tokens: float, output_tokens: float) -> float:
        """What so many tokens cost."""
        return self.input_weight * max(0.0, prompt_tokens) + self.output_weight * max(0.0, output_tokens)


@dataclasses.dataclass(frozen=True, slots=True)
class Used:
    """Tokens within the window: this user's (NaN without a user), and those of who used least and most."""

    own: float
    least: float
    most: float

    def age(self, snapshot: contract.EndpointSnapshot) -> float:
        return 0.0

    def row(self, row: int) -> Mapping[str, object]:
        return {}


class _Ends:
    """The least and the most of ``totals``, at hand whoever moves: heaps in which what does not hold any more is left until it surfaces."""

    def __init__(self, totals: Mapping[str, int]) -> None:
        self._totals = totals
        self._low: list[tuple[int, str]] = []
        self._high: list[tuple[int, str]] = []

    def moved(self, name: str, total: int) -> None:
        """A user's total is ``total`` now, above 0."""
        heapq.heappush(self._low, (total, name))
        heapq.heappush(self._high, (-total, name))
        if len(self._low) > 2 * len(self._totals) + STALE or len(self._high) > 2 * len(self._totals) + STALE:
            self._low = [(each, user) for user, each in self._totals.items()]
            self._high = [(-each, user) for user, each in self._totals.items()]
            heapq.heapify(self._low)
            heapq.heapify(self._high)

    def now(self) -> tuple[int, int]:
        """Of at least one user."""
        totals, low, high = self._totals, self._low, self._high
        while totals.get(low[0][1]) != low[0][0]:
            heapq.heappop(low)
        while totals.get(high[0][1]) != -high[0][0]:
            heapq.heappop(high)
        return low[0][0], -high[0][0]


class UsageLedger:
    """Charges by slice of time and user, in thousandths of a token: what comes in goes out to exactly zero."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._slices: collections.OrderedDict[int, dict[str, int]] = collections.OrderedDict()
        self._totals: dict[str, int] = {}
        self._open: dict[int, tuple[contract.Decision, int, int]] = {}
        self._ends = _Ends(self._totals)

    def facts(self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float) -> Used:
        self._expire(now)
        own = self._totals.get(request.user, 0) / PARTS if request.user else math.nan
        if not self._totals:
            return Used(own, self._rules.least, self._rules.most)
        least, most = self._ends.now()
        return Used(own, least / PARTS, most / PARTS)

    def observe(self, event: contract.Event) -> None:
        decision = event.decision
        if isinstance(event, contract.Chosen):
            if decision.request.user:
                self._charge(decision, event.at)
        elif isinstance(event, contract.Finished):
            held = self._open.pop(id(decision), None)
            if held is not None and event.usage is not None:
                self._correct(decision.request.user, held[1], held[2], event.usage, event.at)

    def _charge(self, decision: contract.Decision, now: float) -> None:
        self._expire(now)
        name, tokens = decision.request.user, decision.request.input_tokens
        amount = self._parts(tokens, math.ceil(OUTPUT_PER_INPUT * tokens))
        at = math.floor(now / self._rules.slice)
        self._open[id(decision)] = (decision, at, amount)
        self._add(name, at, amount)
        while len(self._totals) > USERS_KEPT and len(self._slices) > 1:
            self._drop()

    def _correct(self, name: str, at: int, charged: int, usage: contract.Usage, now: float) -> None:
        self._expire(now)
        prompt, output = usage.prompt_tokens, usage.completion_tokens
        if prompt is not None and output is not None and name in self._slices.get(at, ()):
            self._add(name, at, self._parts(prompt, output) - charged)

    def _parts(self, prompt_tokens: float, output_tokens: float) -> int:
        return round(PARTS * self._rules.charge(prompt_tokens, output_tokens))

    def _add(self, name: str, at: int, amount: int) -> None:
        users = self._slices.setdefault(at, {})
        before = users.get(name, 0)
        users[name] = max(0, before + amount)
        self._move(name, users[name] - before)

    def _move(self, name: str, by: int) -> None:
        new = self._totals.get(name, 0) + by
        if new:
            self._totals[name] = new
            self._ends.moved(name, new)
        else:
            self._totals.pop(name, None)

    def _expire(self, now: float) -> None:
        """Forget what has left the window."""
        oldest = math.floor((now - self._rules.window) / self._rules.slice) + 1
        while self._slices and next(iter(self._slices)) < oldest:
            self._drop()

    def _drop(self) -> None:
        for name, amount in self._slices.popitem(last=False)[1].items():
            self._move(name, -amount)
