"""The autoscaler's hands: read the target's scale and the metrics, plan, write the scale and the status, every ``PERIOD``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import podstate
from brickyard.embedded.builtin.hpa import behavior, metrics, proposals, sources
from brickyard.embedded.builtin.hpa import plan as planning
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta, selectors
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import recorder
from brickyard.kube.reconcile import status as statuses
from brickyard.lib import clock

PERIOD = 15.0
"""Seconds between two looks at one autoscaler; a change of its spec is looked at at once."""

_Refused = (errors.KubeError, proposals.UnmeasuredError)


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read."""

    autoscalers: informers.Informer
    pods: informers.Informer


@dataclasses.dataclass(frozen=True, slots=True)
class _Past:
    """What is remembered of an autoscaler: when it was looked at, with which spec, and what came of it.

    The spec itself: not every API counts generations of this kind.
    """

    at: float
    spec: Mapping[str, Any]
    memory: behavior.Memory


@dataclasses.dataclass(frozen=True, slots=True)
class _Scale:
    """A target and its size."""

    kind: resources.ResourceType
    name: str
    wanted: int
    running: int
    selector: str


class Reconciler:
    """Keeps HorizontalPodAutoscalers."""

    def __init__(
        self, client: contract.Client, caches: Caches, events: recorder.EventRecorder, clock_: clock.Clock
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._clock = clock_
        self._sources = sources.Sources(client)
        self._past: dict[str, _Past] = {}
        caches.autoscalers.subscribe(self._forget)

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        found = self._caches.autoscalers.get(*request)
        if found is None or meta.is_deleting(found):
            return reconcile.Result()
        now = self._clock.wall()
        past = self._past.get(meta.uid(found)) or _Past(-PERIOD, {}, behavior.Memory())
        left = past.at + PERIOD - now
        if left > 0 and past.spec == found["spec"]:
            return reconcile.Result(requeue_after=left)
        memory = await self._look(found, past.memory, now)
        self._past[meta.uid(found)] = _Past(now, found["spec"], memory)
        return reconcile.Result(requeue_after=PERIOD)

    async def _look(self, found: resources.Object, memory: behavior.Memory, now: float) -> behavior.Memory:
        try:
            scale = await self._scale(found)
        except _Refused as error:
            self._events.record(found, recorder.WARNING, "FailedGetScale", str(error))
            told = planning.unreachable(found, str(error), now)
            await statuses.write(self._client, resources.HORIZONTAL_POD_AUTOSCALER, found, told)
            return memory
        readings = await self._readings(found, scale, now)
        plan = planning.plan(planning.Snapshot(found, scale.wanted, scale.running, readings, memory), now)
        if plan.replicas is not None:
            await self._rescale(found, scale, plan.replicas)
        for event in plan.events:
            self._events.record(found, event.type, event.reason, event.message)
        await statuses.write(self._client, resources.HORIZONTAL_POD_AUTOSCALER, found, plan.status)
        return plan.memory

    async def _scale(self, found: resources.Object) -> _Scale:
        target = found["spec"]["scaleTargetRef"]
        kind = await sources.kind_of(self._client, target)
        scale = await sources.read(self._client, kind.path(meta.namespace(found), target["name"], "scale"))
        status = scale.get("status") or {}
        selector = status.get("selector") or ""
        if not selector:
            raise proposals.UnmeasuredError("selector is required: the target's scale does not say which pods it has")
        wanted = int((scale.get("spec") or {}).get("replicas") or 0)
        return _Scale(kind, target["name"], wanted, int(status.get("replicas") or 0), selector)

    async def _readings(self, found: resources.Object, scale: _Scale, now: float) -> Sequence[planning.Reading]:
        chosen = selectors.parse_labels(scale.selector)
        namespace = meta.namespace(found)
        pods = [pod for pod in self._caches.pods.list(namespace) if chosen.matches(meta.labels(pod))]
        result = []
        for metric in found["spec"].get("metrics") or ():
            try:
                result.append(await self._reading(found, metric, (scale, pods), now))
            except _Refused as error:
                result.append(metrics.failed(metric, str(error)))
        return result

    async def _reading(
        self,
        found: resources.Object,
        metric: Mapping[str, Any],
        target: tuple[_Scale, Sequence[resources.Object]],
        now: float,
    ) -> planning.Reading:
        scale, pods = target
        tolerance = behavior.tolerance(found["spec"])
        if metric["type"] in ("Object", "External"):
            value = await self._sources.of_whole(metric, meta.namespace(found))
            ready = sum(map(podstate.is_ready, filter(podstate.is_active, pods)))
            return metrics.of_whole(metric, value, ready, scale.wanted, tolerance)
        values = await self._sources.of_pods(metric, meta.namespace(found), scale.selector)
        return metrics.of_pods(metric, pods, values, (scale.wanted, now), tolerance)

    async def _rescale(self, found: resources.Object, scale: _Scale, replicas: int) -> None:
        try:
            await self._client.patch(
                scale.kind,
                (meta.namespace(found), scale.name),
                {"spec": {"replicas": replicas}},
                subresource="scale",
            )
        except errors.KubeError as error:
            message = f"New size: {replicas}; error: {error}"
            self._events.record(found, recorder.WARNING, "FailedRescale", message)
            raise

    def _forget(self, old: resources.Object | None, new: resources.Object | None) -> None:
        if new is None and old is not None:
            self._past.pop(meta.uid(old), None)
