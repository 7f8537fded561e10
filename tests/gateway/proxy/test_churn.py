"""Many requests, many ways to go wrong at once: nothing hangs, nothing is left, nothing is counted twice."""

from __future__ import annotations

import asyncio
import gc
import random

import pytest
from tests.gateway.proxy.conftest import House, Start, until

from brickyard.gateway import testing

STREAM = [testing.EVENTS, *(testing.chunk(b"data: %d\n\n" % n) for n in range(5)), testing.LAST_CHUNK]


def moody(rng: random.Random) -> testing.Script:
    """An engine that mostly answers."""

    def script(_request: testing.Received) -> list[testing.Step]:
        mood = rng.random()
        if mood < 0.4:
            return [testing.reply()]
        if mood < 0.7:
            return [*STREAM]
        cut = rng.randrange(len(STREAM))
        end: testing.Step = testing.Close() if mood < 0.85 else testing.Reset()
        return [*STREAM[:cut], end]

    return script


async def visit(house: House, rng: random.Random) -> str:
    """One client: how its requests ended."""
    async with testing.connect(house.port) as client:
        for _ in range(rng.randrange(1, 4)):
            client.send(testing.post())
            mood = rng.random()
            if mood < 0.1:
                client.reset()
                return "reset"
            if mood < 0.2:
                return "closed"
            try:
                answer = await client.read()
            except (asyncio.IncompleteReadError, ConnectionError):
                return "cut"
            if not answer.complete or answer.headers.get("connection") == "close":
                return "ended"
    return "done"


@pytest.mark.parametrize("seed", range(3))
async def test_churn_leaves_nothing(start: Start, seed: int) -> None:
    rng = random.Random(seed)
    house = await start(moody(rng), moody(rng), moody(rng))
    house.director.rotate = True
    async with asyncio.timeout(20):
        ends = await asyncio.gather(*(visit(house, rng) for _ in range(150)))
        await until(lambda: not house.plane.clients)
    assert {"done", "reset", "closed"} <= set(ends)
    assert not house.director.open_leases
    finished = sum(sum(counts.statuses.values()) for counts in house.plane.metrics.models().values())
    assert finished == len(house.director.records)
    retried = sum(outcome.attempts - 1 for _, outcome in house.director.records)
    assert retried == house.plane.metrics.retries
    assert len(house.director.leases) == finished + retried


async def test_requests_leave_no_garbage_for_the_collector(start: Start) -> None:
    """Cycles would be memory until the collector runs, and its pauses are latency."""
    house = await start(lambda _request: STREAM)
    async with testing.connect(house.port) as client:
        client.send(testing.post())
        await client.read()
        gc.collect()
        gc.disable()
        try:
            for _ in range(50):
                client.send(testing.post())
                await client.read()
            found = gc.collect()
        finally:
            gc.enable()
    assert found < 50
