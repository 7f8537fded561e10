"""Who somebody is, from a cache in front of a store.

What was read is not read again for a moment (``freshness``), so a change is felt that much later. While the store is away, what was read
counts on for ``patience``. Callers who ask for the same at once share one read. Answers "nobody" have a small cache of their own, so that
a flood of invented names or tokens cannot push out those who are real.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Final

from brickyard.accounts import contract, errors, metrics, tokens, users
from brickyard.lib import clock

MOST_KNOWN: Final = 16384
MOST_UNKNOWN: Final = 2048
MOST_READS: Final = 256
"""Reads under way at once; one more is told that the store is away."""

Read = Callable[[], Awaitable[contract.User | None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """What was read, and when on the monotonic clock."""

    user: contract.User | None
    read: float


class Directory:
    """Users by name and by API key. ``hasher`` None: there are no API keys here. ``aclose`` it in the end."""

    def __init__(
        self,
        store: contract.Records,
        hasher: tokens.Hasher | None,
        *,
        time: clock.Clock,
        freshness: float = 2.0,
        patience: float = 300.0,
        counted: metrics.AccountMetrics | None = None,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._time = time
        self._freshness = freshness
        self._patience = max(freshness, patience)
        self._metrics = counted or metrics.AccountMetrics()
        self._known: collections.OrderedDict[str, Entry] = collections.OrderedDict()
        self._unknown: collections.OrderedDict[str, Entry] = collections.OrderedDict()
        self._reads: dict[str, asyncio.Task[contract.User | None]] = {}

    async def by_name(self, name: str) -> contract.User | None:
        """The user called ``name``; None where there is none.

        Raises:
            StoreAwayError: the store does not answer and the user was not known lately.
            DamagedRecordError: the record cannot be read.
        """
        try:
            users.check_name(name)
        except errors.InvalidUserError:
            return None
        return await self._find(f"name:{name}", lambda: self._store.read(name))

    async def by_token(self, token: str) -> contract.User | None:
        """The user whose API key ``token`` is; None where it is nobody's, or revoked. Raises as ``by_name``."""
        if self._hasher is None or not tokens.plausible(token):
            return None
        digest = self._hasher.digest(token)
        return await self._find(f"key:{digest}", lambda: self._owner(digest))

    async def _owner(self, digest: str) -> contract.User | None:
        key = await self._store.key(digest)
        return None if key is None else await self._store.read(key.user)

    async def _find(self, what: str, read: Read) -> contract.User | None:
        entry = self._known.get(what) or self._unknown.get(what)
        if entry is not None and self._time.monotonic() - entry.read < self._freshness:
            return entry.user
        try:
            return await self._shared(what, read)
        except errors.StoreAwayError:
            if entry is None or entry.user is None or self._time.monotonic() - entry.read >= self._patience:
                raise
            self._metrics.stale += 1
            return entry.user

    async def _shared(self, what: str, read: Read) -> contract.User | None:
        task = self._reads.get(what)
        if task is None:
            if len(self._reads) >= MOST_READS:
                raise errors.StoreAwayError("the store of accounts is too slow for what is asked of it")
            task = asyncio.create_task(self._read(what, read), name="accounts/read")
            self._reads[what] = task
            task.add_done_callback(lambda done: self._ended(what, done))
        # A caller that goes away leaves the read to the others.
        return await asyncio.shield(task)

    def _ended(self, what: str, task: asyncio.Task[contract.User | None]) -> None:
        self._reads.pop(what, None)
        if not task.cancelled():
            task.exception()  # seen: whoever still waits raises it

    async def _read(self, what: str, read: Read) -> contract.User | None:
        self._metrics.lookups += 1
        # As of the question, not of the answer: what changes in between must not count as fresh.
        asked = self._time.monotonic()
        user = await read()
        self._known.pop(what, None)
        self._unknown.pop(what, None)
        cache, most = (self._unknown, MOST_UNKNOWN) if user is None else (self._known, MOST_KNOWN)
        cache[what] = Entry(user, asked)
        if len(cache) > most:
            cache.popitem(last=False)
        return user

    async def aclose(self) -> None:
        """End reads under way."""
        reads = list(self._reads.values())
        for task in reads:
            task.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
