"""Work that each endpoint still has before it, in tokens.

A request owes its endpoint the part of its prompt that is not cached there (until the first byte of the answer) and the tokens it is
expected to generate (until it ends). Sums are of whole tokens, so what comes in goes out to exactly zero. How prefill and decode are
weighed against each other is the policy's affair.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from brickyard.routing import contract
from brickyard.routing.ledgers import outputs, prefixes

NAME: Final = "work"
EXPECTED: Final = 256
"""Tokens a request is taken to generate while nobody knows better."""
MODELS_KEPT: Final = 1024
"""Models whose outputs are remembered; the one that has been silent longest goes first."""

_NOTHING: Final = (0, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """Per row the outstanding tokens of prompts and of answers; and what the request at hand is expected to generate."""

    prefill: Sequence[int]
    decode: Sequence[int]
    expected: int

    def age(self, snapshot: contract.EndpointSnapshot) -> float:
        return 0.0

    def row(self, row: int) -> Mapping[str, object]:
        return {
            "prefill_tokens": self.prefill[row],
            "decode_tokens": self.decode[row],
            "expected_tokens": self.expected,
        }


class WorkLedger:
    """Counts from choice to end."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[contract.Decision, int, int]] = {}
        self._owed: dict[str, tuple[int, int]] = {}
        self._outputs: collections.OrderedDict[str, outputs.Outputs] = collections.OrderedDict()

    def facts(self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float) -> Work:
        owed = self._owed
        if not owed or not snapshot.endpoints:
            nothing = (0,) * len(snapshot.endpoints)
            return Work(nothing, nothing, self._expected(request, now))
        of = owed.get
        prefill, decode = zip(*[of(endpoint.key, _NOTHING) for endpoint in snapshot.endpoints], strict=True)
        return Work(prefill, decode, self._expected(request, now))

    def observe(self, event: contract.Event) -> None:
        decision = event.decision
        if isinstance(event, contract.Chosen):
            prefill, decode = self._cost(decision, event.at)
            self._open[id(decision)] = (decision, prefill, decode)
            self._owe(decision.endpoint.key, prefill, decode)
            return
        held = self._open.get(id(decision))
        if held is None:
            return
        _, prefill, decode = held
        if isinstance(event, contract.Answered):
            self._open[id(decision)] = (decision, 0, decode)
            self._owe(decision.endpoint.key, -prefill, 0)
            return
        del self._open[id(decision)]
        self._owe(decision.endpoint.key, -prefill, -decode)
        usage = event.usage
        if usage is not None and usage.completion_tokens is not None:
            prompt = usage.prompt_tokens if usage.prompt_tokens is not None else decision.request.input_tokens
            self._history(decision.request.model).learn(prompt, usage.completion_tokens, event.at)

    def _cost(self, decision: contract.Decision, now: float) -> tuple[int, int]:
        """Tokens of the prompt to compute, and to generate."""
        request, facts = decision.request, INPUT.of(decision.snapshot)
        matches = prefixes.INPUT.of(decision.snapshot)
        cached = 0
        if matches is not None:
            cached = int(request.input_tokens * matches.share(decision.row))
        expected = facts.expected if facts is not None else self._expected(request, now)
        return request.input_tokens - cached, expected

    def _expected(self, request: contract.Request, now: float) -> int:
        history = self._outputs.get(request.model)
        mean = history.mean(request.input_tokens, now) if history is not None else None
        expected = EXPECTED if mean is None else mean
        return expected if request.max_tokens is None else max(0, min(expected, request.max_tokens))

    def _history(self, model: str) -> outputs.Outputs:
        found = self._outputs.get(model)
        if found is None:
            found = self._outputs[model] = outputs.Outputs()
            if len(self._outputs) > MODELS_KEPT:
                self._outputs.popitem(last=False)
        self._outputs.move_to_end(model)
        return found

    def _owe(self, key: str, prefill: int, decode: int) -> None:
        before = self._owed.get(key, _NOTHING)
        after = (before[0] + prefill, before[1] + decode)
        if after == _NOTHING:
            self._owed.pop(key, None)
        else:
            self._owed[key] = after


INPUT: Final = contract.Input(NAME, Work, WorkLedger)
