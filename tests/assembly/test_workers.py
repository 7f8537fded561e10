"""``brickyard gateway --workers 2`` as people start it: one port, one set of limits, one place to ask."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from brickyard.accounts import contract as accounts
from brickyard.accounts.stores import sqlite
from brickyard.assembly import gateway, workers
from brickyard.gateway import testing as gateway_testing
from brickyard.gateway import workers as running
from brickyard.lib import process

ASKED = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}
PER_MINUTE = 20


class Workers:
    """A running set of workers. ``url`` is the port of all of them."""

    def __init__(self, process_: asyncio.subprocess.Process, port: int) -> None:
        self.process = process_
        self.url = f"http://127.0.0.1:{port}"

    def pids(self) -> list[int]:
        found = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(word) for word in found.split()]

    async def get(self, path: str) -> httpx2.Response:
        """By a connection of its own: the kernel chooses the worker."""
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            return await client.get(self.url + path)

    async def ask(self, **headers: str) -> httpx2.Response:
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            return await client.post(f"{self.url}/v1/chat/completions", json=ASKED, headers=headers)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.asynccontextmanager
async def started(folder: pathlib.Path, engine: int, *words: str) -> AsyncIterator[Workers]:
    endpoints = folder / "endpoints.yaml"
    endpoints.write_text(f'models: [{{name: demo, endpoints: ["127.0.0.1:{engine}"]}}]\n')
    port, (hears, says) = _free_port(), os.pipe()
    command = [
        sys.executable,
        "-m",
        "brickyard.cli.main",
        "gateway",
        f"--endpoints-config={endpoints}",
        f"--port={port}",
    ]
    made = await asyncio.create_subprocess_exec(
        *command, "--workers=2", *words, pass_fds=(says,), env={**os.environ, process.READY_FD: str(says)}
    )
    os.close(says)
    try:
        async with asyncio.timeout(60):
            assert await asyncio.to_thread(os.read, hears, 16) == b"ready\n"
        yield Workers(made, port)
    finally:
        os.close(hears)
        if made.returncode is None:
            made.terminate()
        assert await asyncio.wait_for(made.wait(), 30) == 0


async def _store(folder: pathlib.Path) -> str:
    path = folder / "accounts.db"
    store = await asyncio.to_thread(sqlite.SqliteStore.open, path)
    await store.create(accounts.User("ann", PER_MINUTE, 0))
    await store.aclose()
    return f"sqlite://{path}"


async def _calm_minute() -> None:
    """Limits are of whole minutes: nothing that is counted may begin at the end of one."""
    while time.time() % 60 > 45:
        await asyncio.sleep(0.5)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_two_workers_are_one_gateway(tmp_path: pathlib.Path) -> None:
    store = await _store(tmp_path)
    async with (
        gateway_testing.ScriptedEndpoint() as engine,
        started(tmp_path, engine.port, f"--store={store}") as several,
    ):
        answered = [await several.ask(**{"x-request-id": f"request-{number}"}) for number in range(24)]
        assert {each.status_code for each in answered} == {200}

        page = (await several.get("/metrics")).text
        assert "gateway_workers 2.0" in page
        assert 'gateway_sharing_peers{worker="0"} 1.0' in page
        counts = [
            float(line.rpartition(" ")[2])
            for line in page.splitlines()
            if line.startswith("gateway_request_total{") and 'model="demo"' in line
        ]
        assert len(counts) == 2  # 24 connections all to one worker: once in eight million runs
        assert sum(counts) == 24

        for number in range(24):
            told = await several.get(f"/debug/requests/request-{number}")
            assert told.status_code == 200, told.text
        assert (await several.get("/debug/requests/nobody's")).status_code == 404
        assert "request-23" in (await several.get("/debug/requests/last")).text

        await _calm_minute()
        statuses = [each.status_code for each in await asyncio.gather(*(several.ask(user="ann") for _ in range(40)))]
        assert (statuses.count(200), statuses.count(429)) == (PER_MINUTE, 40 - PER_MINUTE)

        before = several.pids()
        os.kill(before[0], signal.SIGKILL)
        async with asyncio.timeout(5):
            while len(set(several.pids()) - set(before)) != 1:
                await asyncio.sleep(0.02)
        async with asyncio.timeout(30):
            while "gateway_workers 2.0" not in (await several.get("/metrics")).text:
                await asyncio.sleep(0.1)
        assert (await several.ask()).status_code == 200


def _plan(environ: dict[str, str], count: int | None) -> running.Plan | None:
    said = gateway.Said(port=9999, endpoints_file=pathlib.Path("/x/endpoints.yaml"), strategy="random")
    return workers.plan(environ, said, gateway.load(environ, said), count)


def test_a_plan_is_the_command_line_again() -> None:
    made = _plan({"BRICKYARD_GATEWAY_WORKERS": "3"}, None)
    assert made is not None
    assert made.argv[1:] == (
        "-m", "brickyard.cli.main", "gateway", "--endpoints-config=/x/endpoints.yaml", "--strategy=random",
    )  # fmt: skip
    assert (made.count, made.port, made.passed_on) == (3, 9999, (signal.SIGUSR1,))


def test_one_is_no_plan_nor_is_one_of_several() -> None:
    assert _plan({}, None) is None
    assert _plan({"BRICKYARD_GATEWAY_WORKERS": "3"}, 1) is None
    seat = {running.FOLDER: "/tmp/x", running.NUMBER: "0", running.COUNT: "3"}
    assert _plan(seat, None) is None


def test_a_log_in_a_file_is_opened_again_by_all() -> None:
    made = _plan({"BRICKYARD_GATEWAY_ACCESS_LOG": "/x/access.log"}, 2)
    assert made is not None
    assert signal.SIGHUP in made.passed_on
