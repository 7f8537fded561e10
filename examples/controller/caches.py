"""What the reconciler reads: three caches, two indexes, and which alias a change concerns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from examples.controller import plan

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.kube.client import contract
from brickyard.kube.informers import informer
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import controller, manager

BY_MODEL, BY_OWNER = "model", "owner"


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """Current copies of what matters to us, and of nothing else."""

    aliases: informer.Informer
    pods: informer.Informer
    config_maps: informer.Informer


def made(runs: manager.Manager) -> Caches:
    """The caches, shared with whatever else ``runs``."""
    ours, models = contract.Query(label_selector=plan.MANAGED), contract.Query(label_selector=names.MODEL_NAME)
    return Caches(
        aliases=runs.cache(plan.MODEL_ALIAS, indexers={BY_MODEL: _model}),
        pods=runs.cache(resources.POD, models, {BY_MODEL: _label}),
        config_maps=runs.cache(resources.CONFIG_MAP, ours, {BY_OWNER: _owner}),
    )


def watched(found: controller.Controller, caches: Caches) -> None:
    """Have every change that can matter to an alias bring it to ``found``."""

    def aliases_of(pod: resources.Object) -> Iterable[reconcile.Request]:
        return [
            reconcile.request_for(each) for value in _label(pod) for each in caches.aliases.indexed(BY_MODEL, value)
        ]

    def alias_of(config_map: resources.Object) -> Iterable[reconcile.Request]:
        return [reconcile.Request(*each.split("/", 1)) for each in _owner(config_map)]

    found.watch(caches.aliases)
    found.watch(caches.pods, aliases_of)
    found.watch(caches.config_maps, alias_of)


def _model(alias: resources.Object) -> Iterable[str]:
    return (f"{meta.namespace(alias)}/{alias['spec']['model']}",)


def _label(pod: resources.Object) -> Iterable[str]:
    model = meta.labels(pod).get(names.MODEL_NAME)
    return (f"{meta.namespace(pod)}/{model}",) if model else ()


def _owner(config_map: resources.Object) -> Iterable[str]:
    owner = meta.annotations(config_map).get(plan.OWNER, "")
    return (owner,) if "/" in owner else ()
