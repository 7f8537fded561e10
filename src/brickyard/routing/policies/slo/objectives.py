"""Whether each endpoint can keep what is promised, and how much of it one more request takes.

    rank        = waited + expected - target                 seconds; above 0 a promise will be broken
    consumption = 1 / (throughput * e2e)                     the share of an engine that the request takes while it runs
    utilisation = consumption of all requests in flight there

| first objective set | target | expected |
|---|---|---|
| tpot | tpot * generated tokens + ttft | e2e |
| ttft | ttft | ttft |
| tpat | tpat * (prompt + generated tokens) | e2e |
| e2e | e2e | e2e |
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

from brickyard.api import names
from brickyard.lib import values
from brickyard.routing import contract, noise
from brickyard.routing.ledgers import outputs
from brickyard.routing.policies.slo import profiles

PARTS: Final = 1_000_000_000
"""Parts of an engine that utilisation is counted in: whole numbers, so that what comes in goes out to exactly zero."""
MODELS_KEPT: Final = 1024
LEAST_SERVED: Final = 1e-6
"""Requests that an engine of a profile has under way at once, below which that is no measurement."""


@values.value
class Prospect:
    """One endpoint: its deployment, the rank (None without a usable profile), consumption (None where that cannot say), utilisation."""

    deployment: str
    rank: float | None
    consumption: float | None
    utilisation: float

    @property
    def after(self) -> float:
        """Utilisation with the request on it."""
        return self.utilisation + (self.consumption or 0.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Prospects:
    """``Prospect`` per row, for an answer of ``output_tokens``."""

    rows: Sequence[Prospect]
    output_tokens: int

    def age(self, snapshot: contract.EndpointSnapshot) -> float:
        return 0.0

    def row(self, row: int) -> Mapping[str, object]:
        return dataclasses.asdict(self.rows[row]) | {"output_tokens": self.output_tokens}

    @property
    def urgency(self) -> float | None:
        """The rank where the request is best off: of several that wait, the one with the highest goes first. None: nothing is promised."""
        return min((each.rank for each in self.rows if each.rank is not None), default=None)


class SloLedger:
    """Profiles by model and deployment, what is in flight by endpoint, and lengths of answers."""

    def __init__(self, fleet_label: str = names.RAY_CLUSTER_FLEET_NAME, deployment_label: str = names.APP_NAME) -> None:
        self._labels = (fleet_label, deployment_label)
        self._profiles: dict[tuple[str, str], profiles.GpuProfile] = {}
        self._open: dict[int, tuple[contract.Decision, int]] = {}
        self._used: dict[str, int] = {}
        self._named: dict[str, tuple[tuple[contract.Endpoint, ...], Sequence[str]]] = {}
        self._outputs: collections.OrderedDict[str, outputs.Outputs] = collections.OrderedDict()

    def learn(self, model: str, profile: profiles.GpuProfile) -> None:
        """A profile was read; an older one than is known already changes nothing."""
        known = self._profiles.get((model, profile.deployment))
        if known is None or known.created < profile.created:
            self._profiles[model, profile.deployment] = profile

    def forget(self, model: str, deployment: str) -> None:
        """The profile is gone; fine if it never was."""
        self._profiles.pop((model, deployment), None)

    def facts(self, request: contract.Request, snapshot: contract.EndpointSnapshot, now: float) -> Prospects:
        history = self._outputs.get(request.model)
        chance = noise.uniform(request.id, 0)
        length = history.draw(request.input_tokens, chance, now) if history is not None else outputs.UNHEARD
        names_of = self._deployments(request.model, snapshot.endpoints)
        known = {name: judged(self._profiles.get((request.model, name)), request, length) for name in set(names_of)}
        used = self._used.get
        return Prospects(
            [
                Prospect(name, *known[name], used(endpoint.key, 0) / PARTS)
                for name, endpoint in zip(names_of, snapshot.endpoints, strict=True)
            ],
            length,
        )

    def observe(self, event: contract.Event) -> None:
        decision = event.decision
        if isinstance(event, contract.Chosen):
            facts = INPUT.of(decision.snapshot)
            amount = round(PARTS * (facts.rows[decision.row].consumption or 0.0)) if facts is not None else 0
            self._open[id(decision)] = (decision, amount)
            self._use(decision.endpoint.key, amount)
        elif isinstance(event, contract.Finished):
            held = self._open.pop(id(decision), None)
            if held is None:
                return
            self._use(decision.endpoint.key, -held[1])
            usage = event.usage
            if usage is not None and usage.completion_tokens is not None:
                prompt = usage.prompt_tokens if usage.prompt_tokens is not None else decision.request.input_tokens
                self._history(decision.request.model).learn(prompt, usage.completion_tokens, event.at)

    def _deployments(self, model: str, endpoints: tuple[contract.Endpoint, ...]) -> Sequence[str]:
        """Each endpoint's deployment; worked out when pods come or go."""
        known = self._named.get(model)
        if known is None or known[0] is not endpoints:
            found = [deployment(endpoint, *self._labels) for endpoint in endpoints]
            known = self._named[model] = (endpoints, found)
            if len(self._named) > MODELS_KEPT:
                del self._named[next(iter(self._named))]
        return known[1]

    def _use(self, key: str, amount: int) -> None:
        used = self._used.get(key, 0) + amount
        if used:
            self._used[key] = used
        else:
            self._used.pop(key, None)

    def _history(self, model: str) -> outputs.Outputs:
        found = self._outputs.setdefault(model, outputs.Outputs())
        self._outputs.move_to_end(model)
        if len(self._outputs) > MODELS_KEPT:
            self._outputs.popitem(last=False)
        return found


def judged(
    profile: profiles.GpuProfile | None, request: contract.Request, output_tokens: int
) -> tuple[float | None, float | None]:
    """Rank and consumption of ``request`` on a deployment with ``profile``."""
    if profile is None:
        return None, None
    prompt_tokens, promised = request.input_tokens, profile.objectives
    cell = profile.cell(output_tokens, prompt_tokens)
    target, expected = 0.0, cell.e2e
    if promised.tpot > 0:
        target = promised.tpot * output_tokens + promised.ttft
    elif promised.ttft > 0:
        target, expected = promised.ttft, cell.ttft
    elif promised.tpat > 0:
        target = promised.tpat * (prompt_tokens + output_tokens)
    elif promised.e2e > 0:
        target = promised.e2e
    served = (cell.throughput or 0.0) * (cell.e2e or 0.0)
    consumption = 1.0 / served if served > LEAST_SERVED else None
    if target <= 0 or expected is None:
        return None, consumption
    return request.waited + expected - target, consumption


def deployment(endpoint: contract.Endpoint, fleet_label: str, deployment_label: str) -> str:
    """The name under which profiles know an endpoint's pod: its fleet's, its application's, or what made it."""
    labels = endpoint.labels
    named = labels.get(fleet_label)
    if not named and names.RAY_NODE_TYPE not in labels:
        named = labels.get(deployment_label)
    if named:
        return named
    made, _, _ = endpoint.pod.rpartition("-")
    # A ReplicaSet's name is its Deployment's and the hash that its pods carry as a label.
    return made.removesuffix(f"-{labels.get(names.POD_TEMPLATE_HASH, '')}")


INPUT: Final = contract.Input("slo", Prospects, SloLedger)
