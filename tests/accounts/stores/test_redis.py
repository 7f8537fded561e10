"""What only a server can do: hold what another program wrote, and go away."""

from __future__ import annotations

import asyncio
import json
import pathlib
from collections.abc import AsyncIterator

import pytest
from tests import redisserver

from brickyard.accounts import contract, errors
from brickyard.accounts.stores import redis

NOW = 1_700_000_010.0
WINDOW = int(NOW // 60)


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[redis.RedisStore]:
    opened = redis.RedisStore(redis_url)
    await opened._client.flushdb()
    try:
        yield opened
    finally:
        await opened.aclose()


async def test_users_lie_where_the_original_looks_for_them(store: redis.RedisStore) -> None:
    await store.create(contract.User("ada", 3, 1000))
    raw = await store._client.get("aibrix-users/ada")
    assert json.loads(raw or b"") == {"name": "ada", "rpm": 3, "tpm": 1000}


async def test_what_the_original_wrote_is_read(store: redis.RedisStore) -> None:
    await store._client.set("aibrix-users/ada", '{"name": "ada", "rpm": 3, "tpm": 1000}')
    assert await store.read("ada") == contract.User("ada", 3, 1000)


async def test_a_record_that_is_none_is_said_and_left_out(store: redis.RedisStore) -> None:
    await store.create(contract.User("ada"))
    await store._client.set("aibrix-users/bob", "nonsense")
    with pytest.raises(errors.DamagedRecordError, match="bob"):
        await store.read("bob")
    assert [user.name for user in await store.users()] == ["ada"]


async def test_counts_go_by_themselves(store: redis.RedisStore) -> None:
    for key, period in (("k60", 60), ("k1", 1)):
        claim = contract.Claim(contract.Kind.RPM, key, WINDOW, period, 1, 5)
        await store.exchange(contract.Batch(key, (contract.Charge(f"{key}c", WINDOW, period, 1),), ((claim,),)), NOW)
    assert [await store._client.ttl(key) for key in ("k60", "k1", "k1c")] == [60, 1, 1]
    assert await store._client.ttl("brickyard:settled:k1") == redis.REMEMBERED


async def test_counts_of_the_original_are_counted_on(store: redis.RedisStore) -> None:
    await store._client.incrby("k", 4)
    claim = contract.Claim(contract.Kind.RPM, "k", WINDOW, 60, 1, 5)
    answers = await store.exchange(contract.Batch("b", (), ((claim,), (claim,))), NOW)
    assert [taken.refused for taken in answers] == [None, 0]
    assert await store._client.incrby("k", 1) == 6


async def test_a_key_of_another_kind_is_said(store: redis.RedisStore) -> None:
    await store._client.sadd("aibrix-users/ada", "x")
    with pytest.raises(errors.StoreAwayError, match="WRONGTYPE"):
        await store.read("ada")


@pytest.mark.parametrize("url", ["", "http://x", "redis//x", "redis://:secret@host:port/0"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(errors.StoreUnusableError, match="address") as refused:
        redis.RedisStore(url)
    assert "secret" not in str(refused.value)


async def test_nobody_there(tmp_path: pathlib.Path) -> None:
    store = redis.RedisStore(f"unix://{tmp_path}/nobody")
    try:
        for work in (store.ping(), store.read("a"), store.exchange(contract.Batch("b"), NOW)):
            with pytest.raises(errors.StoreAwayError, match="Redis does not serve"):
                await work
    finally:
        await store.aclose()


@pytest.mark.slow
async def test_a_server_that_goes_and_comes_back(tmp_path: pathlib.Path) -> None:
    server = redisserver.Redis(tmp_path)
    store = redis.RedisStore(server.url)
    claim = contract.Claim(contract.Kind.RPM, "k", WINDOW, 60, 1, 5)
    try:
        for _ in range(2):
            await asyncio.to_thread(server.start)
            try:
                await until_it_answers(store)
                (taken,) = await store.exchange(contract.Batch("b", (), ((claim,),)), NOW)
                assert list(taken.counts) == [1]  # the script is known again, the connections are made again
            finally:
                await asyncio.to_thread(server.stop)
            with pytest.raises(errors.StoreAwayError):
                await store.ping()
    finally:
        await store.aclose()


async def until_it_answers(store: redis.RedisStore) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await store.ping()
            except errors.StoreAwayError:
                await asyncio.sleep(0.02)
            else:
                return
