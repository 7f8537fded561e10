"""Background work by key: each key is worked on by one at a time, at most once however often it was asked for, and again after a
failure, later each time."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from brickyard.lib import backoff, errors, logs

log = logs.get(__name__)

K = TypeVar("K", bound=Hashable)

_RETRY = backoff.Backoff(0.05, 2.0, 30.0)


class Chores(Generic[K]):
    """Keys to work on, in order of asking. ``work`` raises a ``BrickyardError`` where it could not finish."""

    def __init__(self, name: str, work: Callable[[K], Awaitable[None]]) -> None:
        self._name = name
        self._work = work
        self._keys: collections.OrderedDict[K, None] = collections.OrderedDict()
        self._failures: dict[K, int] = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._keys)

    def ask(self, key: K) -> None:
        """Work on ``key`` soon; a key that waits already keeps its place."""
        self._keys.setdefault(key)
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._keys:
                key, _ = self._keys.popitem(last=False)
                await self._attempt(key)
                # Long chains of work leave room for requests in between.
                await asyncio.sleep(0)

    async def _attempt(self, key: K) -> None:
        try:
            await self._work(key)
        except errors.BrickyardError as error:
            count = self._failures[key] = self._failures.get(key, 0) + 1
            delay = _RETRY.delay(count)
            log.warning("background work failed", chore=self._name, key=key, error=error, retry_in=delay)
            asyncio.get_running_loop().call_later(delay, self.ask, key)
        else:
            self._failures.pop(key, None)
