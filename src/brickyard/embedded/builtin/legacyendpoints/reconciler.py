"""The Endpoints controller's hands: read the caches, plan, write one object."""

from __future__ import annotations

import dataclasses

from brickyard.api.kinds import resources
from brickyard.embedded.builtin.legacyendpoints import plan as planning
from brickyard.kube.client import contract
from brickyard.kube.informers import informer as informers
from brickyard.kube.reconcile import contract as reconcile


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read."""

    services: informers.Informer
    pods: informers.Informer
    endpoints: informers.Informer


class Reconciler:
    """Keeps the Endpoints of Services."""

    def __init__(self, client: contract.Client, caches: Caches) -> None:
        self._client = client
        self._caches = caches

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        service = self._caches.services.get(*request)
        if service is None:
            return reconcile.Result()
        plan = planning.plan(service, self._caches.pods.list(request.namespace), self._caches.endpoints.get(*request))
        # A cache that was behind is told by AlreadyExists or Conflict; the next pass knows more.
        if plan.create is not None:
            await self._client.create(resources.ENDPOINTS, plan.create)
        if plan.update is not None:
            await self._client.update(resources.ENDPOINTS, plan.update)
        return reconcile.Result()
