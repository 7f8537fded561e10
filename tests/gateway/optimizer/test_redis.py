"""Records in a real Redis, read as the optimizer reads them."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
import redis.asyncio
from tests.accounts.stores.conftest import redis_url as redis_url  # noqa: PLC0414 - a fixture

from brickyard.accounts import settings as accounts
from brickyard.assembly import optimizer
from brickyard.gateway import settings, testing
from brickyard.gateway.optimizer import contract, traces
from brickyard.gateway.optimizer import redis as records
from brickyard.gateway.optimizer import settings as optimizer_settings
from brickyard.gateway.proxy import server
from brickyard.lib import clock

META = {"meta_v": 4, "meta_interval_sec": 10, "meta_precision": 10}


async def read(url: str, key: str) -> tuple[dict[str, int], int]:
    async with contextlib.aclosing(redis.asyncio.Redis.from_url(url)) as client:
        raw, left = await client.get(key), await client.ttl(key)
    assert raw is not None
    return json.loads(raw), left


async def test_records_of_several_gateways_add_up(redis_url: str) -> None:
    key = traces.key("org/m", 1_700_000_010)
    async with contextlib.aclosing(records.RedisRecords(redis_url)) as one:
        await one.add(
            {key: {"100:66": 2, "meta_total_reqs": 3, "meta_pending_reqs": 1, "meta_queueing_reqs": 0, **META}}
        )
    async with contextlib.aclosing(records.RedisRecords(redis_url)) as other:
        await other.add(
            {
                key: {
                    "100:66": 1,
                    "0:10": 4,
                    "meta_total_reqs": 5,
                    "meta_pending_reqs": 0,
                    "meta_queueing_reqs": 7,
                    **META,
                }
            }
        )
    record, left = await read(redis_url, key)
    expected = {"100:66": 3, "0:10": 4, "meta_total_reqs": 8, "meta_pending_reqs": 1, "meta_queueing_reqs": 7, **META}
    assert record == expected
    assert all(type(count) is int for count in record.values())
    assert 590 < left <= 600


async def test_what_cannot_be_read_is_replaced(redis_url: str) -> None:
    key = traces.key("torn", 1_700_000_010)
    async with contextlib.aclosing(redis.asyncio.Redis.from_url(redis_url)) as client:
        await client.set(key, "no json")
    async with contextlib.aclosing(records.RedisRecords(redis_url)) as kept:
        await kept.add({key: {"meta_total_reqs": 1, **META}})
    assert (await read(redis_url, key))[0] == {"meta_total_reqs": 1, **META}


async def test_a_server_that_is_not_there() -> None:
    async with contextlib.aclosing(records.RedisRecords("unix:///nowhere/at/all")) as kept:
        with pytest.raises(contract.RecordsAwayError, match="Redis does not serve"):
            await kept.add({"a": META})


@pytest.mark.parametrize(("on", "store"), [(False, "redis://127.0.0.1:1"), (True, "memory:")])
async def test_nothing_is_counted_without_the_flag_or_without_redis(on: bool, store: str) -> None:
    given = optimizer_settings.OptimizerSettings(records=on)
    async with optimizer.records(given, accounts.AccountSettings(store=store), clock.SystemClock()) as counted:
        assert counted is None


async def test_the_data_plane_counts_what_models_used() -> None:
    usage = b'{"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}'
    counted = traces.Traces()
    async with testing.ScriptedEndpoint(lambda _request: [testing.reply(usage)]) as engine:
        director = testing.FakeDirector(testing.endpoint(engine.port))
        around = server.Around(traces=counted)
        async with server.DataPlane(director, settings.GatewaySettings(port=0), around) as plane:
            counted.begin()
            for body in (None, None, {"model": "nobody"}):
                async with testing.connect(plane.port) as client:
                    client.send(testing.post(body) if body else testing.post())
                    await client.read()
            await asyncio.sleep(0)
            expected = {"100:66": 2, "meta_total_reqs": 2, "meta_pending_reqs": 0, "meta_queueing_reqs": 0, **META}
            assert counted.take() == {"tiny": expected}
