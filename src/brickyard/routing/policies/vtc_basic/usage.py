"""Tokens that each user was charged for within a sliding window.

A request is charged when it is sent, by estimate: a token for every four bytes of prompt and one and a half times as many generated.
When it ends and the engine has counted, the difference is charged or given back, in the slice of time in which it was charged; a slice
that has left the window is left alone. Charges are never below zero.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Mapping
from typing import Final

from brickyard.routing import contract

OUTPUT_PER_INPUT: Final = 1.5
USERS_KEPT: Final = 65536
"""Users with charges in the window; while there are more, the oldest slice of time is forgotten early."""
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


class UsageLedger:
    """Charges by slice of time and user, in thousandths of a token: what comes in goes out to exactly zero."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._slices: collections.OrderedDict[int, dict[str, int]] = collections.OrderedDict()
        self._totals: dict[str, int] = {}
        self._open: dict[int, tuple[contract.Decision, int, int]] = {}
        self._extremes: tuple[int, int] | None = None

    def facts(self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float) -> Used:
        self._expire(now)
        own = self._totals.get(request.user, 0) / PARTS if request.user else math.nan
        if not self._totals:
            return Used(own, self._rules.least, self._rules.most)
        if self._extremes is None:
            self._extremes = (min(self._totals.values()), max(self._totals.values()))
        return Used(own, self._extremes[0] / PARTS, self._extremes[1] / PARTS)

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
        """Change a user's total, and the extremes where that is possible without looking at everybody."""
        old = self._totals.get(name)
        new = (old or 0) + by
        if new:
            self._totals[name] = new
        else:
            self._totals.pop(name, None)
        if self._extremes is not None:
            least, most = self._extremes
            # Whoever was at an end and moved inwards leaves the end to somebody unknown.
            inwards = (old == least and (by > 0 or not new)) or (old == most and by < 0)
            self._extremes = None if inwards or not new else (min(least, new), max(most, new))

    def _expire(self, now: float) -> None:
        """Forget what has left the window."""
        oldest = math.floor((now - self._rules.window) / self._rules.slice) + 1
        while self._slices and next(iter(self._slices)) < oldest:
            self._drop()

    def _drop(self) -> None:
        for name, amount in self._slices.popitem(last=False)[1].items():
            self._move(name, -amount)
