"""Runs what belongs together: caches, then leadership, then controllers; and stops it in the opposite order.

    parts and caches start ──► caches synced ──► gates open ──► lease held ──► controllers and leading parts work
                                                                                   │ cancelled, lease lost, a part failed
    parts and caches end  ◄──────────────── events written ◄── lease released ◄────┘

A process makes one manager, adds what it needs and awaits ``run``. ``not_ready`` is what a readiness page asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from brickyard.api.kinds import resources
from brickyard.kube.client import contract as clients
from brickyard.kube.informers import informer as informers
from brickyard.kube.informers import store
from brickyard.kube.reconcile import controller, errors, leader, metrics, recorder
from brickyard.lib import clock, logs, tasks

log = logs.get(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]
Check = Callable[[], Sequence[str]]
"""Reasons why something is not ready; none when it is."""

SYNC_DEADLINE = 120.0
"""Seconds that the caches have to be read once; AIBrix's runtime gives up after the same."""
_FLUSH = 2.0
_EVERYTHING = clients.Query()


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """``resync``: seconds after which every object is told again; AIBrix's default is ten hours, None turns it off.

    ``streaming``: caches are read by a watch where the API can do that, see ``informer``.
    """

    sync_deadline: float = SYNC_DEADLINE
    resync: float | None = 36_000.0
    streaming: bool = True


class Manager:
    """Make it on the loop that runs it, add everything, then run it once.

    Args:
        client: for caches, events and whoever asks for it.
        clock_: for events.
        election: who lets this replica work; None where there is only one.
        observed: where passes are counted; None for nowhere.
        options: periods and deadlines.
    """

    def __init__(
        self,
        client: clients.Client,
        clock_: clock.Clock,
        *,
        election: leader.Leader | None = None,
        observed: metrics.Metrics | None = None,
        options: Options | None = None,
    ) -> None:
        self.client = client
        self.clock = clock_
        self._election = election
        self._observed = observed
        self._options = options or Options()
        self._caches: dict[tuple[resources.ResourceType, clients.Query], informers.Informer] = {}
        self._recorders: dict[str, recorder.EventRecorder] = {}
        self._controllers: list[controller.Controller] = []
        self._parts: list[tuple[str, Work]] = []
        self._leading: list[tuple[str, Work]] = []
        self._checks: list[Check] = []
        self._gates: list[Work] = []
        if observed is not None and election is not None:
            observed.show_leader(election)

    # Adding.

    def cache(
        self,
        kind: resources.ResourceType,
        query: clients.Query = _EVERYTHING,
        indexers: Mapping[str, store.Indexer] | None = None,
    ) -> informers.Informer:
        """The cache of what ``query`` selects of ``kind``, the same for everybody who asks for the same."""
        found = self._caches.get((kind, query))
        if found is None:
            asked = dataclasses.replace(query, initial_events=self._options.streaming)
            found = informers.Informer(self.client, kind, asked, resync=self._options.resync)
            self._caches[kind, query] = found
        for name, indexer in (indexers or {}).items():
            found.add_index(name, indexer)
        return found

    def recorder(self, component: str) -> recorder.EventRecorder:
        """Records events as ``component``."""
        if component not in self._recorders:
            self._recorders[component] = recorder.EventRecorder(self.client, component, self.clock)
        return self._recorders[component]

    def add(self, *found: controller.Controller) -> None:
        """Run these controllers while this replica leads."""
        for each in found:
            self._controllers.append(each)
            if self._observed is not None:
                each.observer = self._observed
                self._observed.show(each)

    def always(self, name: str, work: Work, not_ready: Check | None = None) -> None:
        """Run ``work`` from the start, leading or not: pages, webhooks. ``not_ready`` joins the manager's own."""
        self._parts.append((name, work))
        if not_ready is not None:
            self._checks.append(not_ready)

    def while_leading(self, name: str, work: Work) -> None:
        """Run ``work`` beside the controllers."""
        self._leading.append((name, work))

    def work_after(self, gate: Work) -> None:
        """Let nothing that leads begin before ``gate`` has returned, such as the webhooks' certificates being there."""
        self._gates.append(gate)

    # Asking.

    def not_ready(self) -> Sequence[str]:
        """Why this process should not be counted on yet; empty when it may be. A replica that waits for the lease is ready."""
        unread = [f"{kind.plural} are not read yet" for (kind, _), each in self._caches.items() if not each.synced]
        return [*unread, *(reason for check in self._checks for reason in check())]

    # Running.

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            NotSynced: a cache was not read in time.
            LeadershipLost: another replica leads.
        """
        async with tasks.Scope("manager") as scope:
            for name, work in self._parts:
                scope.start(work(), name=name)
            for cache in self._caches.values():
                scope.start(cache.run(), name=f"cache/{cache.kind.plural}")
            for name, events in self._recorders.items():
                scope.start(events.run(), name=f"events/{name}")
            await self._sync()
            for gate in self._gates:
                await gate()
            try:
                await (self._work() if self._election is None else self._election.run(self._work))
            finally:
                await self._tell_the_last()

    async def _sync(self) -> None:
        limit = self._options.sync_deadline
        try:
            async with asyncio.timeout(limit):
                for cache in self._caches.values():
                    await cache.wait_synced(limit)
        except TimeoutError:
            raise errors.NotSynced(
                f"after {limit:g} s {'; '.join(self.not_ready())}",
                hint="check that the API answers and that these kinds may be listed and watched",
            ) from None

    async def _work(self) -> None:
        async with tasks.Scope("controllers") as scope:
            log.info("controllers start", names=[each.name for each in self._controllers])
            for each in self._controllers:
                scope.start(each.run(), name=each.name)
            for name, work in self._leading:
                scope.start(work(), name=name)
            # Whoever fails ends the scope; whoever is done with its work does not.
            await asyncio.Event().wait()

    async def _tell_the_last(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH):
                await asyncio.gather(*(each.flush(_FLUSH) for each in self._recorders.values()))
