"""What makes an autoscaler be looked at before its time, and nothing else: its own status and its target's change all the time.

changed                                            looked at
an autoscaler's spec, labels or annotations        it, and whoever shares its target, the old one and the new
a gateway begins or ceases to hold requests        the autoscaler that it told
an autoscaler gone                                 whoever shares its target
a HorizontalPodAutoscaler                          its owner, and whoever shares its target
a target made, gone, or of another size            whoever scales it
"""

from __future__ import annotations

from collections.abc import Iterator

from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import demand
from brickyard.controllers.podautoscaler import cards, conflicts, hpa, metrics, targets
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import controller as controllers


class Watching:
    """Asks ``controller`` for passes, and lets go of what was kept of autoscalers that are gone."""

    def __init__(
        self,
        controller: controllers.Controller,
        autoscalers: informers.Informer,
        kept: cards.Cards,
        actions: metrics.ScaleActions,
    ) -> None:
        self._controller = controller
        self._autoscalers = autoscalers
        self._kept = kept
        self._actions = actions

    def begin(self, hpas: informers.Informer, pods: informers.Informer) -> None:
        """Subscribe, and have the caches synced before the first pass; call it once, before anything runs."""
        for each in (self._autoscalers, hpas, pods):
            self._controller.watch(each, _nobody)
        self._autoscalers.subscribe(self.autoscaler_changed)
        hpas.subscribe(self.hpa_changed)

    def autoscaler_changed(self, old: resources.Object | None, new: resources.Object | None) -> None:
        """Handler of the autoscalers' cache."""
        if old is not None and new is not None and _says(old) == _says(new):
            if demand.holding(meta.annotations(old)) != demand.holding(meta.annotations(new)):
                self._controller.enqueue(reconcile.request_for(new))
            return
        for each in (old, new):
            if each is not None:
                self._look_at_all_of(targets.reference(each).identity)
        if new is not None:
            self._controller.enqueue(reconcile.request_for(new))
        elif old is not None:
            self._kept.drop(old)
            self._actions.forget(meta.key(old))

    def hpa_changed(self, old: resources.Object | None, new: resources.Object | None) -> None:
        """Handler of the HorizontalPodAutoscalers' cache."""
        if old is not None and new is not None and hpa.same_news(old, new):
            return
        for each in (old, new):
            if each is not None:
                self._look_at_all_of(targets.reference(each).identity)
                for request in _owner(each):
                    self._controller.enqueue(request)

    def target_changed(self, identity: str, now: resources.Object | None) -> None:
        """Told by ``followers``. What an autoscaler ordered itself gives it no second step before its time."""
        for each in self._autoscalers.indexed(conflicts.BY_TARGET, identity):
            card = self._kept.find(each)
            if card is None or not card.expects(each, now):
                self._controller.enqueue(reconcile.request_for(each))

    def _look_at_all_of(self, identity: str) -> None:
        for each in self._autoscalers.indexed(conflicts.BY_TARGET, identity):
            self._controller.enqueue(reconcile.request_for(each))


_owner = controllers.owned_by(resources.POD_AUTOSCALER)


def _says(autoscaler: resources.Object) -> tuple[object, ...]:
    return (
        autoscaler.get("spec"),
        demand.without(meta.annotations(autoscaler)),
        meta.labels(autoscaler),
        meta.is_deleting(autoscaler),
    )


def _nobody(_: resources.Object) -> Iterator[reconcile.Request]:
    """Mapper: the cache has to be synced before anything is looked at, and its changes are judged elsewhere."""
    return iter(())
