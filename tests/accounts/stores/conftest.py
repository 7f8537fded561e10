"""Every store, held to one suite. Redis is a real server, started once, each test in a database of its own making."""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator, Iterator

import pytest
from tests import redisserver

from brickyard.accounts import contract
from brickyard.accounts.stores import memory, sqlite
from brickyard.accounts.stores import redis as redis_store


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = redisserver.Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> AsyncIterator[contract.Store]:
    opened: contract.Store
    if request.param == "memory":
        opened = memory.MemoryStore()
    elif request.param == "sqlite":
        opened = sqlite.SqliteStore.open(tmp_path / "accounts.db")
    else:
        found = redis_store.RedisStore(request.getfixturevalue("redis_url"))
        await found._client.flushdb()
        opened = found
    try:
        yield opened
    finally:
        await opened.aclose()
