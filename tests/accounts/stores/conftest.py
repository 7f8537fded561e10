"""Every store, held to one suite. Redis is a real server, started once, each test in a database of its own making."""

from __future__ import annotations

import pathlib
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from brickyard.accounts import contract
from brickyard.accounts.stores import memory, sqlite
from brickyard.accounts.stores import redis as redis_store


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        pytest.skip("no redis-server on this machine: apt-get install redis-server")
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "socket"
    command = [
        program,
        "--port",
        "0",
        "--unixsocket",
        str(path),
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _await(path)
            yield f"unix://{path}"
        finally:
            server.terminate()


def _await(path: pathlib.Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        time.sleep(0.01)
    raise TimeoutError("redis-server did not start")


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
