"""Binds pods that have no node to this one, or tells them why not."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import contract, overcommit, placement
from brickyard.kube.client import contract as kube
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.informers import informer
from brickyard.kube.objects import conditions, meta
from brickyard.kube.reconcile import status
from brickyard.lib import backoff, logs, timestamps
from brickyard.lib import clock as clocks

SYNC_NOTICE = 60.0
RETRY = backoff.Backoff(0.2, 2.0, 15.0)

log = logs.get(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Room:
    """What the node has to give: extended resources by count, how many pods it takes, and what of everything can be had at all."""

    node: str
    capacity: Mapping[str, int]
    max_pods: int
    allocatable: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read: pods, and claims, which a pod's place depends on."""

    pods: informer.Informer
    claims: informer.Informer


class Binder:
    """Answers every pod without a node, whenever ``wake`` says that something changed, or a claim did."""

    def __init__(
        self,
        client: kube.Client,
        caches: Caches,
        recorder: contract.Recorder,
        room: Room,
        clock: clocks.Clock,
    ) -> None:
        self._client = client
        self._pods = caches.pods
        self._claims = caches.claims
        self._recorder = recorder
        self._room = room
        self._clock = clock
        self._assigned: dict[str, str] = {}
        self._wake = asyncio.Event()
        caches.claims.subscribe(lambda _old, _new: self.wake())

    def wake(self) -> None:
        """Look again."""
        self._wake.set()

    async def run(self) -> None:
        """Bind until cancelled. What the API refuses is tried again with back-off."""
        failures = 0
        # Before, every claim would look missing.
        while not self._claims.synced:
            with contextlib.suppress(TimeoutError):
                await self._claims.wait_synced(SYNC_NOTICE)
        while True:
            await self._wake.wait()
            self._wake.clear()
            if await self._pass():
                failures = 0
            else:
                failures += 1
                await asyncio.sleep(RETRY.delay(failures))
                self._wake.set()

    async def _pass(self) -> bool:
        """Answer every waiting pod once; whether the API took it all."""
        pods = self._pods.list()
        unbound = {meta.uid(each) for each in pods if not each["spec"].get("nodeName")}
        self._assigned = {uid: node for uid, node in self._assigned.items() if uid in unbound}
        good = True
        claims = {(each["metadata"].get("namespace") or "", meta.name(each)): each for each in self._claims.list()}
        here = placement.Node(self._room.capacity, self._room.max_pods, claims)
        for answer in placement.plan(pods, self._assigned, here):
            try:
                await self._answer(answer)
            except (kube_errors.NotFound, kube_errors.Conflict):
                # Deleted or changed meanwhile: the informer brings the news and wakes us.
                continue
            except kube_errors.KubeError as error:
                log.warning("pod is not bound", pod=str(meta.key(answer.pod)), error=error)
                good = False
        return good

    async def _answer(self, answer: placement.Bind | placement.Refuse) -> None:
        if isinstance(answer, placement.Refuse):
            await self._refuse(answer)
            return
        pod, node = answer.pod, self._room.node
        patch = {"metadata": {"resourceVersion": meta.resource_version(pod)}, "spec": {"nodeName": node}}
        await self._client.patch(resources.POD, meta.key(pod), patch)
        self._assigned[meta.uid(pod)] = node
        text = f"Successfully assigned {meta.key(pod)} to {node}"
        self._recorder.record(pod, "Normal", "Scheduled", text)
        here = [each for each in self._pods.list() if self._is_here(each) and meta.uid(each) != meta.uid(pod)]
        if warning := overcommit.words(pod, here, self._room.allocatable):
            self._recorder.record(pod, "Warning", "Overcommitted", warning)

    def _is_here(self, pod: resources.Object) -> bool:
        return bool(pod["spec"].get("nodeName") or meta.uid(pod) in self._assigned)

    async def _refuse(self, answer: placement.Refuse) -> None:
        said = conditions.find((answer.pod.get("status") or {}).get("conditions"), "PodScheduled") or {}
        if (said.get("status"), said.get("reason"), said.get("message")) == ("False", answer.reason, answer.message):
            return
        if answer.reason == placement.UNSCHEDULABLE:
            self._recorder.record(answer.pod, "Warning", "FailedScheduling", answer.message)
        now = timestamps.rfc3339(self._clock.wall())
        news = conditions.Condition("PodScheduled", "False", answer.reason, answer.message)

        def refused(pod: resources.Object) -> dict[str, Any]:
            old = pod.get("status") or {}
            found = conditions.set_condition(old.get("conditions"), news, now)
            return {**old, "phase": old.get("phase") or "Pending", "conditions": found}

        await status.rewrite(self._client, resources.POD, answer.pod, refused)
