"""A gateway on a real socket before scripted endpoints; every test ends with a look at what must be zero again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
import uvloop

from brickyard.gateway import contract, settings, testing
from brickyard.gateway.proxy import plane, server
from brickyard.gateway.queueing import settings as queueing
from brickyard.gateway.waking import waking as hub


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that production runs on."""
    return {"uvloop": uvloop.new_event_loop}


@dataclasses.dataclass
class House:
    """What a test holds: a gateway, its director, and the endpoints behind it in the order in which they are chosen."""

    director: testing.FakeDirector
    engines: list[testing.ScriptedEndpoint]
    running: server.DataPlane

    @property
    def engine(self) -> testing.ScriptedEndpoint:
        return self.engines[0]

    @property
    def port(self) -> int:
        return self.running.port

    @property
    def plane(self) -> plane.Plane:
        return self.running.plane

    async def ask(self, data: bytes | None = None, *, head_only: bool = False) -> testing.Response:
        """One request on a connection of its own."""
        async with testing.connect(self.port) as client:
            client.send(testing.post() if data is None else data)
            return await client.read(head_only=head_only)

    async def metric(self, line: str) -> float:
        """The value of a series on the metrics page; 0.0 when it is not there."""
        page = (await self.ask(testing.get("/metrics"))).body.decode()
        return next((float(row.rpartition(" ")[2]) for row in page.splitlines() if row.rpartition(" ")[0] == line), 0.0)


Start = Callable[..., Awaitable[House]]


async def until(condition: Callable[[], bool], limit: float = 10.0) -> None:
    """Let the loop run until ``condition`` holds."""
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """``await start(scripts…, setting=value…)``: one endpoint per script, one when there is none."""
    sockets_before = open_sockets()
    tasks_before = asyncio.all_tasks()
    houses: list[House] = []
    async with contextlib.AsyncExitStack() as stack:

        async def build(
            *scripts: testing.Script | None,
            gate: contract.Gate | None = None,
            queue: queueing.QueueSettings | None = None,
            waking: hub.Waking | None = None,
            **given: Any,
        ) -> House:
            engines = [
                await stack.enter_async_context(testing.ScriptedEndpoint(script)) for script in scripts or (None,)
            ]
            director = testing.FakeDirector(
                *(testing.endpoint(engine.port, name) for engine, name in zip(engines, "abcdefgh", strict=False))
            )
            options = settings.GatewaySettings(**{"port": 0, "drain_timeout": 0.05, **given})
            running = await stack.enter_async_context(
                server.DataPlane(
                    director,
                    options,
                    server.Around(gate=gate, queue=queue or queueing.QueueSettings(), waking=waking),
                )
            )
            houses.append(House(director, engines, running))
            return houses[-1]

        yield build
    for house in houses:
        check_settled(house)
    await until(lambda: asyncio.all_tasks() <= tasks_before | {asyncio.current_task()})
    await until(lambda: open_sockets() <= sockets_before)


def open_sockets() -> int:
    """Sockets of this process; the loop keeps a pair of its own."""
    links = [link for link in pathlib.Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(link.readlink().name.startswith("socket:") for link in links)


def check_settled(house: House) -> None:
    """Nothing is held, and everything was counted once."""
    shared, director = house.plane, house.director
    assert not director.open_leases
    assert [lease.releases for lease in director.leases if lease.releases == 0] == []
    ids = [decision.request.id for decision, _ in director.records]
    assert len(ids) == len(set(ids)), "a request was recorded twice"
    assert not shared.clients
    assert len(shared.pools) == 0
    assert shared.budget.held == 0
    assert shared.queue.waiting == 0
    assert list(shared.queue.metrics.lengths()) == []
    assert sum(counts.in_flight for counts in shared.metrics.models().values()) == 0
    finished = sum(sum(counts.statuses.values()) for counts in shared.metrics.models().values())
    assert finished >= len(director.records)
