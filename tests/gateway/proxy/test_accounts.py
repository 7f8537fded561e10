"""Real accounts behind a real gateway: limits as clients see them, a store that goes away, a clock that is set.

The gate, the directory and the limiter are those of production; only the store is in memory and the clock is turned by hand. Whatever
happens, what the store has counted in the end is what engines were asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import pathlib
import random
from collections.abc import AsyncIterator

import orjson
import pytest
from tests import redisserver
from tests.gateway.proxy.conftest import House, Start, until

from brickyard.accounts import contract as accounts
from brickyard.accounts import directory, limiter, tokens, windows
from brickyard.accounts import testing as accounts_testing
from brickyard.accounts.stores import redis
from brickyard.gateway import testing
from brickyard.gateway.limits import gate, settings
from brickyard.lib import clock

HASHER = tokens.Hasher(b"a secret that is long enough")
ANN, BUSY = testing.post(headers="user: ann"), testing.post(headers="user: busy")
USED = orjson.dumps({"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 10, "total_tokens": 40}})


class Watch(clock.ManualClock):
    """A clock whose time of day can be set."""

    def __init__(self) -> None:
        super().__init__(1_700_000_000.0)
        self.set = 0.0

    def wall(self) -> float:
        return super().wall() + self.set


@dataclasses.dataclass
class Office:
    """The accounts of a gateway: ``ann`` may ask five times and for 1000 tokens a minute, ``busy`` as often as she likes."""

    store: accounts.Store
    time: Watch
    gate: gate.Gate
    limits: limiter.Limiter

    async def count(self, kind: accounts.Kind, user: str = "ann") -> int:
        """What the store has counted for a user in this minute."""
        claims = windows.claims(accounts.Demand(accounts.User(user, -1, -1)), self.time.wall())
        claim = next(each for each in claims if each.kind is kind)
        (taken,) = await self.store.exchange(
            accounts.Batch("", (), ((dataclasses.replace(claim, amount=0),),)), self.time.wall()
        )
        return taken.counts[0]

    async def counts(self, kind: accounts.Kind, expected: int, user: str = "ann") -> bool:
        """Whether the store comes to have counted that many: settlements travel a moment later."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                while await self.count(kind, user) != expected:
                    await asyncio.sleep(0.01)
        return await self.count(kind, user) == expected


@contextlib.asynccontextmanager
async def office(store: accounts.Store | None = None) -> AsyncIterator[Office]:
    kept = accounts_testing.FlakyStore() if store is None else store
    time, ids = Watch(), map(str, itertools.count())
    known = directory.Directory(kept, HASHER, time=time)
    async with contextlib.aclosing(known), limiter.Limiter(kept, batch_ids=ids.__next__, time=time) as limits:
        if store is None:
            await hire(kept)
        yield Office(kept, time, gate.Gate(settings.GateSettings(), known, limits), limits)


async def hire(store: accounts.Store) -> None:
    await store.create(accounts.User("ann", 5, 1000))
    await store.create(accounts.User("busy", 100_000, -1))


async def statuses(house: House, *requests: bytes) -> list[int]:
    """Of requests on connections of their own, all at once."""
    return sorted([answer.status for answer in await asyncio.gather(*(house.ask(each) for each in requests))])


async def test_of_two_at_once_a_limit_of_one_a_second_lets_one_in(start: Start) -> None:
    async with office() as there:
        house = await start(gate=there.gate)
        house.director.rps[testing.MODEL] = 1
        assert await statuses(house, testing.post(), testing.post()) == [200, 429]
        refused = await house.ask()
        assert (refused.status, refused.error()["code"]) == (429, "rate_limit_exceeded")
        assert (refused.headers["x-error-model-rps-exceeded"], refused.headers["retry-after"]) == ("true", "1")
        there.time.advance(1.0)
        assert (await house.ask()).status == 200
        assert len(house.engine.requests) == 2


async def test_a_request_that_found_no_endpoint_gives_its_place_back(start: Start) -> None:
    async with office() as there:
        house = await start(gate=there.gate)
        house.director.rps[testing.MODEL] = 1
        ends = house.director.endpoints.pop(testing.MODEL)
        house.director.unready[testing.MODEL] = "nobody is there"
        assert (await house.ask()).status == 503
        house.director.endpoints[testing.MODEL] = ends
        assert (await house.ask()).status == 200
        assert (await house.ask()).status == 429


async def test_who_is_refused_has_used_nothing(start: Start) -> None:
    """Neither of her requests a minute, nor of the model's a second."""
    async with office() as there:
        house = await start(lambda _: [testing.reply(USED)], gate=there.gate)
        house.director.rps[testing.MODEL] = 1
        assert await statuses(house, *[ANN] * 6) == [200, 429, 429, 429, 429, 429]
        assert await there.counts(accounts.Kind.RPM, 1)
        for _ in range(4):
            there.time.advance(1.0)
            assert (await house.ask(ANN)).status == 200
        there.time.advance(1.0)
        refused = await house.ask(ANN)
        assert (refused.status, refused.headers["x-error-rpm-exceeded"]) == (429, "true")
        assert (await house.ask()).status == 200, "the model's second is still free"


@pytest.mark.parametrize("stream", [False, True])
async def test_tokens_are_charged_as_the_engine_counts_them(start: Start, *, stream: bool) -> None:
    event = b"data: " + USED + b"\n\n"
    whole = [testing.EVENTS, testing.chunk(event), testing.LAST_CHUNK] if stream else [testing.reply(USED)]
    body = {"model": testing.MODEL, "messages": [{"role": "user", "content": "hello"}], "stream": stream}
    async with office() as there:
        house = await start(lambda _: whole, gate=there.gate)
        for asked in range(1, 4):
            answer = await house.ask(testing.post(body, headers="user: ann"))
            assert (answer.status, b"prompt_tokens" in answer.body) == (200, not stream)
            assert await there.counts(accounts.Kind.TPM, 40 * asked)
        assert (b"include_usage" in house.engine.requests[0].body) is stream


async def test_tokens_end_with_429_and_begin_again(start: Start) -> None:
    used = USED.replace(b"40}", b"1200}")
    async with office() as there:
        house = await start(lambda _: [testing.reply(used)], gate=there.gate)
        assert (await house.ask(ANN)).status == 200
        assert await there.counts(accounts.Kind.TPM, 1200)
        refused = await house.ask(ANN)
        assert (refused.status, refused.headers["x-error-tpm-exceeded"]) == (429, "true")
        there.time.advance(float(refused.headers["retry-after"]))
        assert (await house.ask(ANN)).status == 200


async def test_a_store_that_goes_away_costs_those_whom_it_counts_and_nobody_else(start: Start) -> None:
    store = accounts_testing.FlakyStore()
    await hire(store)
    async with office(store) as there:
        house = await start(lambda _: [testing.reply(USED)], gate=there.gate)
        assert await statuses(house, ANN, BUSY, testing.post()) == [200, 200, 200]
        assert await there.counts(accounts.Kind.TPM, 40)
        store.weather.away = True
        refused = await house.ask(ANN)
        assert (refused.status, refused.error()["code"]) == (503, "service_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert await statuses(house, ANN, testing.post(), BUSY) == [200, 503, 503]
        store.weather.away = False
        there.time.advance(limiter.RETRY.cap)
        assert await statuses(house, ANN, testing.post(), BUSY) == [200, 200, 200]
        assert not there.limits.away
        assert await there.counts(accounts.Kind.RPM, 2)
        assert await there.counts(accounts.Kind.TPM, 80)


async def test_what_was_used_while_the_store_was_away_is_charged_when_it_is_back(start: Start) -> None:
    store, door = accounts_testing.FlakyStore(), asyncio.Event()
    await hire(store)
    async with office(store) as there:
        house = await start(lambda _: [testing.Hold(door), testing.reply(USED)], gate=there.gate)
        async with testing.connect(house.port) as client:
            client.send(ANN)
            await until(lambda: len(house.engine.requests) == 1)
            store.weather.away = True
            door.set()
            assert (await client.read()).status == 200
        await until(lambda: there.limits.away)
        store.weather.away = False
        there.time.advance(limiter.RETRY.cap)
        assert await there.counts(accounts.Kind.TPM, 40)


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 86_400.0 * 400, -86_400.0 * 400])
async def test_a_clock_that_is_set_opens_another_window_and_locks_nobody_out(start: Start, jump: float) -> None:
    """Forwards or back: who was refused may go on at once, and up to the limit again, not beyond it."""
    async with office() as there:
        house = await start(lambda _: [testing.reply(USED)], gate=there.gate)
        assert await statuses(house, *[ANN] * 6) == [200] * 5 + [429]
        there.time.set = jump
        assert await statuses(house, *[ANN] * 6) == [200] * 5 + [429]
        assert await there.counts(accounts.Kind.TPM, 200)


async def visit(house: House, rng: random.Random) -> None:
    """One client of ``busy``: asks up to three times and leaves when it likes."""
    async with testing.connect(house.port) as client:
        for _ in range(rng.randrange(1, 4)):
            client.send(BUSY)
            mood = rng.random()
            if mood < 0.3:
                await asyncio.sleep(rng.random() * 0.01)
                if mood < 0.15:
                    client.reset()
                return
            try:
                answer = await client.read()
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if not answer.complete or answer.headers.get("connection") == "close":
                return


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_counted_is_what_engines_were_asked(start: Start, seed: int) -> None:
    """Clients that leave at the gate, in line or in the middle of an answer: no place is lost and none is counted twice."""
    rng = random.Random(seed)

    def moody(_: testing.Received) -> list[testing.Step]:
        mood = rng.random()
        if mood < 0.6:
            return [testing.reply(USED)]
        return [
            testing.EVENTS,
            testing.chunk(b"data: 1\n\n"),
            *([testing.LAST_CHUNK] if mood < 0.8 else [testing.Close()]),
        ]

    store = accounts_testing.FlakyStore()
    await hire(store)
    store.weather.delay = 0.002
    async with office(store) as there:
        house = await start(moody, moody, gate=there.gate, max_attempts=1)
        house.director.rotate = True
        async with asyncio.timeout(30):
            await asyncio.gather(*(visit(house, rng) for _ in range(120)))
            await until(lambda: not house.plane.clients)
        asked = sum(outcome.attempts for _, outcome in house.director.records)
        assert 100 < asked <= len(house.director.records)
        assert await there.counts(accounts.Kind.RPM, asked, "busy")


@pytest.mark.slow
async def test_a_real_redis_goes_and_comes_back(start: Start, tmp_path: pathlib.Path) -> None:
    server = redisserver.Redis(tmp_path)
    await asyncio.to_thread(server.start)
    async with contextlib.aclosing(redis.RedisStore(server.url)) as store:
        await hire(store)
        async with office(store) as there:
            house = await start(lambda _: [testing.reply(USED)], gate=there.gate)
            assert await statuses(house, ANN, testing.post()) == [200, 200]
            await asyncio.to_thread(server.kill)
            assert await statuses(house, *[ANN] * 3, *[testing.post()] * 3) == [200] * 3 + [503] * 3
            await asyncio.to_thread(server.start)
            await hire(store)
            try:
                async with asyncio.timeout(20):
                    while (answer := await house.ask(ANN)).status != 200:
                        assert answer.status == 503
                        there.time.advance(limiter.RETRY.cap)
                        await asyncio.sleep(0.02)
                assert await there.count(accounts.Kind.RPM) >= 1
            finally:
                await asyncio.to_thread(server.kill)
