"""Caches of the kinds that autoscalers name, begun when one first does.

A cluster has kinds that nobody scales; holding all their objects would cost memory for nothing. Who follows is told when a target
appears, goes, or is asked for another size, and of nothing else: their statuses change all the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from brickyard.api.kinds import resources
from brickyard.controllers.podautoscaler import targets
from brickyard.kube.client import contract
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
from brickyard.lib import tasks

Changed = Callable[[str, resources.Object | None], None]
"""Told the identity of a target, and what it is now; None when it is gone."""


class Followers:
    """``of`` begins a cache, ``run`` keeps all of them current."""

    def __init__(self, client: contract.Client) -> None:
        self._client = client
        self._changed: list[Changed] = []
        self._caches: dict[resources.ResourceType, informers.Informer] = {}
        self._begun: asyncio.Queue[informers.Informer] = asyncio.Queue()

    def of(self, kind: resources.ResourceType) -> informers.Informer:
        """The cache of ``kind``, one of ``types.TARGETS``; not synced at once."""
        found = self._caches.get(kind)
        if found is None:
            found = self._caches[kind] = informers.Informer(self._client, kind)
            found.subscribe(lambda old, new: self._told(kind, old, new))
            self._begun.put_nowait(found)
        return found

    def subscribe(self, changed: Changed) -> None:
        """Tell ``changed`` of every target from here on."""
        self._changed.append(changed)

    async def run(self) -> None:
        """Until cancelled. Runs once."""
        async with tasks.Scope("targets") as scope:
            while True:
                found = await self._begun.get()
                scope.start(found.run(), name=found.kind.plural)

    def _told(self, kind: resources.ResourceType, old: resources.Object | None, new: resources.Object | None) -> None:
        if old is not None and new is not None and old.get("spec") == new.get("spec"):
            return
        told = new or old
        if told is not None:
            for changed in self._changed:
                changed(targets.identity(kind.group, kind.kind, *meta.key(told)), new)
