"""Runs a reconciler: events in, requests through the queue, at most one worker per object.

Every pass has a deadline; a pass that fails is repeated with growing delay, per object, so that one broken object does not hold up the
others; when very many fail at once, what they repeat together is bounded too. ``Controller.counters`` is what a metrics page reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterable

from brickyard.api.kinds import resources
from brickyard.kube.client import bucket, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import owners
from brickyard.kube.reconcile import contract, queue
from brickyard.lib import backoff, logs, tasks

log = logs.get(__name__)

Mapper = Callable[[resources.Object], Iterable[contract.Request]]
"""Which requests an object's change asks for."""

RETRY = backoff.Backoff(0.005, 2.0, 1000.0)
"""Delay of one object's next try."""
RETRIES_PER_SECOND, RETRIES_AT_ONCE = 10.0, 100.0
"""Of all objects of one controller together."""
_SYNC_NOTICE = 30.0


@dataclasses.dataclass(slots=True)
class Counters:
    """Totals since start. ``seconds`` is time spent in passes; ``conflicts`` and ``timeouts`` are counted in ``failed`` too."""

    succeeded: int = 0
    failed: int = 0
    conflicts: int = 0
    timeouts: int = 0
    seconds: float = 0.0


def itself(obj: resources.Object) -> Iterable[contract.Request]:
    """Mapper: the object that changed."""
    return (contract.request_for(obj),)


def owned_by(kind: resources.ResourceType) -> Mapper:
    """Mapper: the object of ``kind`` that controls the one that changed."""

    def owner(obj: resources.Object) -> Iterable[contract.Request]:
        reference = owners.controller_of(obj)
        if reference is None or reference.get("kind") != kind.kind:
            return ()
        # The group decides, not the version: an owner may have been written at another version of its kind.
        if reference.get("apiVersion", "").rpartition("/")[0] != kind.group:
            return ()
        namespace = contract.request_for(obj).namespace if kind.namespaced else ""
        return (contract.Request(namespace, reference["name"]),)

    return owner


class Controller:
    """Calls ``reconciler`` for every request, ``workers`` at a time.

    Args:
        name: for logs and metrics.
        reconciler: what to call.
        workers: passes at the same time, each on another object.
        backoff: delay before an object's pass is repeated, by its failures in a row.
        deadline: seconds a pass may take.

    ``observer``, where it is set, is told of every pass.
    """

    def __init__(
        self,
        name: str,
        reconciler: contract.Reconciler,
        *,
        workers: int = 4,
        backoff: backoff.Backoff = RETRY,
        deadline: float = 30.0,
    ) -> None:
        self.name = name
        self.counters = Counters()
        self._reconciler = reconciler
        self.observer: contract.Observer | None = None
        self.workers = workers
        self._deadline = deadline
        self._queue: queue.WorkQueue[contract.Request] = queue.WorkQueue(
            backoff, bucket.Bucket(RETRIES_PER_SECOND, RETRIES_AT_ONCE)
        )
        self._wake = asyncio.Event()
        self._lookout = asyncio.Lock()
        self._informers: list[informers.Informer] = []
        self._early: list[tuple[contract.Request, float]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def depth(self) -> int:
        """Requests that are ready or wait for their time."""
        return len(self._queue) + len(self._early)

    @property
    def active(self) -> int:
        """Passes that run now."""
        return self._queue.running

    def enqueue(self, request: contract.Request, after: float = 0.0) -> None:
        """Ask for a pass over ``request``, ``after`` seconds from now. Call it on the loop, before or while ``run`` runs."""
        if self._loop is None:
            self._early.append((request, after))
            return
        self._queue.add(request, self._loop.time(), after)
        self._wake.set()

    def watch(self, informer: informers.Informer, mapper: Mapper = itself) -> None:
        """Enqueue what ``mapper`` says for every change ``informer`` tells of; ``run`` waits for it to be synced."""
        self._informers.append(informer)

        def handler(old: resources.Object | None, new: resources.Object | None) -> None:
            # Both sides count: a child that changed hands concerns the old owner and the new.
            for request in {each for obj in (old, new) if obj is not None for each in mapper(obj)}:
                self.enqueue(request)

        informer.subscribe(handler)

    async def run(self) -> None:
        """Work until cancelled. The informers are run by whoever made them."""
        self._loop = asyncio.get_running_loop()
        early, self._early = self._early, []
        for request, after in early:
            self.enqueue(request, after)
        for informer in self._informers:
            await self._wait_synced(informer)
        async with tasks.Scope(f"controller/{self.name}") as scope:
            workers = [scope.start(self._work(), name=f"worker-{number}") for number in range(self.workers)]
            await asyncio.gather(*workers)

    async def _wait_synced(self, informer: informers.Informer) -> None:
        while not informer.synced:
            try:
                await informer.wait_synced(_SYNC_NOTICE)
            except TimeoutError:
                log.warning("waiting for the API's answer", controller=self.name, kind=informer.kind.plural)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # One looks out for all: of sixty-four that each waited for the next change, sixty-three would wake for nothing.
            async with self._lookout:
                request = await self._next(loop)
            try:
                await self._pass(request, loop)
            finally:
                self._queue.done(request)
                self._wake.set()

    async def _next(self, loop: asyncio.AbstractEventLoop) -> contract.Request:
        while (request := self._queue.take(loop.time())) is None:
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._queue.next_due()):
                    await self._wake.wait()
        return request

    async def _pass(self, request: contract.Request, loop: asyncio.AbstractEventLoop) -> None:
        began = loop.time()
        result = await self._attempt(request)
        now = loop.time()
        self.counters.seconds += now - began
        self._observe(result, now - began)
        if result is None:
            self.counters.failed += 1
            self._queue.failed(request, now)
            return
        self.counters.succeeded += 1
        self._queue.forget(request)
        if result.requeue_after is not None:
            self._queue.add(request, now, result.requeue_after)

    def _observe(self, result: contract.Result | None, seconds: float) -> None:
        if self.observer is None:
            return
        outcome = contract.Outcome.ERROR if result is None else contract.Outcome.SUCCESS
        if result is not None and result.requeue_after is not None:
            outcome = contract.Outcome.REQUEUE_AFTER
        self.observer.pass_ended(self.name, outcome, seconds)

    async def _attempt(self, request: contract.Request) -> contract.Result | None:
        """The pass's result, or None when it failed, which is logged here."""
        fields = {"controller": self.name, "object": request, "failures": self._queue.failures(request) + 1}
        try:
            async with asyncio.timeout(self._deadline):
                return await self._reconciler.reconcile(request)
        except errors.Conflict as error:
            self.counters.conflicts += 1
            log.debug("read something stale, trying again", error=error, **fields)
        except errors.KubeError as error:
            log.warning("reconcile failed", error=error, **fields)
        except TimeoutError:
            self.counters.timeouts += 1
            log.warning("reconcile passed its deadline", deadline=self._deadline, **fields)
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            # Not we were cancelled but something that the pass waited for: a failure like any other, and no end of this worker.
            self._report(error, fields)
        except Exception as error:  # noqa: BLE001 - one object's bug must not stop the others
            self._report(error, fields)
        return None

    def _report(self, error: BaseException, fields: dict[str, object]) -> None:
        log.error("reconcile failed", exc=error, **fields)
