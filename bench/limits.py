"""What limits cost a request: who it is, a reservation and its settlement, over each store.

One process, as a gateway's: some number of clients that each wait for their reservation, settle at once and come again. Memory is the
limiter alone; SQLite and Redis are what a request pays on one machine and on several.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import tempfile
import time

import uvloop
from tests import redisserver

from brickyard.accounts import contract, directory, limiter, tokens
from brickyard.assembly import stores
from brickyard.lib import clock

TARGET = 200.0
"""Microseconds of CPU for each request."""
REQUESTS = 6400
CLIENTS = (1, 16, 128)
USERS = [contract.User(f"user-{number}", 10**9, 10**12) for number in range(50)]


@dataclasses.dataclass(frozen=True)
class Cost:
    """Microseconds: of CPU for each request, and of a client's wait."""

    cpu: float
    median: float
    p99: float
    gathered: float


async def measure(accounts: stores.Accounts, clients: int) -> Cost:
    """``REQUESTS`` by ``clients`` at once."""
    waits: list[float] = []
    sent = iter(range(REQUESTS))
    ids = iter(range(10**9))
    time_ = clock.SystemClock()
    hasher = accounts.hasher or tokens.Hasher(os.urandom(32))
    known = directory.Directory(accounts.store, hasher, time=time_, freshness=3600)
    shown = [tokens.make(os.urandom) for _ in USERS]
    for user, token in zip(USERS, shown, strict=True):
        await accounts.store.create(user)
        await accounts.store.add_key(contract.ApiKey(hasher.digest(token), user.name, 0.0))
    run = os.urandom(8).hex()
    async with limiter.Limiter(accounts.store, batch_ids=lambda: f"{run}-{next(ids)}", time=time_) as limits:

        async def client() -> None:
            for number in sent:
                began = time.perf_counter()
                user = await known.by_token(shown[number % len(shown)])
                given = await limits.reserve(contract.Demand(user, "model", 10**9, 100))
                waits.append(time.perf_counter() - began)
                if not isinstance(given, contract.Refusal):
                    given.settle(120)

        began = time.process_time()
        await asyncio.gather(*(client() for _ in range(clients)))
        spent = time.process_time() - began
    await known.aclose()
    waits.sort()
    batches = next(ids)
    return Cost(
        spent / REQUESTS * 1e6,
        waits[len(waits) // 2] * 1e6,
        waits[int(len(waits) * 0.99)] * 1e6,
        REQUESTS / max(1, batches),
    )


async def table(folder: pathlib.Path) -> None:
    """Every store with every number of clients."""
    print(f"{'store':<8} {'clients':>7} {'CPU µs':>8} {'wait p50':>9} {'p99':>7} {'a batch':>8}")
    with redisserver.running(folder) as server:
        for name, address in (("memory", "memory:"), ("sqlite", f"sqlite://{folder}/a.db"), ("redis", server)):
            for clients in CLIENTS if address else ():
                async with stores.opened(stores.load({}, store=address)) as accounts:
                    cost = await measure(accounts, clients)
                verdict = "" if cost.cpu <= TARGET else f"  over the target of {TARGET:.0f}"
                row = f"{cost.cpu:>8.0f} {cost.median:>9.0f} {cost.p99:>7.0f} {cost.gathered:>8.1f}"
                print(f"{name:<8} {clients:>7} {row}{verdict}")


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(table(pathlib.Path(folder)))
