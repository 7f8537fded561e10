"""The work queue: which object is looked at next.

    add ──► waiting (due later) ──► ready (first come, first served) ──► running ──► done
      └───────────────────────────►   ▲                                    │
                                      └──── added again while running ◄────┘

An item is in at most one place, so work is de-duplicated; while it runs, adding it again keeps one more turn for it, so no two
workers hold the same item and no change is missed. An item that waits is due once, at the earliest time asked for. Time is an
argument; nothing here waits.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Hashable
from typing import Generic, TypeVar

from brickyard.kube.client import bucket
from brickyard.lib import backoff

K = TypeVar("K", bound=Hashable)

_SLACK = 64
"""Superseded entries that the heap may hold before it is swept."""
_RESOLUTION = 1e-6
"""Seconds: a moment less than that ahead is now. A loop's clock is coarser than the sums of floats that say when an item is due, and a
worker that wakes a rounding error too early would wake again and again."""


class WorkQueue(Generic[K]):
    """Items of type ``K``; all times are seconds of one monotonic clock. ``overall`` bounds the failures of all items together."""

    def __init__(self, backoff: backoff.Backoff, overall: bucket.Bucket | None = None) -> None:
        self._backoff = backoff
        self._overall = overall
        self._ready: dict[K, None] = {}  # an ordered set
        self._running: set[K] = set()
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []  # may hold superseded entries: ``_due`` decides
        self._order = itertools.count()
        self._failures: dict[K, int] = {}

    def __len__(self) -> int:
        """Items that are ready or wait; those that run are not counted."""
        return len(self._ready) + len(self._due)

    @property
    def ready(self) -> int:
        """Items that could run now."""
        return len(self._ready)

    @property
    def running(self) -> int:
        """Items taken and not yet done."""
        return len(self._running)

    def add(self, item: K, now: float, after: float = 0.0) -> None:
        """Ask for a turn of ``item``, ``after`` seconds from ``now``. The earliest turn asked for is the one it gets."""
        due = now + max(0.0, after)
        if item in self._ready or self._due.get(item, float("inf")) <= due:
            return
        if after <= 0 and item not in self._running:
            self._due.pop(item, None)
            self._ready[item] = None
        else:
            self._due[item] = due
            if item not in self._running:  # else ``done`` does
                self._push(item, due)

    def take(self, now: float) -> K | None:
        """The next item that may run, now counted as running; None when there is none. Give it back with ``done``."""
        self._promote(now)
        if not self._ready:
            return None
        item = next(iter(self._ready))
        del self._ready[item]
        self._running.add(item)
        return item

    def done(self, item: K) -> None:
        """``item`` no longer runs. If it was added meanwhile it is due as asked."""
        self._running.discard(item)
        if (due := self._due.get(item)) is not None:
            self._push(item, due)

    def failed(self, item: K, now: float) -> float:
        """Count a failure of ``item`` and add it again after its delay, which is returned."""
        self._failures[item] = self._failures.get(item, 0) + 1
        delay = self._backoff.delay(self._failures[item])
        if self._overall is not None:
            delay = max(delay, self._overall.reserve(now))
        self.add(item, now, delay)
        return delay

    def failures(self, item: K) -> int:
        """Failures in a row."""
        return self._failures.get(item, 0)

    def forget(self, item: K) -> None:
        """``item`` went well: its next failure is its first again."""
        self._failures.pop(item, None)

    def next_due(self) -> float | None:
        """When the next waiting item that does not run is due; None when nothing waits."""
        while self._heap:
            due, _, item = self._heap[0]
            if self._due.get(item) == due and item not in self._running:
                return due
            heapq.heappop(self._heap)
        return None

    def _push(self, item: K, due: float) -> None:
        heapq.heappush(self._heap, (due, next(self._order), item))
        if len(self._heap) > 2 * len(self._due) + _SLACK:
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)

    def _promote(self, now: float) -> None:
        while (due := self.next_due()) is not None and due <= now + _RESOLUTION:
            item = heapq.heappop(self._heap)[2]
            del self._due[item]
            self._ready[item] = None
