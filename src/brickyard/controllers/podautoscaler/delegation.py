"""Strategy HPA: keeps the HorizontalPodAutoscaler that does the work, and takes it away when it should not."""

from __future__ import annotations

import contextlib
import dataclasses

from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import types
from brickyard.controllers.podautoscaler import cards, hpa, status
from brickyard.kube.client import contract
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta, owners

_KIND = resources.HORIZONTAL_POD_AUTOSCALER


class Delegate:
    """Writes HorizontalPodAutoscalers; ``cache`` holds them."""

    def __init__(self, client: contract.Client, cache: informers.Informer) -> None:
        self._client = client
        self._cache = cache

    async def keep(self, look: cards.Pass) -> status.Finding:
        """Make it what the autoscaler asks for; what it says of itself."""
        found = dataclasses.replace(look.start, problems=look.start.problems + tuple(hpa.unseen(look.today)))
        wanted = hpa.build(look.today, look.settings, look.bounds)
        live = self._cache.get(*meta.key(wanted))
        if live is not None and not owners.is_controlled_by(live, look.autoscaler):
            text = f"HorizontalPodAutoscaler {meta.key(wanted)} is not this autoscaler's: rename one of the two"
            return dataclasses.replace(found, unable=(types.REASON_FAILED_UPDATE_SCALE, text))
        if live is None or look.card.asked not in (None, wanted) or not hpa.is_up_to_date(live, wanted):
            live = await self._client.apply(_KIND, wanted, contract.ApplyOptions(force=True))
        look.card.asked = wanted
        told = hpa.told(live)
        actual, desired = int(told.get("currentReplicas") or 0), int(told.get("desiredReplicas") or 0)
        return dataclasses.replace(found, actual=actual, desired=desired, mirrored=told)

    async def withdraw(self, autoscaler: resources.Object) -> None:
        """Delete it, if there is one of ``autoscaler``'s: another strategy, or another autoscaler, does the work now."""
        place = (meta.namespace(autoscaler), hpa.name_of(autoscaler))
        live = self._cache.get(*place)
        if live is None or not owners.is_controlled_by(live, autoscaler) or meta.is_deleting(live):
            return
        with contextlib.suppress(kube_errors.NotFound):
            await self._client.delete(_KIND, place, contract.DeleteOptions(uid=meta.uid(live)))
