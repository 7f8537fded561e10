"""Puts the parts of the PodAutoscaler's controller together and hands them to a manager."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import prometheus_client

from brickyard.api.kinds import resources
from brickyard.controllers import pages, settings
from brickyard.controllers.podautoscaler import (
    actuator,
    cards,
    conflicts,
    followers,
    metrics,
    observing,
    pods,
    reconciler,
    watching,
)
from brickyard.controllers.podautoscaler import pages as own_pages
from brickyard.controllers.podautoscaler.sources import contract as sources
from brickyard.kube.reconcile import controller as controllers
from brickyard.kube.reconcile import manager as managers
from brickyard.lib import backoff

NAME: Final = "pod-autoscaler-controller"
COMPONENT: Final = "PodAutoscaler"
"""Who events come from, as AIBrix writes it."""
DEADLINE: Final = 10.0
"""Seconds that one pass may take."""
RETRY: Final = backoff.Backoff(1.0, 2.0, 30.0)
"""After the API failed: what is measured then is worth more than patience."""

_INDEX: Final = {conflicts.BY_TARGET: conflicts.indexer}


@dataclasses.dataclass(frozen=True, slots=True)
class Means:
    """What the controller works with.

    Attributes:
        source: reads every kind of metric.
        witnesses: know more than that.
        registry: of the metrics page.
    """

    source: sources.Source
    registry: prometheus_client.CollectorRegistry
    witnesses: Sequence[observing.Witness] = ()


def add(manager: managers.Manager, means: Means, given: settings.ControllersSettings) -> Mapping[str, pages.Page]:
    """Let ``manager`` keep PodAutoscalers; the pages about them."""
    autoscalers = manager.cache(resources.POD_AUTOSCALER, indexers=_INDEX)
    hpas = manager.cache(resources.HORIZONTAL_POD_AUTOSCALER, indexers=_INDEX)
    actions = metrics.ScaleActions()
    means.registry.register(actions)
    kept = cards.Cards(manager.recorder(COMPONENT))
    following = followers.Followers(manager.client)
    tools = reconciler.Tools(
        manager.client,
        manager.clock,
        kept,
        observing.Observer(means.source, means.witnesses),
        actuator.Actuator(manager.client, following),
        actions,
    )
    caches = reconciler.Caches(autoscalers, hpas, pods.Pods(manager.cache(resources.POD)))
    work = reconciler.Reconciler(caches, tools, period=given.autoscaler_period)
    made = controllers.Controller(NAME, work, workers=given.autoscaler_workers, backoff=RETRY, deadline=DEADLINE)
    watched = watching.Watching(made, autoscalers, kept, actions)
    watched.begin(hpas, manager.cache(resources.POD))
    following.subscribe(watched.target_changed)
    manager.add(made)
    manager.while_leading("targets", following.run)
    return own_pages.Pages(autoscalers, kept, given.autoscaler_period).table()
