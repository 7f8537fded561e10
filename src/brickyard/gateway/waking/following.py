"""Keeps the book: watches PodAutoscalers, and of the kinds that they scale those that one names.

Where the API has no PodAutoscalers, or does not let us read them, no model sleeps as far as this gateway knows; it asks again from time to
time. Everything else works without.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Final

from brickyard.api.kinds import resources
from brickyard.gateway.waking import book, sleepers
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.lib import clock, logs, tasks

log = logs.get(__name__)

AGAIN: Final = 15.0
"""Seconds after which an API that has no autoscalers, or keeps them from us, is asked again."""
SETTLE: Final = 10.0
"""Seconds that the first reading may take before a model that is in no book counts as unknown."""


class Following:
    """Fills ``kept`` from the API of ``client``."""

    def __init__(self, client: contract.Client, kept: book.Book, time: clock.Clock) -> None:
        self._client = client
        self._book = kept
        self._clock = time
        self._autoscalers = informers.Informer(client, resources.POD_AUTOSCALER)
        self._targets: dict[resources.ResourceType, informers.Informer] = {}
        self._begun: asyncio.Queue[informers.Informer] = asyncio.Queue()
        self._absent = False
        self._ends = time.monotonic() + SETTLE

    def settled(self) -> bool:
        """Whether the book can be believed: everything was read once, there is nothing to read, or it takes too long."""
        if self._absent or self._clock.monotonic() >= self._ends:
            return True
        return self._autoscalers.synced and all(each.synced for each in self._targets.values())

    async def run(self) -> None:
        """Until cancelled. Runs once."""
        failures = 0
        while not await self._readable():
            failures += 1
            await asyncio.sleep(AGAIN if self._absent else informers.RETRY.delay(failures))
        self._autoscalers.subscribe(self._autoscaler_changed)
        async with tasks.Scope("waking") as scope:
            scope.start(self._autoscalers.run(), name="autoscalers")
            while True:
                found = await self._begun.get()
                scope.start(found.run(), name=found.kind.plural)

    async def _readable(self) -> bool:
        try:
            await self._client.list(resources.POD_AUTOSCALER, contract.Query(limit=1))
        except (errors.NotFound, errors.Forbidden) as error:
            if not self._absent:
                log.info("no model is woken from zero: PodAutoscalers cannot be read", error=error)
            self._absent = True
            return False
        except errors.KubeError as error:
            log.debug("PodAutoscalers cannot be read yet", error=error)
            return False
        return True

    def _autoscaler_changed(self, old: resources.Object | None, new: resources.Object | None) -> None:
        if new is not None:
            wanted = sleepers.read(new).target
            if wanted is not None and wanted.kind not in self._targets:
                self._begin(wanted.kind)
        self._book.autoscaler_changed(old, new)

    def _begin(self, kind: resources.ResourceType) -> None:
        made = self._targets[kind] = informers.Informer(self._client, kind)
        made.subscribe(functools.partial(self._book.target_changed, kind))
        self._begun.put_nowait(made)
