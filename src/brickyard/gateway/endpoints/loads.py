"""Keeps the table's engine loads current: one small task per routable endpoint, each at its own moment.

One missed page changes nothing; the third in a row makes the load void, because numbers of a moment ago mislead less than none and
numbers of long ago mislead more. A page that its engine's adapter cannot read counts as missed: what one engine writes must not end
the looks at all others, and the gateway with them. Health is not judged here: that is the pod's readiness and the breaker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from brickyard.api import serving
from brickyard.engines import contract as engines
from brickyard.gateway.endpoints import pods, table
from brickyard.lib import clock, logs, pages, tasks
from brickyard.routing import contract as routing

log = logs.get(__name__)

MISSES = 3
"""Pages missed in a row that make a load void."""
JITTER = 0.2
"""The share of the interval by which two looks may be further apart or closer, in total."""

NOTICED_WITHIN = 0.5
"""Seconds within which a new endpoint is noticed, and as many again until its first look: nobody waits a whole interval for it."""

Fetch = Callable[[str], Awaitable[bytes]]
"""URL → page; raises ``pages.PageMissed``."""


class _Seen:
    """What the last page of one endpoint said."""

    __slots__ = ("digest", "load", "misses")

    def __init__(self) -> None:
        self.digest: int | None = None
        self.load: serving.EngineLoad | None = None
        self.misses = 0


class LoadScraper:
    """Reads every routable endpoint's metrics page about every ``pace()`` seconds, which may change.

    ``readers`` knows engines by name; endpoints of other engines have no load. ``time`` must be the clock that snapshots are made by.

    Attributes:
        told: hears of every page that came; set by whoever wants to know.
        missed: pages that did not come.
    """

    def __init__(
        self,
        live: table.Table,
        readers: Mapping[str, engines.MetricsReader],
        fetch: Fetch,
        pace: Callable[[], float],
        *,
        time: clock.Clock,
        rng: routing.Random,
    ) -> None:
        self.told: Callable[[routing.Endpoint, bytes], None] | None = None
        self.missed = 0
        self._table = live
        self._readers = readers
        self._fetch = fetch
        self._pace = pace
        self._clock = time
        self._rng = rng
        self._followed: dict[table.Slot, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Scrape until cancelled."""
        async with tasks.Scope("loads") as scope:
            while True:
                self._catch_up(scope)
                await asyncio.sleep(min(self._pace(), NOTICED_WITHIN))

    def _catch_up(self, scope: tasks.Scope) -> None:
        """One task for each routable endpoint, none for others."""
        routable = set(self._table.routable())
        for slot in self._followed.keys() - routable:
            self._followed.pop(slot).cancel()
            self._table.heard(slot, None, self._clock.monotonic())
        for slot in routable - self._followed.keys():
            self._followed[slot] = scope.start(self._follow(slot), name=slot.endpoint.key)

    async def _follow(self, slot: table.Slot) -> None:
        seen = _Seen()
        await asyncio.sleep(self._rng.random() * min(self._pace(), NOTICED_WITHIN))
        while True:
            await self._look(slot, seen)
            await asyncio.sleep(self._pace() * (1 - JITTER / 2 + JITTER * self._rng.random()))

    async def _look(self, slot: table.Slot, seen: _Seen) -> None:
        reader = self._readers.get(slot.endpoint.engine)
        if reader is None:
            return
        try:
            page = await self._fetch(f"http://{pods.metrics_authority(slot.endpoint)}{reader.path}")
            digest = hash((slot.endpoint.engine, page))  # an engine's label may change under a running pod
            if digest != seen.digest:
                seen.load, seen.digest = _parsed(reader, page), digest
        except pages.PageMissed as error:
            self._missed(slot, seen, error)
            return
        if seen.misses >= MISSES:
            log.info("metrics page is back", endpoint=slot.endpoint.key)
        seen.misses = 0
        self._table.heard(slot, seen.load, self._clock.monotonic())
        if self.told is not None:
            self.told(slot.endpoint, page)

    def _missed(self, slot: table.Slot, seen: _Seen, error: pages.PageMissed) -> None:
        self.missed += 1
        seen.misses += 1
        if seen.misses == MISSES:
            log.warning("metrics page is missing, load unknown", endpoint=slot.endpoint.key, error=error)
            self._table.heard(slot, None, self._clock.monotonic())


def _parsed(reader: engines.MetricsReader, page: bytes) -> serving.EngineLoad:
    """What ``page`` says.

    Raises:
        PageMissed: the reader fails at it.
    """
    try:
        return reader.parse(page)
    except Exception as error:
        raise pages.PageMissed(f"the page cannot be read: {type(error).__name__}: {error}") from error
