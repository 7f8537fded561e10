"""The node agent as a whole: takes up where the last one left off, follows the API, runs one worker per pod.

start   lock the folder ─► read the records ─► take over what still runs ─► kill what nobody knows
run     pods from the API ─► bind those without a node ─► a worker for each of ours; heartbeat
stop    end the containers within their grace, or leave them for the next agent
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pathlib
import signal
import time
from collections.abc import Collection, Iterator, Sequence
from typing import IO

from brickyard.api.kinds import podlogs as logs_contract
from brickyard.api.kinds import podstreams as streams_contract
from brickyard.api.kinds import resources, usage
from brickyard.embedded.kubelet import (
    addresses,
    binder,
    contract,
    devices,
    errors,
    follower,
    images,
    leftovers,
    node,
    placement,
    podlogs,
    probes,
    procfs,
    records,
    settings,
    shims,
    starter,
    views,
    worker,
)
from brickyard.embedded.kubelet.memory import watchdog
from brickyard.embedded.kubelet.plan import messages
from brickyard.embedded.kubelet.streams import pods as streams
from brickyard.embedded.kubelet.usage import meter
from brickyard.engines import contract as engines
from brickyard.kube.client import contract as kube
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.informers import informer
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import recorder
from brickyard.lib import backoff, clock, logs, tasks

FAREWELL = 2.0
"""Seconds for the last heartbeat and the last events."""
SPARE = 5.0
"""Seconds beyond all limits before containers that do not end are given up."""
STRAYS = 5.0
"""Seconds that processes which are killed when the agent starts get to be gone."""
WORKER_RETRY = backoff.Backoff(1.0, 2.0, 60.0)

log = logs.get(__name__)


class Timeline:
    """Unix seconds that never go back: the wall clock when it began, and from there on the monotonic one."""

    def __init__(self, clock: clock.Clock) -> None:
        self._clock = clock
        self._offset = clock.wall() - clock.monotonic()

    def now(self) -> float:
        return self._clock.monotonic() + self._offset


class NodeAgent:
    """Pods as processes on this machine.

    Args:
        client: the Kubernetes API.
        settings: see there.
        launchers: what knows engines' images, most specific first.
        models: where models come from.
        clock: the machine's clocks.

    Attributes:
        stop_containers: whether ``run`` ends the containers when it is told to stop. False leaves them running, to be taken over by
            the next agent. May be set until the stop.
        logs: the pods' logs, for the API server.
        streams: exec, attach and port-forward, for the API server.
        usages: what pods and this machine use, for the API server.
    """

    def __init__(
        self,
        client: kube.Client,
        settings: settings.KubeletSettings,
        launchers: Sequence[engines.Launcher],
        models: contract.Models,
        clock: clock.Clock,
    ) -> None:
        self.stop_containers = True
        self.logs: logs_contract.PodLogs = podlogs.KubeletLogs(self._find_logs)
        self.streams: streams_contract.PodStreams = streams.KubeletStreams(self._find_streams)
        self._client = client
        self._settings = settings
        self._clock = clock
        self._folder = settings.folder
        self._now = Timeline(clock).now
        self._meter = meter.Meter(settings.node, self._runs, self._now)
        self.usages: usage.Usages = self._meter
        self._addresses = addresses.Addresses()
        self._devices = devices.Devices({})
        self._images = images.Images(launchers, self._folder / images.FILE_NAME)
        self._models = models
        self._workers: dict[str, worker.PodWorker] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._over: set[str] = set()
        self._unclaimed: list[records.PodFolder] = []
        self._informer: informer.Informer | None = None
        self._scope: tasks.Scope | None = None
        self._stopping = False

    @property
    def pods(self) -> frozenset[str]:
        """Uids of the pods that are looked after."""
        return frozenset(self._workers)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then end as ``stop_containers`` says.

        Raises:
            AlreadyRunning: another agent works on the same folder.
        """
        await asyncio.to_thread(self._prepare_folder)
        with _locked(self._folder / leftovers.LOCK):
            async with probes.Prober() as prober:
                await self._work(prober, stop)

    def _prepare_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._pod_folders.mkdir(mode=0o700, exist_ok=True)
        # A table that cannot be used is said at once, not when the first container needs it; it is read again by then.
        try:
            images.load(self._folder / images.FILE_NAME)
        except errors.BadImageTable as error:
            log.warning("image table cannot be used", error=error)

    async def _work(self, prober: probes.Prober, stop: asyncio.Event) -> None:
        name = self._settings.node
        self._devices = await asyncio.to_thread(
            devices.of_machine, self._settings.resources, self._settings.gpu_sharing, os.environ
        )
        capacity = await asyncio.to_thread(node.capacity, self._folder, self._settings.max_pods, self._devices.capacity)
        told = recorder.EventRecorder(self._client, "kubelet", self._clock, host=name)
        here = node.Node(self._client, self._clock, node.Site(name, addresses.HOST, self._folder, capacity))
        self._informer = pods = informer.Informer(self._client, resources.POD)
        room = binder.Room(name, self._devices.capacity, self._settings.max_pods, node.allocatable(capacity))
        claims = informer.Informer(self._client, resources.PERSISTENT_VOLUME_CLAIM)
        binding = binder.Binder(self._client, binder.Caches(pods, claims), told, room, self._clock)
        ground = await asyncio.to_thread(views.survey, [self._folder]) if self._settings.mounts else views.UNMOUNTED
        tools = self._tools(prober, told, node.allocatable(capacity), await asyncio.to_thread(procfs.boot_id), ground)
        following = follower.Follower(tools.machine.names, tools.starts.objects, self._places)
        async with tasks.Scope("kubelet") as scope:
            scope.start(told.run(), name="events")
            async with tasks.Scope("kubelet/pods") as inner:
                self._scope = inner
                await self._take_over(tools)
                inner.start(here.run(), name="node")
                inner.start(pods.run(), name="informer")
                inner.start(claims.run(), name="claims")
                inner.start(binding.run(), name="binder")
                inner.start(self._meter.run(), name="usage")
                inner.start(watchdog.Watchdog(self._runs, self._exceeded).run(), name="memory")
                inner.start(following.run(), name="follower")
                inner.start(self._follow(pods, binding, tools), name="follow")
                await stop.wait()
                self._stopping = True
                if self.stop_containers:
                    await self._end_containers()
                with contextlib.suppress(kube_errors.KubeError, TimeoutError):
                    async with asyncio.timeout(FAREWELL):
                        await here.farewell()
            with contextlib.suppress(TimeoutError):
                await told.flush(FAREWELL)

    def _tools(
        self, prober: probes.Prober, told: contract.Recorder, capacity: dict[str, str], boot: str, ground: views.Ground
    ) -> worker.Tools:
        machine = starter.Machine(
            node=self._settings.node,
            host_address=addresses.HOST,
            capacity=capacity,
            devices=self._devices,
            images=self._images,
            models=self._models,
            clock=self._clock,
            rotation=shims.Rotation(self._settings.log_limit, self._settings.log_files),
            ground=ground,
            names=follower.Names(self._client) if ground.mounts else None,
        )
        return worker.Tools(
            client=self._client,
            starts=starter.Starter(self._client, machine),
            prober=prober,
            recorder=told,
            machine=machine,
            now=self._now,
            boot=boot,
        )

    # Taking over.

    async def _take_over(self, tools: worker.Tools) -> None:
        """A worker for every pod with a record; an end for every process of theirs that no record knows."""
        found = await asyncio.to_thread(lambda: [(each, each.load()) for each in records.folders(self._pod_folders)])
        for folder, record in found:
            if record is None:
                continue
            try:
                await asyncio.to_thread(self._make, tools, record.pod, record)
            except (KeyError, ValueError, TypeError, errors.KubeletError) as error:
                log.warning("pod record cannot be used", path=folder.path, error=repr(error))
        known = {mark for each in self._workers.values() for mark in each.marks}
        uids = {folder.uid for folder, _ in found}
        # Before any worker runs: what they start is not in ``known``.
        await asyncio.to_thread(end_strays, uids, known)
        self._unclaimed = [folder for folder, _ in found if folder.uid not in self._workers]
        for uid in self._workers:
            self._start(tools, uid)

    @property
    def _pod_folders(self) -> pathlib.Path:
        return self._folder / "pods"

    # Following the API.

    async def _follow(self, pods: informer.Informer, binding: binder.Binder, tools: worker.Tools) -> None:
        """Hand every change to the pod's worker. Starts when the first list is whole: before, absence means nothing."""
        while not pods.synced:
            with contextlib.suppress(TimeoutError):
                await pods.wait_synced(60.0)

        def changed(old: resources.Object | None, new: resources.Object | None) -> None:
            if placement.matters(old, new):
                binding.wake()
            if new is None:
                if old is not None:
                    self._vanished(meta.uid(old))
            elif new["spec"].get("nodeName") == self._settings.node:
                self._seen(tools, new)

        unsubscribe = pods.subscribe(changed)
        try:
            there = {meta.uid(each) for each in pods.list()}
            for uid in set(self._workers) - there:
                self._vanished(uid)
            for folder in self._unclaimed:
                # Its record is lost, not its volumes: a pod that the API still knows goes on with them.
                if folder.uid not in there:
                    await asyncio.to_thread(folder.remove)
            await asyncio.Event().wait()
        finally:
            unsubscribe()

    def _seen(self, tools: worker.Tools, pod: resources.Object) -> None:
        uid = meta.uid(pod)
        if uid in self._workers:
            self._workers[uid].see(pod)
        elif uid not in self._over and not self._stopping:
            self._make(tools, pod, None)
            self._start(tools, uid)

    def _vanished(self, uid: str) -> None:
        self._over.discard(uid)
        if uid in self._workers:
            self._workers[uid].post(messages.Vanished())

    def _make(self, tools: worker.Tools, pod: resources.Object, record: records.Record | None) -> None:
        """A worker for the pod; with a record, one that has taken over its processes."""
        uid = meta.uid(pod)
        wanted = record.address if record else str((pod.get("status") or {}).get("podIP") or "")
        host = bool(pod["spec"].get("hostNetwork"))
        address = addresses.HOST if host else self._addresses.claim(uid, wanted)
        place = starter.Place(pod, records.PodFolder(self._pod_folders, uid), address)
        self._workers[uid] = worker.PodWorker(tools, pod, place, record)

    def _start(self, tools: worker.Tools, uid: str) -> None:
        if self._scope is None:
            raise errors.ImpossibleState("the agent is not running")
        name = f"pod/{self._workers[uid].key}"
        self._running[uid] = self._scope.start(self._supervise(tools, uid), name=name)

    async def _supervise(self, tools: worker.Tools, uid: str) -> None:
        """Run a pod's worker. One that fails is a bug, but its pod's alone: another takes over from its record."""
        failures = 0
        while (fault := await _outcome(self._workers[uid])) is not None:
            failures += 1
            failed = self._workers[uid]
            log.error("pod worker failed", pod=str(failed.key), failures=failures, exc=fault)
            await asyncio.sleep(WORKER_RETRY.delay(failures))
            record = await asyncio.to_thread(failed.place.folder.load)
            self._workers[uid] = await asyncio.to_thread(worker.PodWorker, tools, failed.pod, failed.place, record)
            if self._stopping and self.stop_containers:
                self._workers[uid].post(messages.ShutDown(self._settings.shutdown_limit))
        if self._workers[uid].machine.removed:
            self._forget(uid)

    def _forget(self, uid: str) -> None:
        """Nothing of the pod is left here. Its object may be, while somebody's finalizer holds it."""
        gone = self._workers.pop(uid)
        del self._running[uid]
        held = self._informer.get(*gone.key) if self._informer else None
        if held is not None and meta.uid(held) == uid:
            self._over.add(uid)
        self._addresses.release(uid)
        self._devices.release(uid)

    def _places(self) -> list[starter.Place]:
        return [each.place for each in self._workers.values()]

    # Measuring.

    def _runs(self) -> list[meter.Run]:
        return [run for each in self._workers.values() for run in each.runs()]

    def _exceeded(self, run: meter.Run, how: str) -> None:
        if run.uid in self._workers:
            self._workers[run.uid].post(messages.OutOfMemory(run.container, run.attempt, how))

    # Ending.

    async def _end_containers(self) -> None:
        """End every container; a pod's worker ends by itself when nothing of it runs."""
        for each in self._workers.values():
            each.post(messages.ShutDown(self._settings.shutdown_limit))
        running = list(self._running.values())
        if running:
            await asyncio.wait(running, timeout=self._settings.shutdown_limit + worker.FINAL_WRITES + SPARE)
        for each in self._workers.values():
            if not each.machine.idle:
                log.error("containers are left behind", pod=str(each.key))

    # Logs.

    def _find_logs(self, namespace: str, name: str) -> podlogs.Pod | None:
        found = self._find(namespace, name)
        return podlogs.Pod(name, found.machine, found.place.folder.log) if found else None

    def _find_streams(self, namespace: str, name: str) -> streams.Pod | None:
        found = self._find(namespace, name)
        if found is None:
            return None
        logged = podlogs.Pod(name, found.machine, found.place.folder.log)
        return streams.Pod(found.uid, logged, found.place.address, found.target)

    def _find(self, namespace: str, name: str) -> worker.PodWorker | None:
        held = self._informer.get(namespace, name) if self._informer else None
        # While a pod ends, another may have its name already: the one that the API knows is meant.
        found = self._workers.get(meta.uid(held)) if held else None
        return found or next((each for each in self._workers.values() if each.key == (namespace, name)), None)


def end_strays(uids: Collection[str], known: Collection[str]) -> None:
    """Kill what no record knows, and wait for it: what starts next wants its ports and its GPU's memory. Blocks."""
    strays = [each.identity for each in procfs.strays(uids, known)]
    for each in strays:
        log.warning("killing a process that no record knows", pid=each.pid)
        procfs.send(each, signal.SIGKILL)
    deadline = time.monotonic() + STRAYS
    for each in strays:
        if not each.wait(deadline - time.monotonic()):
            log.warning("a process outlives SIGKILL", pid=each.pid)


async def _outcome(running: worker.PodWorker) -> Exception | None:
    """Run a worker to its end; the error it died of, if it did."""
    try:
        await running.run()
    except Exception as error:  # noqa: BLE001 - one pod's fault must not end the others
        return error
    return None


@contextlib.contextmanager
def _locked(path: pathlib.Path) -> Iterator[IO[str]]:
    """Hold ``path`` against other agents; the kernel lets go of it when this process ends, however it ends."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            text = f"another node agent works on {path.parent}: stop it, or choose another folder"
            raise errors.AlreadyRunning(text) from error
        os.set_inheritable(file.fileno(), False)
        yield file
