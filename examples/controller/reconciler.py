"""Reads what is, asks ``plan`` what to do, does it. No decision is made here."""

from __future__ import annotations

import contextlib

from examples.controller import caches, plan

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import finalizers, recorder, status
from brickyard.lib import clock, timestamps

_AS_US = contract.ApplyOptions("modelalias-controller", force=True)


class ModelAliasReconciler:
    """Keeps the ConfigMaps of each ModelAlias."""

    def __init__(
        self, client: contract.Client, held: caches.Caches, events: recorder.EventRecorder, time: clock.Clock
    ) -> None:
        self._client = client
        self._caches = held
        self._events = events
        self._time = time

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        alias = self._caches.aliases.get(*request)
        if alias is None:
            return reconcile.Result()
        pods = self._caches.pods.indexed(caches.BY_MODEL, f"{request.namespace}/{alias['spec']['model']}")
        held = self._caches.config_maps.indexed(caches.BY_OWNER, str(request))
        decided = plan.plan(alias, pods, held, timestamps.rfc3339(self._time.wall()))
        if decided.mark is plan.Mark.ADD:
            await finalizers.ensure(self._client, plan.MODEL_ALIAS, alias, plan.FINALIZER)
            return reconcile.Result()  # the write brings us back
        for each in decided.apply:
            await self._client.apply(resources.CONFIG_MAP, each, _AS_US)
        for key in decided.delete:
            with contextlib.suppress(errors.NotFound):
                await self._client.delete(resources.CONFIG_MAP, key)
        for event in decided.events:
            self._events.record(alias, event.severity, event.reason, event.message)
        if decided.status is not None:
            alias = await status.write(self._client, plan.MODEL_ALIAS, alias, decided.status)
        if decided.mark is plan.Mark.REMOVE:
            await finalizers.remove(self._client, plan.MODEL_ALIAS, alias, plan.FINALIZER)
        return reconcile.Result()
