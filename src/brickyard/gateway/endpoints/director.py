"""Chooses endpoints for the data plane: the live table below, the routing pipeline above.

``PodDirector`` is fed by the pod watch, ``StaticDirector`` by a list that never changes; both fill ``gateway.contract.Director``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from brickyard.api.kinds import resources
from brickyard.gateway import contract
from brickyard.gateway.endpoints import cards, pods, prefixes, ring, settings, summary, table
from brickyard.kube.informers import informer
from brickyard.kvindex import settings as kvindex
from brickyard.lib import clock, timestamps
from brickyard.routing import contract as routing
from brickyard.routing import explain, registry, router
from brickyard.routing.policies.slo import objectives

DEFAULTS: Final = settings.EndpointSettings()
OWNER: Final = "aibrix"
"""``owned_by`` of every model card."""
MIXES: Final = 1024
"""Strategies whose needs are remembered."""
_NOT_FOUND: Final = 404
UNSYNCED: Final = "the Kubernetes API has not told of its pods yet: try again in a moment"


class _Lease:
    """A place in the table and a ticket of routing, given back together."""

    __slots__ = ("_decision", "_now", "_slot", "_table", "_ticket")

    def __init__(
        self, held: table.Table, decision: routing.Decision, ticket: router.Ticket, now: Callable[[], float]
    ) -> None:
        self._slot: table.Slot | None = held.enter(decision.endpoint, decision.decided_at)
        self._table = held
        self._decision = decision
        self._ticket = ticket
        self._now = now

    def answered(self) -> None:
        self._table.answered(self._decision.endpoint, self._decision.decided_at)
        if self._ticket.listeners:
            self._ticket.answered(self._now())

    def release(self, usage: routing.Usage | None = None) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.in_flight -= 1
            if self._ticket.ledgers:
                self._ticket.finished(self._now(), usage)


class TableDirector:
    """A director over a table that somebody else keeps current. ``known``: where prompts went; an index of its own when None.

    Raises:
        PolicyError: the default strategy does not exist or cannot be mixed.
    """

    def __init__(
        self,
        policies: registry.Registry,
        given: settings.EndpointSettings = DEFAULTS,
        *,
        known: prefixes.Prefixes | None = None,
        time: clock.Clock | None = None,
        rng: routing.Random | None = None,
    ) -> None:
        self.prefixes = known or prefixes.Prefixes(kvindex.PrefixSettings())
        self.table = table.Table(self.prefixes.gone, given.slow_start)
        self.described: Callable[[str], cards.Described] = lambda _model: cards.UNKNOWN
        self.dormant: contract.Dormant | None = None
        self._registry = policies
        self._clock = time or clock.SystemClock()
        self._now = self._clock.monotonic
        self._rng = rng if rng is not None else random.Random()  # noqa: S311 - it spreads load and guards nothing
        self._ring = ring.Ring(given.decisions_kept)
        self.promises = objectives.SloLedger(given.fleet_label, given.deployment_label)
        """What deployments can keep, for slo strategies; profiles of the optimizer are told to it."""
        ledgers: dict[str, routing.Ledger] = {prefixes.NAME: self.prefixes, objectives.INPUT.name: self.promises}
        self._router = router.Router(policies, given.strategy, ledgers)
        self._reading: dict[str, bool] = {}
        self.loads_wanted = self._reads_loads(given.strategy)
        """Some strategy that is in use reads what engines say of their load. Once it is so, it stays so."""

    def models(self) -> Sequence[contract.ModelCard]:
        served = self.table.models()
        models = [self._card(name, members) for name, members in sorted(served.items())]
        models += () if self.dormant is None else self.dormant.cards(served)
        return models + [self._adapter_card(name, members) for name, members in sorted(self.table.adapters().items())]

    def strategies(self) -> Sequence[str]:
        return self._registry.names()

    def knows(self, model: str) -> bool:
        return self.table.knows(model) or (self.dormant is not None and self.dormant.knows(model))

    def choose(self, request: routing.Request) -> routing.Decision | routing.NoDecision:
        now = self._now()
        made = self._router.choose(request, self.table.snapshot(request.model, now), now, self._rng)
        if not self.loads_wanted and isinstance(made, routing.Decision):
            self.loads_wanted = self._reads_loads(made.profile.name)
        if isinstance(made, routing.Decision) or made.bad_request or made.snapshot.endpoints:
            return made
        return routing.NoDecision(request, made.snapshot, made.removed, self.absence(request.model), now)

    def _reads_loads(self, strategy: str) -> bool:
        known = self._reading.get(strategy)
        if known is None:
            if len(self._reading) >= MIXES:  # mixes are made up by clients
                self._reading.clear()
            known = self._reading[strategy] = routing.Need.LOADS in self._registry.needs_of(strategy)
        return known

    def absence(self, model: str) -> str:
        """Why nobody can answer for ``model``."""
        if self.dormant is not None and not self.table.knows(model) and self.dormant.knows(model):
            return self.dormant.absence(model)
        return self.table.absence(model)

    def model_rps(self, request: routing.Request) -> int | None:
        config = self.table.config(request.model)
        if config is None:
            return None
        profile = self._router.resolve(request, config).profile
        return None if profile is None else profile.requests_per_second

    def lease(self, decision: routing.Decision) -> contract.Lease:
        return _Lease(self.table, decision, self._router.begin(decision, self._now()), self._now)

    def report_failure(self, endpoint: routing.Endpoint) -> None:
        self.table.failed(endpoint, self._now())

    def record(self, decision: routing.Decision | routing.NoDecision, outcome: contract.Outcome) -> None:
        self._ring.add(decision, outcome)
        if outcome.status != _NOT_FOUND or isinstance(decision, routing.NoDecision):
            return
        if decision.request.model != decision.endpoint.model:
            self.table.doubt(decision.endpoint)

    def explain(self, request_id: str) -> dict[str, object] | None:
        entry = self._ring.find(request_id)
        if entry is None:
            return None
        decided = self._wall(entry.decision.decided_at)
        return explain.explain(entry.decision, ring.ending(entry)) | {"decided_at": timestamps.rfc3339_micro(decided)}

    def summary(self) -> Sequence[dict[str, object]]:
        asleep = {} if self.dormant is None else self.dormant.summary(self.table.models())
        return summary.models(self.table, self._ring, self._now(), self._wall, asleep)

    def _wall(self, moment: float) -> float:
        """A moment of the monotonic clock, in Unix seconds."""
        return self._clock.wall() - (self._clock.monotonic() - moment)

    def _card(self, name: str, members: Sequence[pods.ModelPod]) -> contract.ModelCard:
        ready = sum(len(pod.endpoints) for pod in members if not pod.unready)
        told = self.described(name)
        created = int(min(pod.created for pod in members))
        return contract.ModelCard(name, created, OWNER, ready, told.max_model_len, told.root)

    def _adapter_card(self, name: str, members: Sequence[pods.ModelPod]) -> contract.ModelCard:
        told, parent = self.described(name), members[0].model
        length = told.max_model_len or self.described(parent).max_model_len
        ready = len(self.table.snapshot(name, self._now()).endpoints)
        created = int(min(pod.created for pod in members))
        return contract.ModelCard(name, created, OWNER, ready, length, told.root, parent)


class PodDirector(TableDirector):
    """A director that follows pods."""

    _watch: informer.Informer | None = None

    def follow(self, watch: informer.Informer) -> None:
        """Take pods from ``watch``. Until it has read them all once, any model may exist: asked for one, the director says to wait."""
        self._watch = watch
        watch.subscribe(self.pod_changed)

    def unready(self) -> str:
        """Why requests should go to another gateway for now; "" once the pods are known, even if the API is away later."""
        return "" if self._watch is None or self._watch.synced else UNSYNCED

    def knows(self, model: str) -> bool:
        return super().knows(model) or bool(self.unready())

    def absence(self, model: str) -> str:
        return super().absence(model) if self.table.knows(model) else self.unready() or super().absence(model)

    def pod_changed(self, old: resources.Object | None, new: resources.Object | None) -> None:
        """A pod came (``old`` None), changed, or went (``new`` None)."""
        read = pods.read(new) if new is not None else None
        if read is not None:
            self.table.put(read)
            return
        gone = new if new is not None else old
        if gone is not None:
            self.table.remove(pods.key_of(gone))


class StaticDirector(TableDirector):
    """A director over ``endpoints`` that are always there, for benchmarks and tests."""

    def __init__(
        self,
        endpoints: Iterable[routing.Endpoint],
        policies: registry.Registry,
        given: settings.EndpointSettings = DEFAULTS,
        *,
        time: clock.Clock | None = None,
        rng: routing.Random | None = None,
    ) -> None:
        super().__init__(policies, given, time=time, rng=rng)
        created = self._clock.wall()
        for endpoint in endpoints:
            self.table.put(pods.ModelPod(endpoint.key, "", endpoint.model, created, "", (endpoint,)))
