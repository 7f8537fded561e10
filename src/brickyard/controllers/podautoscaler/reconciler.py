"""The autoscaler's hands: look at the target, measure, decide, scale, tell.

    spec at fault, or the target another's ──► told, nothing done
    strategy HPA ──► a HorizontalPodAutoscaler is kept, its status told
    KPA, APA ──► size ──► metrics ──► ``decide`` ──► the target's size, if it is still what was decided on
                   └─ cannot be read: told                └─ no decision: told, nothing done

Every autoscaler is looked at once a period, at its place in it; at once when its spec, its target's size or a rival changes; and at the
edges of its schedules. Each pass writes the status at most once, and only news.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import types
from brickyard.controllers import errors
from brickyard.controllers.podautoscaler import (
    actuator,
    cards,
    conflicts,
    delegation,
    history,
    metrics,
    observing,
    pods,
    status,
    targets,
    timing,
)
from brickyard.kube.client import contract as clients
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import status as statuses
from brickyard.lib import clock
from brickyard.scaling import bounds, contract, decide, explain, schedule

PERIOD = 10.0
"""Seconds between two looks at one autoscaler."""


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read. Both autoscalers are indexed by ``conflicts.BY_TARGET``."""

    autoscalers: informers.Informer
    hpas: informers.Informer
    pods: pods.Pods


@dataclasses.dataclass(frozen=True, slots=True)
class Tools:
    """What the work is done with."""

    client: clients.Client
    clock: clock.Clock
    cards: cards.Cards
    observer: observing.Observer
    actuator: actuator.Actuator
    actions: metrics.ScaleActions


class Reconciler:
    """Keeps PodAutoscalers, each looked at every ``period`` seconds."""

    def __init__(self, caches: Caches, tools: Tools, *, period: float = PERIOD) -> None:
        self._caches = caches
        self._tools = tools
        self._period = period
        self._delegate = delegation.Delegate(tools.client, caches.hpas)

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        found = self._caches.autoscalers.get(*request)
        if found is None or meta.is_deleting(found):
            return reconcile.Result()
        card = self._tools.cards.of(found)
        reading = card.read(found)
        finding = await self._look(found, card, reading)
        now = self._tools.clock.wall()
        await self._report(found, card, finding, now)
        edge = None if reading.settings is None else schedule.next_transition(reading.settings, now)
        return reconcile.Result(requeue_after=timing.next_look(meta.uid(found), now, self._period, edge, card.waits))

    async def _look(self, found: resources.Object, card: cards.Card, reading: cards.Reading) -> status.Finding:
        if reading.settings is None:
            return status.Finding(fault=reading.fault)
        held = bounds.effective(reading.settings, self._tools.clock.wall())
        shown = status.Bounds(held.minimum, held.maximum, held.schedule)
        start = status.Finding(problems=reading.problems, bounds=shown)
        refusal = self._refusal(found)
        if refusal is not None:
            await self._delegate.withdraw(found)
            card.teller.warn(found, refusal.reason, refusal.text, self._tools.clock.wall())
            return dataclasses.replace(start, refusal=refusal)
        look = cards.Pass(found, card, reading.today, reading.wanted, reading.settings, start, shown)
        if reading.settings.strategy is contract.Strategy.HPA:
            return await self._delegate.keep(look)
        await self._delegate.withdraw(found)
        return await self._scale(look)

    def _refusal(self, found: resources.Object) -> status.Refusal | None:
        wanted = targets.reference(found)
        sharing = self._caches.autoscalers.indexed(conflicts.BY_TARGET, wanted.identity)
        rival = conflicts.winner_over(found, sharing, self._is_valid) if len(sharing) > 1 else None
        if rival is not None:
            text = f"PodAutoscaler {meta.key(rival)} scales {wanted} already: delete one of the two, or name another target"
            return status.Refusal(types.CONFLICT, text)
        other = conflicts.foreign(found, self._caches.hpas.indexed(conflicts.BY_TARGET, wanted.identity))
        if other is not None:
            text = f"HorizontalPodAutoscaler {meta.key(other)} scales {wanted} already: delete one of the two"
            return status.Refusal(status.REASON_FOREIGN_HPA, text)
        return None

    def _is_valid(self, autoscaler: resources.Object) -> bool:
        return self._tools.cards.of(autoscaler).read(autoscaler).fault is None

    # Scaling.

    async def _scale(self, look: cards.Pass) -> status.Finding:
        try:
            targets.check(look.today, look.wanted)
            size = await self._tools.actuator.read(look.wanted)
        except errors.TargetError as error:
            look.card.known = None
            look.card.teller.warn(look.autoscaler, error.reason, str(error), self._tools.clock.wall())
            return dataclasses.replace(look.start, unable=(types.REASON_FAILED_GET_SCALE, str(error)))
        look.card.teller.over(types.EVENT_FAILED_GET_SCALE)
        look.card.teller.over(types.EVENT_FAILED_GET_REPLICAS)
        look.card.waits = None
        look.card.meet(look.wanted, size)
        replicas = self._caches.pods.find(look.wanted.namespace, size.selector)
        made = await self._decide(look, size, replicas)
        look.card.history.add(history.point(made))
        self._tools.actions.record(meta.key(look.autoscaler), made)
        return await self._act(look, made, size, len(replicas))

    async def _decide(
        self, look: cards.Pass, size: targets.Size, replicas: Sequence[resources.Object]
    ) -> contract.Recommendation:
        subject = observing.Subject(look.today, look.settings, look.wanted, size, replicas)
        settings, snapshot = await self._tools.observer.observe(subject, self._tools.clock.wall())
        made = decide.decide(settings, look.card.memory, snapshot, self._tools.clock.wall())
        look.card.settings, look.card.made = settings, made
        return made

    async def _act(
        self, look: cards.Pass, made: contract.Recommendation, size: targets.Size, pods_: int
    ) -> status.Finding:
        teller, words = look.card.teller, explain.short(made)
        found = dataclasses.replace(
            look.start,
            actual=made.current,
            desired=made.desired,
            words=words,
            bounds=status.Bounds(made.minimum, made.maximum, made.schedule),
        )
        if made.desired is None:
            return _undecided(look, made, found, pods_)
        teller.over(types.EVENT_FAILED_COMPUTE_SCALE)
        if not made.moves:
            return found
        step = timing.Step(made.at, made.desired > made.current)
        bounded = made.algorithm == contract.BOUNDARY_CHECK
        look.card.waits = None if bounded else timing.waits(step, look.card.step, self._period)
        if look.card.waits is not None:
            return dataclasses.replace(found, words=f"{words}; it waits: one step was taken a moment ago")
        teller.tell(look.autoscaler, types.EVENT_ALGORITHM_RUN, words)
        return await self._resize(look, size, found, status.Action(made.current, made.desired, made.reason))

    async def _resize(
        self, look: cards.Pass, size: targets.Size, found: status.Finding, action: status.Action
    ) -> status.Finding:
        text = f"New size: {action.after}; reason: {action.reason}"
        # Before it is written: the news of it may be here before the answer.
        look.card.known = action.after
        at = self._tools.clock.wall()
        try:
            await self._tools.actuator.resize(look.wanted, size, action.after)
        except errors.TargetMovedError as error:
            # Who moved it is right for now; what it is now is looked at anew.
            look.card.known = None
            return dataclasses.replace(found, desired=action.before, words=str(error))
        except errors.TargetError as error:
            look.card.known = action.before
            now = self._tools.clock.wall()
            look.card.teller.warn(look.autoscaler, types.EVENT_FAILED_RESCALE, f"{text}; error: {error}", now)
            unable = (types.REASON_FAILED_UPDATE_SCALE, str(error))
            return dataclasses.replace(found, action=dataclasses.replace(action, error=str(error)), unable=unable)
        look.card.step = timing.Step(at, action.after > action.before)
        look.card.teller.over(types.EVENT_FAILED_RESCALE)
        look.card.teller.tell(look.autoscaler, types.EVENT_RESCALED, text)
        return dataclasses.replace(found, action=action)

    # Telling.

    async def _report(self, found: resources.Object, card: cards.Card, finding: status.Finding, now: float) -> None:
        before = card.status if card.status is not None else found.get("status") or {}
        after = status.status(before, finding, meta.generation(found), now)
        stored = found.get("status") or {}
        fresh = 0 <= now - card.written_at < status.WORDS
        if fresh and not status.is_news(stored, after):
            return
        await statuses.write(self._tools.client, resources.POD_AUTOSCALER, found, after)
        card.status, card.written_at = after, now


def _undecided(look: cards.Pass, made: contract.Recommendation, found: status.Finding, pods_: int) -> status.Finding:
    """What is told where nothing was decided. That no pod is there or ready yet is no failure: they start."""
    if made.metrics and all(_starting(each, pods_) for each in made.metrics):
        return dataclasses.replace(found, undecided=status.REASON_WAITING)
    reason = types.EVENT_FAILED_COMPUTE_SCALE
    look.card.teller.warn(look.autoscaler, reason, made.reason, made.at)
    failed = status.Action(made.current, made.current, reason, made.reason)
    return dataclasses.replace(found, action=failed, undecided=reason)


def _starting(told: contract.MetricVerdict, pods_: int) -> bool:
    """Whether nothing is measured because none of ``pods_`` pods can be asked yet."""
    if told.metric.form is not contract.Form.PODS or told.lacking or told.measured:
        return False
    return bool(told.unready) or not pods_
