"""Several processes over one store, and a limiter over a server that goes and comes back: nothing here is a double."""

from __future__ import annotations

import asyncio
import itertools
import json
import pathlib
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from tests import redisserver

from brickyard.accounts import contract, errors, limiter
from brickyard.accounts.stores import redis
from brickyard.assembly import stores
from brickyard.lib import clock

pytestmark = pytest.mark.slow

GATEWAY = """
import asyncio, json, os, random, sys, uuid
from brickyard.accounts import contract, limiter
from brickyard.assembly import stores
from brickyard.lib import clock

NOW = 1_700_000_010.0

class Still(clock.SystemClock):
    def wall(self):
        return NOW

async def main(address, seed):
    dice = random.Random(seed)
    users = [contract.User("tight", 40, 10**9), contract.User("heavy", 10**6, 3000), contract.User("free", -1, -1)]
    seen = {user.name: [0, 0, 0] for user in users}
    async with stores.opened(stores.load({}, store=address)) as accounts:
        async with limiter.Limiter(accounts.store, batch_ids=lambda: uuid.uuid4().hex, time=Still()) as limits:
            print("ready", flush=True)
            sys.stdin.readline()
            async def client():
                for _ in range(15):
                    user = dice.choice(users)
                    tokens, expected = dice.randrange(0, 60), dice.randrange(0, 60)
                    given = await limits.reserve(contract.Demand(user, tokens=expected))
                    if isinstance(given, contract.Refusal):
                        continue
                    await asyncio.sleep(dice.random() / 1000)
                    if dice.random() < 0.1:
                        given.cancel()
                        seen[user.name][2] += 1
                    else:
                        given.settle(tokens)
                        seen[user.name][0] += 1
                        seen[user.name][1] += tokens
            await asyncio.gather(*(client() for _ in range(20)))
    print(json.dumps(seen))

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""
NOW = 1_700_000_010.0
WINDOW = int(NOW // 60)


@pytest.fixture(params=["sqlite", "redis"])
def address(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite://{tmp_path}/accounts.db"
        return
    server = redisserver.Redis(tmp_path)
    server.start()
    yield server.url
    server.stop()


async def count(store: contract.Counters, user: str, kind: str) -> int:
    look = contract.Claim(contract.Kind.RPM, f"aibrix:{user}_{kind}_CURRENT:{WINDOW % 64}", WINDOW, 60, 0, None)
    (taken,) = await store.exchange(contract.Batch("", (), ((look,),)), NOW)
    return taken.counts[0]


async def test_gateways_that_share_a_store_count_every_request_once(address: str) -> None:
    """Three processes of twenty clients: no limit on requests is passed, and counts are what was settled."""
    command = [sys.executable, "-c", GATEWAY, address]
    gateways = [
        await asyncio.create_subprocess_exec(*command, str(seed), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for seed in range(3)
    ]
    try:
        async with asyncio.timeout(60):
            for gateway in gateways:
                assert gateway.stdout is not None
                assert await gateway.stdout.readline() == b"ready\n"
            said = await asyncio.gather(*(gateway.communicate(b"go\n") for gateway in gateways))
    finally:
        for gateway in gateways:
            if gateway.returncode is None:
                gateway.kill()
                await gateway.wait()
    seen = [json.loads(output) for output, _ in said]
    settled = {user: sum(each[user][0] for each in seen) for user in ("tight", "heavy", "free")}
    tokens = {user: sum(each[user][1] for each in seen) for user in settled}
    async with stores.opened(stores.load({}, store=address)) as accounts:
        for user, requests in settled.items():
            assert await count(accounts.store, user, "RPM") == requests
            assert await count(accounts.store, user, "TPM") == tokens[user]
    assert 30 <= settled["tight"] <= 40  # what was cancelled last, nobody may have asked for again
    assert tokens["heavy"] >= 3000 - 60 * 60


@pytest.fixture
async def store(tmp_path: pathlib.Path) -> AsyncIterator[redis.RedisStore]:
    made = redis.RedisStore(f"unix://{tmp_path}/socket")
    try:
        yield made
    finally:
        await made.aclose()


async def test_a_server_that_goes_and_comes_back_is_found_again(
    tmp_path: pathlib.Path, store: redis.RedisStore
) -> None:
    ids = map(str, itertools.count())
    ada = contract.User("ada", 10**6)
    async with limiter.Limiter(store, batch_ids=ids.__next__, time=clock.SystemClock()) as limits:

        async def reserve() -> contract.Reservation:
            given = await limits.reserve(contract.Demand(ada))
            assert not isinstance(given, contract.Refusal)
            return given

        for _ in range(2):
            server = redisserver.Redis(tmp_path)
            await asyncio.to_thread(server.start)
            try:
                given = await eventually(reserve)
                given.settle(5)
                assert not limits.away
            finally:
                await asyncio.to_thread(server.stop)
            with pytest.raises(errors.StoreAwayError):
                await reserve()


async def eventually(ask: Callable[[], Awaitable[contract.Reservation]]) -> contract.Reservation:
    """The first answer, within what a limiter waits between its tries."""
    async with asyncio.timeout(limiter.RETRY.cap + 5):
        while True:
            try:
                given = await ask()
            except errors.StoreAwayError:
                await asyncio.sleep(0.05)
            else:
                return given
