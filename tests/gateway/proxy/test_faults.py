"""Faults in numbers: crowds that come and go, endpoints that come and go, time that jumps. Afterwards all is as it was before."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import random

import pytest
from tests.gateway.proxy.conftest import House, Start, until

from brickyard.gateway import settings, testing
from brickyard.gateway.endpoints import director, pods
from brickyard.gateway.endpoints import settings as endpoint_settings
from brickyard.gateway.proxy import server
from brickyard.gateway.queueing import metrics
from brickyard.gateway.queueing import settings as queueing
from brickyard.lib import clock
from brickyard.routing import contract as routing
from brickyard.routing import filters, registry
from brickyard.routing.policies import least_request

CROWD = 20_000
AT_ONCE = 200


async def drop_in(house: House, rng: random.Random) -> str:
    """One client that leaves before it is done; how."""
    how = rng.choice(("silent", "half a head", "half a body", "asked", "closed"))
    sent = {
        "silent": b"",
        "half a head": b"POST /v1/chat/completions HTTP/1.1\r\nhost",
        "half a body": testing.post()[:-5],
        "asked": testing.post(),
        "closed": testing.post(),
    }[how]
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    client = testing.RawClient(reader, writer)
    client.send(sent)
    if how == "closed":
        writer.close()
    else:
        client.reset()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return how


@pytest.mark.slow
async def test_twenty_thousand_connections_opened_and_dropped(start: Start) -> None:
    house = await start()
    rng = random.Random(5)
    seen: collections.Counter[str] = collections.Counter()

    async def drop(count: int) -> None:
        for _ in range(count):
            seen[await drop_in(house, rng)] += 1

    async with asyncio.timeout(300), asyncio.TaskGroup() as crowd:
        for _ in range(AT_ONCE):
            crowd.create_task(drop(CROWD // AT_ONCE))
        await until(lambda: seen.total() > CROWD // 4, limit=200)
        async with asyncio.timeout(10):
            assert (await house.ask()).status == 200, "others are served meanwhile"
    assert seen.total() == CROWD
    assert len(seen) == 5
    await until(lambda: not house.plane.clients, limit=10)
    assert house.plane.budget.held == 0
    assert (await house.ask()).status == 200


class Moving(clock.SystemClock):
    """The system's clock, and what was added to it: a machine that slept, or whose time was set."""

    def __init__(self) -> None:
        self.slept = 0.0
        self.set = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.slept

    def wall(self) -> float:
        return super().wall() + self.set


async def test_time_that_was_set_changes_nothing_and_a_sleep_ends_what_it_made_too_old() -> None:
    door, time = asyncio.Event(), Moving()
    async with testing.ScriptedEndpoint(lambda _: [testing.Hold(door), testing.reply()]) as engine:
        chooser = testing.FakeDirector(testing.endpoint(engine.port))
        options = settings.GatewaySettings(port=0, drain_timeout=0.05, pool_idle_timeout=0.1)
        async with server.DataPlane(chooser, options, time=time) as running, testing.connect(running.port) as client:
            client.send(testing.post())
            await until(lambda: len(engine.requests) == 1)
            for jump in (-1e6, 1e6):
                time.set += jump
                await asyncio.sleep(0.05)
                assert len(chooser.open_leases) == 1
            time.slept = 7200.0
            answer = await client.read()
            assert (answer.status, answer.error()["code"]) == (504, "request_timeout")
            assert not chooser.open_leases
            door.set()
            client.send(testing.post())
            assert (await client.read()).status == 200
    assert not running.plane.clients
    assert sum(counts.in_flight for counts in running.plane.metrics.models().values()) == 0


ADDS, REMOVES, ASKED = 250, 150, 1500


def pod(number: int, port: int) -> pods.ModelPod:
    key = f"default/p{number}"
    endpoint = routing.Endpoint(f"{key}:{port}", "default", f"p{number}", "127.0.0.1", port, testing.MODEL, "sim")
    return pods.ModelPod(key, f"uid-{number}", testing.MODEL, 0.0, "", (endpoint,))


class Fleet:
    """Pods that come and go over a few engines, a tenth of them over nobody."""

    def __init__(self, live: director.TableDirector, ports: list[int], dead: int) -> None:
        self._live = live
        self._ports = ports
        self._dead = dead
        self._rng = random.Random(11)
        self._there: list[str] = []
        self.added = self.removed = 0

    def add(self) -> None:
        port = self._dead if self._rng.random() < 0.1 else self._rng.choice(self._ports)
        made = pod(self.added, port)
        self._live.table.put(made)
        self._there.append(made.key)
        self.added += 1

    def remove(self) -> None:
        self._live.table.remove(self._there.pop(self._rng.randrange(len(self._there))))
        self.removed += 1


@pytest.mark.slow
async def test_churn_of_endpoints_hangs_and_harms_nobody() -> None:
    """250 pods come and 150 go under 1500 requests; with places for few, so that many wait for those that change."""
    rng = random.Random(3)
    policies = registry.Registry([least_request.POLICY], before=(filters.HasRoom(2),))
    live = director.TableDirector(policies, endpoint_settings.EndpointSettings(slow_start=0.5), rng=rng)
    async with contextlib.AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(testing.ScriptedEndpoint()) for _ in range(4)]
        async with testing.ScriptedEndpoint() as gone:
            dead = gone.port
        fleet = Fleet(live, [engine.port for engine in engines], dead)
        options = settings.GatewaySettings(port=0, drain_timeout=0.05, connect_timeout=1.0, max_attempts=4)
        around = server.Around(queue=queueing.QueueSettings(timeout=10.0))
        running = await stack.enter_async_context(server.DataPlane(live, options, around))
        fleet.add()
        statuses: collections.Counter[int] = collections.Counter()

        async def visit(count: int) -> None:
            async with testing.connect(running.port) as client:
                for _ in range(count):
                    client.send(testing.post(headers=f"user: u{rng.randrange(9)}"))
                    statuses[(await client.read()).status] += 1

        async with asyncio.timeout(60), asyncio.TaskGroup() as crowd:
            for _ in range(50):
                crowd.create_task(visit(ASKED // 50))
            while fleet.added < ADDS or fleet.removed < REMOVES:
                if fleet.added < ADDS:
                    fleet.add()
                if fleet.removed < REMOVES and fleet.added - fleet.removed > 3 and rng.random() < 0.9:
                    fleet.remove()
                await asyncio.sleep(0.002)
        assert statuses.total() == ASKED
        assert statuses[200] >= 0.99 * ASKED, statuses
        shared = running.plane
        assert shared.queue.metrics.ends[metrics.End.SENT] > 0, "nobody had to wait: this tried nothing"
        assert (shared.queue.waiting, shared.budget.held) == (0, 0)
        assert sum(counts.in_flight for counts in shared.metrics.models().values()) == 0
        assert sum(slot.in_flight for slot in live.table.routable()) == 0
        assert live.table.inconsistencies() == []
        assert (fleet.added, fleet.removed) == (ADDS, REMOVES)
