"""The Service controller's hands: read the caches, plan, write EndpointSlices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from brickyard.api.kinds import resources
from brickyard.embedded.builtin.service import plan as planning
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import controller as controllers
from brickyard.kube.reconcile import recorder

BY_SERVICE = "service"


def service_of(endpoint_slice: resources.Object) -> Iterator[str]:
    """Indexer of slices: ``namespace/name`` of the Service they are labelled with."""
    name = meta.labels(endpoint_slice).get(planning.SERVICE_NAME)
    if name:
        yield f"{meta.namespace(endpoint_slice)}/{name}"


def service_request(endpoint_slice: resources.Object) -> Iterator[reconcile.Request]:
    """Mapper from a slice to its Service."""
    name = meta.labels(endpoint_slice).get(planning.SERVICE_NAME)
    if name:
        yield reconcile.Request(meta.namespace(endpoint_slice), name)


def selecting(services: informers.Informer) -> controllers.Mapper:
    """Mapper from a pod to the Services that select it."""

    def mapper(pod: resources.Object) -> Iterator[reconcile.Request]:
        labels = meta.labels(pod).items()
        for service in services.list(meta.namespace(pod)):
            if planning.selects(service) and service["spec"]["selector"].items() <= labels:
                yield reconcile.request_for(service)

    return mapper


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read. ``slices`` must be indexed by ``service_of`` under ``BY_SERVICE``."""

    services: informers.Informer
    pods: informers.Informer
    slices: informers.Informer


class Reconciler:
    """Keeps the EndpointSlices of Services."""

    def __init__(self, client: contract.Client, caches: Caches, events: recorder.EventRecorder) -> None:
        self._client = client
        self._caches = caches
        self._events = events

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        service = self._caches.services.get(*request)
        if service is None:
            return reconcile.Result()
        snapshot = planning.Snapshot(
            service=service,
            pods=self._caches.pods.list(request.namespace),
            slices=self._caches.slices.indexed(BY_SERVICE, str(request)),
        )
        try:
            await self._carry_out(planning.plan(snapshot))
        except (errors.Conflict, errors.AlreadyExists):
            raise  # the cache was behind; the next pass knows more
        except errors.KubeError as error:
            message = f"Error updating Endpoint Slices for Service {request}: {error}"
            self._events.record(service, recorder.WARNING, "FailedToUpdateEndpointSlices", message)
            raise
        return reconcile.Result()

    async def _carry_out(self, plan: planning.Plan) -> None:
        for each in plan.create:
            await self._client.create(resources.ENDPOINT_SLICE, each)
        for each in plan.update:
            await self._client.update(resources.ENDPOINT_SLICE, each)
        for each in plan.delete:
            try:
                options = contract.DeleteOptions(uid=meta.uid(each))
                await self._client.delete(resources.ENDPOINT_SLICE, meta.key(each), options)
            except errors.NotFound:
                continue
