"""The balancer's hands: give Services addresses, and keep their listeners as the endpoints are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin.balancer import plan as planning
from brickyard.embedded.builtin.balancer import proxy
from brickyard.embedded.builtin.service import reconciler as services
from brickyard.kube.client import contract
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import recorder
from brickyard.kube.reconcile import status as statuses

RETRY = 10.0
"""Seconds after which a port that could not be had is tried again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read. ``slices`` must be indexed as the Service controller's are."""

    services: informers.Informer
    slices: informers.Informer


class Reconciler:
    """Keeps addresses and listeners of Services."""

    def __init__(
        self, client: contract.Client, caches: Caches, events: recorder.EventRecorder, balancer: proxy.Balancer
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._balancer = balancer
        self._given: dict[str, Mapping[str, Any]] = {}
        caches.services.subscribe(self._changed)

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        service = self._caches.services.get(*request)
        if service is None:
            await self._balancer.serve(request, ())
            return reconcile.Result()
        slices = self._caches.slices.indexed(services.BY_SERVICE, str(request))
        plan = planning.plan(service, slices, self._taken(service))
        if plan.assign is not None:
            await self._assign(service, plan.assign)
            return reconcile.Result()
        refused = await self._balancer.serve(request, plan.listen)
        for message in [*([plan.unserved] if plan.unserved else []), *(each.message for each in refused)]:
            self._events.record(service, recorder.WARNING, "NotServed", message)
        await self._tell(service, plan.ingress)
        return reconcile.Result(requeue_after=RETRY if refused else None)

    async def _tell(self, service: resources.Object, ingress: str) -> None:
        """What a load balancer's clients connect to: on one machine that is the Service's own address."""
        status = service.get("status") or {}
        told = {"ingress": [{"ip": ingress}]} if ingress else {}
        if (status.get("loadBalancer") or {}) != told:
            await statuses.write(self._client, resources.SERVICE, service, {**status, "loadBalancer": told})

    def _taken(self, service: resources.Object) -> planning.Taken:
        others = [each["spec"] for each in self._caches.services.list() if meta.uid(each) != meta.uid(service)]
        others += [spec for uid, spec in self._given.items() if uid != meta.uid(service)]
        ports = [port for spec in others for port in spec.get("ports") or () if port.get("nodePort")]
        return planning.Taken(
            addresses={spec.get("clusterIP") or "" for spec in others},
            node_ports={(int(each["nodePort"]), str(each.get("protocol") or "TCP")) for each in ports},
        )

    async def _assign(self, service: resources.Object, given: Mapping[str, Any]) -> None:
        # Noted at once: another pass, at work beside this one, must not take it while the cache does not show it.
        self._given[meta.uid(service)] = given
        planned_on = {"uid": meta.uid(service), "resourceVersion": meta.resource_version(service)}
        patch = {"metadata": planned_on, "spec": dict(given)}
        try:
            await self._client.patch(resources.SERVICE, meta.key(service), patch)
        except BaseException:
            self._given.pop(meta.uid(service), None)
            raise

    def _changed(self, old: resources.Object | None, new: resources.Object | None) -> None:
        """What the cache shows need not be remembered."""
        found = new if new is not None else old
        if found is None:
            return
        given = self._given.get(meta.uid(found), {})
        if new is None or all(found["spec"].get(key) for key in given):
            self._given.pop(meta.uid(found), None)
