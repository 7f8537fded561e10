"""A store that fails on demand."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

from brickyard.accounts import contract, errors
from brickyard.accounts.stores import memory


@dataclasses.dataclass
class Weather:
    """What the store does next.

    ``away``: it refuses. ``deaf``: it does what it is told and its answer is lost. ``delay``: seconds before it does anything.
    """

    away: bool = False
    deaf: bool = False
    delay: float = 0.0


class FlakyStore(memory.MemoryStore):
    """Memory under ``weather``; ``batches`` are those that arrived, ``reads`` how many users and keys were read."""

    def __init__(self) -> None:
        super().__init__()
        self.weather = Weather()
        self.batches: list[contract.Batch] = []
        self.reads = 0

    async def exchange(self, batch: contract.Batch, now: float) -> Sequence[contract.Taken]:
        await self._suffer()
        self.batches.append(batch)
        answers = self.apply(batch, now)
        if self.weather.deaf:
            raise errors.StoreAwayError("the answer was lost")
        return answers

    async def read(self, name: str) -> contract.User | None:
        self.reads += 1
        await self._suffer()
        return await super().read(name)

    async def key(self, digest: str) -> contract.ApiKey | None:
        self.reads += 1
        await self._suffer()
        return await super().key(digest)

    async def create(self, user: contract.User) -> bool:
        await self._suffer()
        return await super().create(user)

    async def ping(self) -> None:
        await self._suffer()

    async def _suffer(self) -> None:
        if self.weather.delay:
            await asyncio.sleep(self.weather.delay)
        if self.weather.away:
            raise errors.StoreAwayError("the store is away")
