"""Watches: who hears of which change.

The hub is told every change once, as it becomes visible, and gives it to the watchers of its collection. A watcher holds a queue
bounded by number and by bytes; one that is not emptied in time is closed, which costs its client a reconnect and the server nothing.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import enum
from collections.abc import Sequence

from brickyard.embedded.apiserver import errors, history, records, selection, store

MAX_QUEUED = 8192
MAX_QUEUED_BYTES = 32 * 1024 * 1024
"""Held by one watcher whose client does not read. Watchers of one collection share what they hold."""


class Closed(enum.Enum):
    """Why a watcher hears no more."""

    STOPPED = "the server is stopping"
    SLOW = "the client did not read"
    LEFT = "the client went away"
    GONE = "the kind is no longer served"


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """A change, and what it is to this watcher."""

    change: records.Change
    seen_as: records.ChangeType


class Watcher:
    """One client's view of a collection. ``take`` is for one reader."""

    def __init__(
        self, wanted: selection.Selection, limit: int = MAX_QUEUED, limit_bytes: int = MAX_QUEUED_BYTES
    ) -> None:
        self.wanted = wanted
        self.closed: Closed | None = None
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._queue: collections.deque[Heard] = collections.deque()
        self._wake: asyncio.Future[None] | None = None

    def offer(self, change: records.Change) -> None:
        """Queue ``change`` if it concerns this watcher; close it when the queue is full."""
        seen_as = self.wanted.seen_as(change)
        if seen_as is None or self.closed is not None:
            return
        # One change passes however large it is.
        if len(self._queue) >= self._limit or self._bytes > self._limit_bytes:
            self.close(Closed.SLOW)
            self._queue.clear()
            return
        self._queue.append(Heard(change, seen_as))
        self._bytes += len(change.record.raw)
        self._rouse()

    def replay(self, past: Sequence[records.Change]) -> None:
        """Queue what happened before the watch began; the queue's bound is for what happens after."""
        for change in past:
            seen_as = self.wanted.seen_as(change)
            if seen_as is not None:
                self._queue.append(Heard(change, seen_as))
        self._limit += len(self._queue)

    def close(self, why: Closed) -> None:
        """Hear no more; a waiting reader is told at once. The first reason stays."""
        if self.closed is None:
            self.closed = why
            self._rouse()

    async def take(self, timeout: float) -> Sequence[Heard]:
        """Everything queued, waiting up to ``timeout`` seconds for something; empty when time is up or the watcher is closed."""
        if not self._queue and self.closed is None and timeout > 0:
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait([self._wake], timeout=timeout)
            finally:
                self._wake = None
        if self.closed is Closed.SLOW:
            return ()
        taken = list(self._queue)
        self._queue.clear()
        self._bytes = 0
        return taken

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class Hub:
    """All watchers of a store."""

    def __init__(self, source: store.Store, limit: int = MAX_QUEUED) -> None:
        self._source = source
        self._limit = limit
        self._watchers: dict[str, set[Watcher]] = {}
        self._unsubscribe = source.subscribe(self._tell)
        self._stopped = False

    def __len__(self) -> int:
        return sum(len(each) for each in self._watchers.values())

    def open(self, resource: str, wanted: selection.Selection, since: int | None) -> Watcher:
        """Watch a collection from after revision ``since``; None means from now on. Give it back with ``release``.

        Raises:
            ExpiredError: that revision is no longer held.
            FutureRevisionError: that revision has not happened yet.
        """
        watcher = Watcher(wanted, self._limit)
        if since is not None:
            if since > self._source.revision:
                raise errors.in_the_future(since, self._source.revision)
            try:
                watcher.replay(self._source.history(resource).since(since))
            except history.CompactedError as error:
                raise errors.too_old(since, error.oldest) from error
        self._watchers.setdefault(resource, set()).add(watcher)
        if self._stopped:
            watcher.close(Closed.STOPPED)
        return watcher

    def release(self, resource: str, watcher: Watcher) -> None:
        """The client is gone."""
        watchers = self._watchers.get(resource, set())
        watchers.discard(watcher)
        if not watchers:
            self._watchers.pop(resource, None)

    def close_all(self, resource: str, why: Closed) -> None:
        """End the watches of one collection."""
        for watcher in self._watchers.get(resource, ()):
            watcher.close(why)

    def stop(self) -> None:
        """End every watch, now and from now on."""
        self._stopped = True
        self._unsubscribe()
        for resource in self._watchers:
            self.close_all(resource, Closed.STOPPED)

    def _tell(self, change: records.Change) -> None:
        for watcher in self._watchers.get(change.record.key.resource, ()):
            watcher.offer(change)
