"""A gateway's choice of endpoints with ears, over a clock that is set by hand."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from brickyard.engines.vllm import kvevents
from brickyard.gateway.endpoints import director, pods, prefixes
from brickyard.gateway.endpoints import settings as endpoint_settings
from brickyard.gateway.kvevents import book, follower, settings
from brickyard.kvindex import settings as kvindex
from brickyard.lib import clock
from brickyard.routing import contract as routing
from brickyard.routing import registry

SOON: Final = 10.0
"""Seconds after which a test that waits for something has failed."""


class Ears:
    """A director whose index is corrected by what its endpoints tell.

    Attributes:
        director: chooses; its table is to be filled.
        book: what was told.
        time: the director's clock and the book's.
    """

    def __init__(self, policies: registry.Registry, strategy: str, *, listen: bool = True) -> None:
        self.time = clock.ManualClock(1000.0)
        known = prefixes.Prefixes(kvindex.PrefixSettings())
        chosen = endpoint_settings.EndpointSettings(strategy=strategy)
        chance = random.Random(7)  # noqa: S311 - the same for every run
        self.director = director.TableDirector(policies, chosen, known=known, time=self.time, rng=chance)
        given = settings.KvEventSettings(replay_timeout=0.5)
        self.book = book.Book(known.made, known, given, self.time)
        self.follower = follower.Follower(
            self.director.table.endpoints, self.book, {"vllm": kvevents.DECODER}, given, look_every=0.01
        )
        if listen:
            known.witness = self.follower

    def put(self, endpoint: routing.Endpoint, uid: str = "1") -> None:
        """A pod with this endpoint is there."""
        self.director.table.put(pods.ModelPod(endpoint.key, uid, endpoint.model, 0.0, "", (endpoint,)))

    async def pass_time(self) -> None:
        """What engines told of the requests so far is here and learned from."""
        self.time.advance(1.0)
        await until(lambda: not self.book.unsettled)


async def until(done: Callable[[], bool]) -> None:
    """Let others work until ``done``.

    Raises:
        TimeoutError: it is not in time.
    """
    async with asyncio.timeout(SOON):
        while True:
            if done():
                return
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def listening(
    policies: registry.Registry, strategy: str, endpoints: Sequence[routing.Endpoint], *, listen: bool = True
) -> AsyncIterator[Ears]:
    """``Ears`` that are connected to all endpoints that publish."""
    ears = Ears(policies, strategy, listen=listen)
    for each in endpoints:
        ears.put(each)
    task = asyncio.create_task(ears.follower.run()) if listen else None
    try:
        if task is not None:
            await until(
                lambda: bool(ears.book.publishers) and all(told.settled for told in ears.book.publishers.values())
            )
        yield ears
    finally:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
