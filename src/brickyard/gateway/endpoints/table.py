"""The live table: which pods serve which model, what is in flight on each endpoint, what its engine last said.

One ``Slot`` per endpoint holds what changes; the director's leases hold slots and not names, so that a counter can neither drift nor go
negative whatever happens to the pod meanwhile:

* a pod that is updated, or unready for a while, keeps its slots and with them its counts;
* a pod that is gone takes its slots out of the table; leases that are still out count down on them, unseen;
* a successor of the same name (another uid) gets new slots and starts at 0.

LoRA adapters are models of their own here: an adapter's rows are the endpoints whose engines list it, and their slots are those of the
model that it adapts, so that one count holds for everything an engine does. A model that a pod is labelled with goes before an adapter of
the same name. An endpoint that comes back ready has to list its adapters again before it gets requests for them.

Where several gateways share what they have open, a slot's count is the sum over all of them, kept as it changes; what is the others' in it
is kept apart.

Snapshots are made per request: rows and engine loads are tuples shared until membership or a scrape changes them, and only the counts
are read anew. Single-threaded by design: every method runs on the event loop and none awaits.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Set

from brickyard.api import serving
from brickyard.gateway.endpoints import breaker, pods, profiles
from brickyard.routing import contract, modelconfig

NEVER = -math.inf
"""When an engine that never answered was last heard."""

LEAST_SHARE = 0.1
"""Of the requests that an endpoint could take, the share that it is offered when it is quite new."""


class Slot:
    """What changes about one endpoint while it exists."""

    __slots__ = (
        "adapters",
        "breaker",
        "doubted",
        "elsewhere",
        "endpoint",
        "heard_at",
        "in_flight",
        "listed",
        "load",
        "since",
    )

    def __init__(self, endpoint: contract.Endpoint) -> None:
        self.endpoint = endpoint
        self.adapters: frozenset[str] = frozenset()
        self.listed = False
        self.doubted = False
        self.in_flight = 0
        self.elsewhere = 0
        self.load: serving.EngineLoad | None = None
        self.heard_at = NEVER
        self.breaker = breaker.CLOSED
        self.since: float | None = None


@dataclasses.dataclass(slots=True)
class _Member:
    """A pod and its slots, one per endpoint."""

    pod: pods.ModelPod
    slots: tuple[Slot, ...]


class _View:
    """A model's members and the rows made of those that are routable; of an ``adapter``, those that hold it."""

    __slots__ = (
        "adapter",
        "config",
        "endpoints",
        "faults",
        "greeted",
        "heard_at",
        "loads",
        "loads_stale",
        "members",
        "rows_stale",
        "slots",
        "version",
        "young_until",
    )

    def __init__(self, adapter: str = "") -> None:
        self.adapter = adapter
        self.members: dict[str, _Member] = {}
        self.slots: tuple[Slot, ...] = ()
        self.endpoints: tuple[contract.Endpoint, ...] = ()
        self.loads: tuple[serving.EngineLoad | None, ...] = ()
        self.heard_at: tuple[float, ...] = ()
        self.config: modelconfig.ModelConfig | None = None
        self.faults: Mapping[str, str] = contract.NOTHING_KNOWN
        self.rows_stale = True
        self.loads_stale = True
        self.version = 0
        self.greeted = 0
        self.young_until = NEVER

    def greet(self, now: float, ramp: float) -> None:
        """Note since when endpoints that have come are there; those that were there first never were new."""
        for slot in self.slots:
            if slot.since is None:
                slot.since = now if self.greeted else NEVER
            self.young_until = max(self.young_until, slot.since + ramp)
        self.greeted = self.version

    def holds(self, slot: Slot) -> bool:
        """Whether a slot of a member can take requests for this model, for all that its engine has said."""
        return not self.adapter or (slot.listed and self.adapter in slot.adapters)

    def refresh(self, read: profiles.Reader) -> None:
        """Make the shared tuples again if what they are made of has changed."""
        if self.rows_stale:
            routable = (slot for member in self.members.values() if not member.pod.unready for slot in member.slots)
            self.slots = tuple(sorted(filter(self.holds, routable), key=lambda slot: slot.endpoint.key))
            self.endpoints = tuple(slot.endpoint for slot in self.slots)
            self.config, self.faults = read.chosen(member.pod for member in self.members.values())
            self.rows_stale, self.loads_stale = False, True
        if self.loads_stale:
            self.loads = tuple(slot.load for slot in self.slots)
            self.heard_at = tuple(slot.heard_at for slot in self.slots)
            self.loads_stale = False


class Table:
    """Pods by model, and one slot per endpoint. ``gone`` hears the keys of endpoints that are no more, their memory with them.

    ``ramp``: seconds over which the share of requests that a new endpoint is offered grows to all; 0: it is never called new.
    """

    def __init__(self, gone: Callable[[str], None] | None = None, ramp: float = 0.0) -> None:
        self._ramp = ramp
        self._gone = gone
        self._views: dict[str, _View] = {}
        self._adapters: dict[str, _View] = {}
        self._profiles = profiles.Reader()
        self._model_of: dict[str, str] = {}
        self._slots: dict[str, Slot] = {}
        self._suspects: set[str] = set()
        self._version = 0
        self._elsewhere: Mapping[str, int] = {}

    def put(self, pod: pods.ModelPod) -> None:
        """Learn of a pod or of its new state."""
        old = self._member(pod.key)
        if old is not None and old.pod == pod:
            return
        self._take_out(pod.key)
        same = old is not None and old.pod.uid == pod.uid
        kept = {slot.endpoint.key: slot for slot in old.slots} if old is not None and same else {}
        if old is not None:
            self._tell_gone(old, kept.keys() & {endpoint.key for endpoint in pod.endpoints})
        slots = tuple(kept.get(endpoint.key) or self._new(endpoint) for endpoint in pod.endpoints)
        for slot, endpoint in zip(slots, pod.endpoints, strict=True):
            slot.endpoint = endpoint
            if old is not None and old.pod.unready and not pod.unready:
                slot.since, slot.listed = None, False
                slot.breaker = breaker.CLOSED  # readiness is fresher evidence than connections that failed before it
            self._index(slot)
        view = self._views.setdefault(pod.model, _View())
        view.members[pod.key] = member = _Member(pod, slots)
        self._model_of[pod.key] = pod.model
        self._changed(view)
        for name in frozenset[str]().union(*(slot.adapters for slot in slots)):
            self._joined(name, member)

    def remove(self, key: str) -> None:
        """Forget the pod ``namespace/name``; unknown pods are fine."""
        old = self._member(key)
        self._take_out(key)
        if old is not None:
            self._tell_gone(old, frozenset())

    def _tell_gone(self, old: _Member, kept: Set[str]) -> None:
        """Say which of a pod's endpoints are no more: those whose slots were not ``kept``."""
        for slot in old.slots if self._gone is not None else ():
            if slot.endpoint.key not in kept and self._gone is not None:
                self._gone(slot.endpoint.key)

    def _take_out(self, key: str) -> None:
        model = self._model_of.pop(key, None)
        if model is None:
            return
        view = self._views[model]
        for slot in view.members.pop(key).slots:
            del self._slots[slot.endpoint.key]
            self._suspects.discard(slot.endpoint.key)
            for name in slot.adapters:
                self._parted(name, key)
        if view.members:
            self._changed(view)
        else:
            del self._views[model]

    def models(self) -> Mapping[str, tuple[pods.ModelPod, ...]]:
        """Every model and its pods, ready or not."""
        return {name: tuple(member.pod for member in view.members.values()) for name, view in self._views.items()}

    def adapters(self) -> Mapping[str, tuple[pods.ModelPod, ...]]:
        """Every adapter and the pods whose engines list it or did when they were last ready; without those that have a model's name."""
        return {
            name: tuple(member.pod for _, member in sorted(view.members.items()))
            for name, view in self._adapters.items()
            if name not in self._views
        }

    def knows(self, model: str) -> bool:
        """Whether any pod, ready or not, claims to serve ``model``, or its engine to hold such an adapter."""
        return model in self._views or model in self._adapters

    def lists(self, slot: Slot, adapters: frozenset[str]) -> None:
        """The engine of ``slot`` lists these adapters; what it held before and does not list is gone."""
        if self._slots.get(slot.endpoint.key) is not slot or (slot.listed and slot.adapters == adapters):
            return
        member = next(each for each in self._views[slot.endpoint.model].members.values() if slot in each.slots)
        before, slot.adapters, slot.listed = slot.adapters, adapters, True
        for name in adapters:
            self._joined(name, member)
        for name in before - adapters:
            if any(name in each.adapters for each in member.slots):
                self._changed(self._adapters[name])
            else:
                self._parted(name, member.pod.key)

    def doubt(self, endpoint: contract.Endpoint) -> None:
        """The engine of ``endpoint`` knew nothing of an adapter that it had listed: whoever reads its list should do so soon."""
        slot = self._slots.get(endpoint.key)
        if slot is not None:
            slot.doubted = True

    def _joined(self, name: str, member: _Member) -> None:
        view = self._adapters.setdefault(name, _View(name))
        view.members[member.pod.key] = member
        self._changed(view)

    def _parted(self, name: str, key: str) -> None:
        view = self._adapters.get(name)
        if view is None or view.members.pop(key, None) is None:
            return
        if view.members:
            self._changed(view)
        else:
            del self._adapters[name]

    def _view(self, model: str) -> _View | None:
        return self._views.get(model) or self._adapters.get(model)

    def snapshot(self, model: str, now: float) -> contract.EndpointSnapshot:
        """The routable endpoints of ``model`` at ``now``, ordered by key; empty for an unknown model."""
        view = self._view(model)
        if view is None:
            return contract.EndpointSnapshot((), (), (), (), self._version)
        if view.rows_stale or view.loads_stale:
            view.refresh(self._profiles)
        return contract.EndpointSnapshot(
            view.endpoints,
            tuple([slot.in_flight for slot in view.slots]),
            view.loads,
            contract.Ages(view.heard_at, now),
            view.version,
            self._barred(view, now) if self._suspects else contract.NOTHING_REMOVED,
            view.config,
            contract.NOTHING_KNOWN,
            self._young(view, now) if self._ramp else contract.NOBODY_YOUNG,
        )

    def config(self, model: str) -> modelconfig.ModelConfig | None:
        """The model's routing profiles; None where no pod has any."""
        view = self._view(model)
        if view is None:
            return None
        if view.rows_stale:
            view.refresh(self._profiles)
        return view.config

    def faults(self, model: str) -> Mapping[str, str]:
        """What is wrong with the profiles that the model's pods carry, by pod's key."""
        view = self._view(model)
        if view is None:
            return contract.NOTHING_KNOWN
        if view.rows_stale:
            view.refresh(self._profiles)
        return view.faults

    def enter(self, endpoint: contract.Endpoint, now: float) -> Slot:
        """Count a request on ``endpoint``: whoever asks counts it down again. Nobody's slot if it left the table since it was chosen."""
        slot = self._slots.get(endpoint.key)
        if slot is None:
            slot = Slot(endpoint)
        elif slot.breaker is not breaker.CLOSED:
            slot.breaker = breaker.sent(slot.breaker, now)
        slot.in_flight += 1
        return slot

    def failed(self, endpoint: contract.Endpoint, now: float) -> None:
        """A connection to ``endpoint`` failed before it answered."""
        slot = self._slots.get(endpoint.key)
        if slot is not None and slot.endpoint.address == endpoint.address:
            slot.breaker = breaker.failed(slot.breaker, now)
            self._suspects.add(endpoint.key)

    def answered(self, endpoint: contract.Endpoint, sent_at: float) -> None:
        """``endpoint`` answered a request that was sent at ``sent_at``."""
        if endpoint.key not in self._suspects:
            return
        slot = self._slots[endpoint.key]
        if breaker.answered(slot.breaker, sent_at) is breaker.CLOSED:
            slot.breaker = breaker.CLOSED
            self._suspects.discard(endpoint.key)

    def heard(self, slot: Slot, load: serving.EngineLoad | None, at: float) -> None:
        """An engine said something at ``at``; None: it has been silent too long for its last words to count."""
        slot.load, slot.heard_at = (load, at) if load is not None else (None, NEVER)
        view = self._views.get(slot.endpoint.model)
        if view is not None:
            view.loads_stale = True
        for name in slot.adapters:
            if name in self._adapters:
                self._adapters[name].loads_stale = True

    def endpoints(self) -> Mapping[str, contract.Endpoint]:
        """Every endpoint by key, routable or not."""
        return {key: slot.endpoint for key, slot in self._slots.items()}

    def routable(self) -> Iterable[Slot]:
        """The slots of all endpoints that can take requests, over all models."""
        for view in self._views.values():
            view.refresh(self._profiles)
            yield from view.slots

    def share(self, elsewhere: Mapping[str, int]) -> None:
        """``elsewhere``: requests of other gateways by endpoint's key, which its owner keeps; of each change ``changed`` is to be told."""
        self._elsewhere = elsewhere

    def changed(self, key: str, elsewhere: int) -> None:
        """Other gateways have so many requests on an endpoint now. One that is not known here (yet) is fine."""
        slot = self._slots.get(key)
        if slot is not None:
            slot.in_flight += elsewhere - slot.elsewhere
            slot.elsewhere = elsewhere

    def open_here(self) -> dict[str, int]:
        """This gateway's own requests by endpoint's key, where there are any."""
        return {
            key: slot.in_flight - slot.elsewhere
            for key, slot in self._slots.items()
            if slot.in_flight != slot.elsewhere
        }

    def holds(self, key: str) -> bool:
        """Whether there is an endpoint of this key, routable or not."""
        return key in self._slots

    def absence(self, model: str) -> str:
        """Why ``model`` has no routable endpoint, and what to look at."""
        view = self._view(model)
        if view is None:
            return f"no pod serves model {model!r}: give one the label model.aibrix.ai/name={model}"
        told = [f"{member.pod.key} {member.pod.unready}" for member in view.members.values() if member.pod.unready]
        if view.adapter and not told:
            return f"adapter {model!r} is held by pods that have not listed it again since they are ready: try again in a moment"
        named = "; ".join(sorted(told)[:3]) + (f"; and {len(told) - 3} more" if len(told) > 3 else "")
        return f"model {model!r} has no pod that can take requests now: {named}"

    def inconsistencies(self) -> list[str]:
        """What does not hold although it must between any two calls; empty as long as this module is right."""
        wrong: list[str] = []
        found: dict[str, Slot] = {}
        for model, view in self._views.items():
            if not view.members:
                wrong.append(f"model {model!r} has no pods left")
            for key, member in view.members.items():
                if self._model_of.get(key) != model or member.pod.model != model:
                    wrong.append(f"pod {key} stands under {model!r} and serves {member.pod.model!r}")
                if tuple(slot.endpoint for slot in member.slots) != member.pod.endpoints:
                    wrong.append(f"pod {key} has other slots than endpoints")
                found.update((slot.endpoint.key, slot) for slot in member.slots)
        if self._held() != {name: view.members for name, view in self._adapters.items()}:
            wrong.append("the adapters that engines list and their pods differ")
        if found != self._slots:
            wrong.append("the index of slots and the pods' slots differ")
        suspects = {key for key, slot in found.items() if slot.breaker is not breaker.CLOSED}
        if suspects != self._suspects:
            wrong.append(f"suspects are {sorted(self._suspects)} and should be {sorted(suspects)}")
        wrong += [f"{key} counts {slot.in_flight}" for key, slot in found.items() if slot.in_flight < slot.elsewhere]
        wrong += [
            f"{key} is off by others' requests"
            for key, slot in found.items()
            if slot.elsewhere != self._elsewhere.get(key, 0)
        ]
        return wrong

    def _held(self) -> dict[str, dict[str, _Member]]:
        """Adapters and their pods, as the slots have them."""
        held: dict[str, dict[str, _Member]] = {}
        for key, member in ((key, member) for view in self._views.values() for key, member in view.members.items()):
            for name in frozenset[str]().union(*(slot.adapters for slot in member.slots)):
                held.setdefault(name, {})[key] = member
        return held

    def _member(self, key: str) -> _Member | None:
        model = self._model_of.get(key)
        return None if model is None else self._views[model].members[key]

    def _new(self, endpoint: contract.Endpoint) -> Slot:
        slot = Slot(endpoint)
        slot.in_flight = slot.elsewhere = self._elsewhere.get(endpoint.key, 0)
        return slot

    def _index(self, slot: Slot) -> None:
        self._slots[slot.endpoint.key] = slot
        if slot.breaker is not breaker.CLOSED:
            self._suspects.add(slot.endpoint.key)

    def _changed(self, view: _View) -> None:
        self._version += 1
        view.version = self._version
        view.rows_stale = True

    def _young(self, view: _View, now: float) -> Mapping[int, float]:
        if view.greeted != view.version:
            view.greet(now, self._ramp)
        if now >= view.young_until:
            return contract.NOBODY_YOUNG
        ages = ((row, now - slot.since) for row, slot in enumerate(view.slots) if slot.since is not None)
        return {row: max(LEAST_SHARE, age / self._ramp) for row, age in ages if age < self._ramp}

    def _barred(self, view: _View, now: float) -> Mapping[int, str]:
        return {
            row: breaker.reason(slot.breaker, now) for row, slot in enumerate(view.slots) if slot.breaker.bars(now)
        } or contract.NOTHING_REMOVED
