"""The storage controllers' hands: read the caches, plan, write claims, volumes and events, delete folders of ours."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import shutil
from collections.abc import Iterable, Iterator
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import contract as builtin
from brickyard.embedded.builtin.storage import claims, ephemeral, facts, volumes
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import controller as controllers
from brickyard.kube.reconcile import recorder
from brickyard.kube.reconcile import status as statuses
from brickyard.lib import backoff, logs

BY_CLAIM = "claim"
CLASS_RETRY = backoff.Backoff(0.5, 2.0, 30.0)

log = logs.get(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read. ``pods`` must be indexed by ``facts.claims_of`` under ``BY_CLAIM``."""

    claims: informers.Informer
    volumes: informers.Informer
    classes: informers.Informer
    pods: informers.Informer


def claims_of_pod(pod: resources.Object) -> Iterator[reconcile.Request]:
    """Mapper from a pod to the claims that it mounts."""
    for each in facts.claims_of(pod):
        yield reconcile.Request(*each.split("/", 1))


def claims_of_volume(cache: informers.Informer) -> controllers.Mapper:
    """Mapper from a volume to the claim that has it, or to all that may want it."""

    def mapper(volume: resources.Object) -> Iterator[reconcile.Request]:
        if reference := facts.holder(volume):
            yield reconcile.Request(reference.get("namespace", ""), reference.get("name", ""))
        else:
            yield from waiting(cache)
        for claim in cache.list():
            if claim["spec"].get("volumeName") == meta.name(volume):
                yield reconcile.request_for(claim)

    return mapper


def with_ephemeral_volumes(pod: resources.Object) -> Iterator[reconcile.Request]:
    """Mapper: the pod itself, if it has volumes of its own."""
    if ephemeral.is_concerned(pod):
        yield reconcile.request_for(pod)


def waiting(cache: informers.Informer) -> Iterator[reconcile.Request]:
    """The claims without a volume."""
    return (reconcile.request_for(each) for each in cache.list() if not each["spec"].get("volumeName"))


def volume_of_claim(claim: resources.Object) -> Iterator[reconcile.Request]:
    """Mapper from a claim to its volume."""
    if name := claim["spec"].get("volumeName"):
        yield reconcile.Request("", name)


async def ensure_class(client: contract.Client) -> None:
    """Make the default StorageClass, once; a StorageClass of that name is left as it is."""
    failures = 0
    while True:
        try:
            await client.create(resources.STORAGE_CLASS, facts.CLASS)
        except errors.AlreadyExists:
            return
        except errors.KubeError as error:
            failures += 1
            log.warning("default storage class is not made", failures=failures, error=error)
            await asyncio.sleep(CLASS_RETRY.delay(failures))
        else:
            return


class ClaimReconciler:
    """Binds claims. ``folder`` is where volumes are provided."""

    def __init__(
        self, client: contract.Client, caches: Caches, events: recorder.EventRecorder, folder: pathlib.Path
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._folder = folder

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        claim = self._caches.claims.get(*request)
        if claim is None:
            return reconcile.Result()
        snapshot = claims.Snapshot(
            claim=claim,
            volumes=self._caches.volumes.list(),
            classes=self._caches.classes.list(),
            pods=self._caches.pods.indexed(BY_CLAIM, str(request)),
            folder=self._folder,
        )
        plan = claims.plan(snapshot)
        await self._carry_out(claim, plan)
        _tell(self._events, claim, plan.events)
        return reconcile.Result()

    async def _carry_out(self, claim: resources.Object, plan: claims.Plan) -> None:
        if plan.create is not None:
            try:
                await self._client.create(resources.PERSISTENT_VOLUME, plan.create)
            except errors.AlreadyExists:
                log.debug("volume was provided before", volume=meta.name(plan.create))
        if plan.volume is not None:
            volume, patch = plan.volume
            await self._client.patch(resources.PERSISTENT_VOLUME, meta.key(volume), _planned_on(volume, patch))
        if plan.claim is not None:
            patch = _planned_on(claim, plan.claim)
            await self._client.patch(resources.PERSISTENT_VOLUME_CLAIM, meta.key(claim), patch)
        if plan.status is not None:
            await statuses.write(self._client, resources.PERSISTENT_VOLUME_CLAIM, claim, plan.status)


class VolumeReconciler:
    """Keeps volumes' phases, and deletes what nobody claims any more. ``folder`` is where volumes are provided."""

    def __init__(
        self, client: contract.Client, caches: Caches, events: recorder.EventRecorder, folder: pathlib.Path
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._folder = folder

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        volume = self._caches.volumes.get("", request.name)
        if volume is None:
            return reconcile.Result()
        reference = facts.holder(volume)
        claim = self._caches.claims.get(reference.get("namespace", ""), reference.get("name", ""))
        plan = volumes.plan(volume, claim, self._folder)
        if plan.finalizers is not None:
            patch = _planned_on(volume, {"metadata": {"finalizers": list(plan.finalizers) or None}})
            await self._client.patch(resources.PERSISTENT_VOLUME, meta.key(volume), patch)
        if plan.status is not None:
            await statuses.write(self._client, resources.PERSISTENT_VOLUME, volume, plan.status)
        _tell(self._events, volume, plan.events)
        if plan.remove is not None:
            await self._remove(volume, reference, plan.remove)
        return reconcile.Result()

    async def _remove(self, volume: resources.Object, reference: dict[str, Any], place: pathlib.Path) -> None:
        """Data goes only when the API itself, not a cache, says that the claim is gone."""
        try:
            live = await self._client.get(
                resources.PERSISTENT_VOLUME_CLAIM, reference["name"], reference.get("namespace", "")
            )
        except errors.NotFound:
            live = {}
        if live and meta.uid(live) == reference.get("uid"):
            return
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
        try:
            options = contract.DeleteOptions(uid=meta.uid(volume))
            await self._client.delete(resources.PERSISTENT_VOLUME, meta.key(volume), options)
        except errors.NotFound:
            return
        log.info("volume deleted with its folder", volume=meta.name(volume), path=str(place))


class EphemeralReconciler:
    """Makes the claims of pods' ephemeral volumes."""

    def __init__(self, client: contract.Client, caches: Caches, events: recorder.EventRecorder) -> None:
        self._client = client
        self._caches = caches
        self._events = events

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        pod = self._caches.pods.get(*request)
        if pod is None:
            return reconcile.Result()
        plan = ephemeral.plan(pod, {meta.name(each): each for each in self._caches.claims.list(request.namespace)})
        for claim in plan.create:
            await self._client.create(resources.PERSISTENT_VOLUME_CLAIM, claim)
        _tell(self._events, pod, plan.events)
        return reconcile.Result()


def _planned_on(obj: resources.Object, patch: dict[str, Any]) -> dict[str, Any]:
    """``patch`` for exactly the version that was planned on."""
    version = {"uid": meta.uid(obj), "resourceVersion": meta.resource_version(obj)}
    return {**patch, "metadata": {**(patch.get("metadata") or {}), **version}}


def _tell(events: recorder.EventRecorder, obj: resources.Object, told: Iterable[builtin.PlannedEvent]) -> None:
    for each in told:
        events.record(obj, each.type, each.reason, each.message)
