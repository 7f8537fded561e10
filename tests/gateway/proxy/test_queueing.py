"""Requests that wait for room: whose turn it is, what they hear when they wait in vain, and that nothing is left of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from tests.gateway.proxy.conftest import House, Start, until

from brickyard.gateway import testing
from brickyard.gateway.queueing import metrics, settings

ROOMY = settings.QueueSettings(timeout=5.0)


class Held:
    """An engine that answers when it is let, one request per ``let``."""

    def __init__(self) -> None:
        self.doors: list[asyncio.Event] = []

    def script(self, _request: testing.Received) -> list[testing.Step]:
        self.doors.append(asyncio.Event())
        return [testing.Hold(self.doors[-1]), testing.reply()]

    def let(self, which: int) -> None:
        self.doors[which].set()


class Crowd:
    """Clients whose requests were sent in order; ``answers`` come as they come."""

    def __init__(self, house: House, stack: contextlib.AsyncExitStack) -> None:
        self._house = house
        self._stack = stack
        self.clients: list[testing.RawClient] = []

    async def send(self, headers: str = "", *, waits: bool | None = True) -> testing.RawClient:
        """One more request; returns when it waits, or has come to the engine, or at once (None)."""
        shared = self._house.plane
        before = shared.queue.waiting
        leases = len(self._house.director.leases)
        client = await self._stack.enter_async_context(testing.connect(self._house.port))
        client.send(testing.post(headers=headers))
        self.clients.append(client)
        if waits:
            await until(lambda: shared.queue.waiting == before + 1)
        elif waits is False:
            await until(lambda: len(self._house.director.leases) == leases + 1)
        return client


@contextlib.asynccontextmanager
async def crowd(house: House) -> AsyncIterator[Crowd]:
    async with contextlib.AsyncExitStack() as stack:
        yield Crowd(house, stack)


def order(house: House) -> list[str]:
    """The ``x-name`` of requests as engines got them."""
    return [each.headers.get("x-name", "") for engine in house.engines for each in engine.requests]


async def test_who_finds_no_room_waits_and_goes_when_there_is(start: Start) -> None:
    engine = Held()
    house = await start(engine.script, queue=ROOMY)
    house.director.room = 1
    async with crowd(house) as there:
        first = await there.send("x-name: a", waits=False)
        second = await there.send("x-name: b")
        await until(lambda: len(engine.doors) == 1)
        assert await house.metric('gateway_queue_length{model="tiny"}') == 1
        engine.let(0)
        assert (await first.read()).status == 200
        await until(lambda: len(engine.doors) == 2)
        engine.let(1)
        assert (await second.read()).status == 200
    assert order(house) == ["a", "b"]
    assert house.plane.queue.metrics.ends[metrics.End.SENT] == 1
    assert await house.metric('gateway_queue_time_seconds_count{model="tiny"}') == 1
    assert house.director.records[-1][0].request.waited > 0
    assert house.engine.connections == 1, "the place is called when its connection is free again"


async def test_nobody_goes_past_those_who_wait(start: Start) -> None:
    engine = Held()
    house = await start(engine.script, queue=ROOMY)
    house.director.room = 1
    async with crowd(house) as there:
        await there.send("x-name: a", waits=False)
        await there.send("x-name: b\r\nx-brickyard-priority: -2")
        await there.send("x-name: c\r\nx-brickyard-priority: 3")
        await there.send("x-name: d")
        for turn in range(4):
            await until(lambda: len(engine.doors) == turn + 1)  # noqa: B023 - looked at before the next turn
            engine.let(turn)
        for client in there.clients:
            assert (await client.read()).status == 200
    assert order(house) == ["a", "c", "d", "b"]


async def test_users_take_turns(start: Start) -> None:
    engine = Held()
    house = await start(engine.script, queue=ROOMY)
    house.director.room = 1
    async with crowd(house) as there:
        await there.send("x-name: first", waits=False)
        for name, user in (("a0", "ann"), ("a1", "ann"), ("a2", "ann"), ("b0", "bob")):
            await there.send(f"x-name: {name}\r\nuser: {user}")
        for turn in range(5):
            await until(lambda: len(engine.doors) == turn + 1)  # noqa: B023 - looked at before the next turn
            engine.let(turn)
        for client in there.clients:
            assert (await client.read()).status == 200
    assert order(house) == ["first", "a0", "b0", "a1", "a2"]


async def test_a_full_line_turns_away_with_a_time_to_come_back(start: Start) -> None:
    engine = Held()
    house = await start(engine.script, queue=settings.QueueSettings(length=1))
    house.director.room = 1
    async with crowd(house) as there:
        await there.send(waits=False)
        await there.send()
        refused = await house.ask()
        assert (refused.status, refused.error()["code"], refused.headers["retry-after"]) == (429, "overloaded", "1")
        urgent = await house.ask(testing.post(headers="x-brickyard-priority: x"))
        assert (urgent.status, urgent.error()["param"]) == (400, "x-brickyard-priority")
        for turn in range(2):
            await until(lambda: len(engine.doors) == turn + 1)  # noqa: B023 - looked at before the next turn
            engine.let(turn)
        assert [(await client.read()).status for client in there.clients] == [200, 200]
    assert house.plane.queue.metrics.ends[metrics.End.FULL] == 1


async def test_the_urgent_take_the_place_of_others(start: Start) -> None:
    engine = Held()
    house = await start(engine.script, queue=settings.QueueSettings(length=1))
    house.director.room = 1
    async with crowd(house) as there:
        await there.send(waits=False)
        patient = await there.send("x-brickyard-priority: -1")
        async with testing.connect(house.port) as urgent:
            urgent.send(testing.post({"model": "tiny", "messages": [{"role": "user"}], "service_tier": "priority"}))
            assert (await patient.read()).status == 429
            engine.let(0)
            await until(lambda: len(engine.doors) == 2)
            engine.let(1)
            assert (await urgent.read()).status == 200
        assert (await there.clients[0].read()).status == 200


async def test_who_waits_too_long_is_told(start: Start) -> None:
    engine = Held()
    house = await start(engine.script, queue=settings.QueueSettings(timeout=0.05), pool_idle_timeout=0.1)
    house.director.room = 1
    async with crowd(house) as there:
        first = await there.send(waits=False)
        late = await there.send(waits=None)  # it may have waited too long before anybody looks
        answer = await late.read()
        assert (answer.status, answer.error()["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        engine.let(0)
        assert (await first.read()).status == 200
    assert house.plane.queue.metrics.ends[metrics.End.LATE] == 1
    assert house.director.records[0][1].attempts == 0


async def test_who_leaves_the_line_is_not_sent(start: Start) -> None:
    engine = Held()
    house = await start(engine.script, queue=ROOMY)
    house.director.room = 1
    async with crowd(house) as there:
        first = await there.send(waits=False)
        gone = await there.send()
        gone.reset()
        await until(lambda: house.plane.queue.waiting == 0)
        engine.let(0)
        assert (await first.read()).status == 200
    assert len(house.engine.requests) == 1
    assert house.plane.queue.metrics.ends[metrics.End.GONE] == 1
    assert await house.metric('gateway_responses_total{model="tiny",status="499"}') == 1


async def test_who_only_stopped_sending_keeps_its_place(start: Start) -> None:
    engine = Held()
    house = await start(engine.script, queue=ROOMY)
    house.director.room = 1
    async with crowd(house) as there:
        await there.send(waits=False)
        half = await there.send()
        half.writer.write_eof()
        engine.let(0)
        await until(lambda: len(engine.doors) == 2)
        engine.let(1)
        assert (await half.read()).status == 200


async def test_who_waits_when_the_gateway_stops_is_told(start: Start) -> None:
    engine = Held()
    house = await start(engine.script, queue=ROOMY)
    house.director.room = 1
    async with crowd(house) as there:
        await there.send(waits=False)
        waiting = await there.send()
        for each in list(house.plane.clients):
            each.cut()
        answer = await waiting.read()
        assert (answer.status, answer.error()["code"]) == (503, "gateway_stopping")
    assert house.plane.queue.metrics.ends[metrics.End.STOPPED] == 1


@pytest.mark.parametrize("given", [settings.QueueSettings(length=0)])
async def test_without_a_line_full_is_429_at_once(start: Start, given: settings.QueueSettings) -> None:
    engine = Held()
    house = await start(engine.script, queue=given)
    house.director.room = 1
    async with crowd(house) as there:
        await there.send(waits=False)
        refused = await house.ask()
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        engine.let(0)
        assert (await there.clients[0].read()).status == 200


async def test_a_try_that_failed_waits_for_room_elsewhere(start: Start) -> None:
    engine = Held()
    broken = asyncio.Event()
    house = await start(lambda _: [testing.Hold(broken), testing.Close()], engine.script, queue=ROOMY)
    house.director.room = 1
    async with crowd(house) as there:
        failing = await there.send(waits=False)
        other = await there.send(waits=False)
        await until(lambda: len(engine.doors) == 1)
        broken.set()
        await until(lambda: house.plane.queue.waiting == 1)
        engine.let(0)
        assert (await other.read()).status == 200
        await until(lambda: len(engine.doors) == 2)
        engine.let(1)
        assert (await failing.read()).status == 200
    assert house.plane.metrics.retries == 1


async def test_room_that_nobody_told_of_is_found(start: Start) -> None:
    house = await start(queue=ROOMY, pool_idle_timeout=0.1)
    house.director.room = 1
    stranger = testing.FakeLease(house.director, house.director.endpoints[testing.MODEL][0].key)
    house.director.open_leases.add(stranger)
    async with crowd(house) as there:
        waiting = await there.send()
        stranger.release()
        assert (await waiting.read()).status == 200


async def test_requests_may_wait_for_the_first_endpoint(start: Start) -> None:
    house = await start(queue=settings.QueueSettings(hold_absent=True), pool_idle_timeout=0.1)
    house.director.unready[testing.MODEL] = "it is being started"
    endpoints = house.director.endpoints.pop(testing.MODEL)
    async with crowd(house) as there:
        waiting = await there.send()
        house.director.endpoints[testing.MODEL] = endpoints
        assert (await waiting.read()).status == 200


async def test_who_waits_for_what_cannot_be_is_told(start: Start) -> None:
    house = await start(queue=ROOMY, pool_idle_timeout=0.1)
    house.director.room = 1
    stranger = testing.FakeLease(house.director, house.director.endpoints[testing.MODEL][0].key)
    house.director.open_leases.add(stranger)
    async with crowd(house) as there:
        waiting = await there.send()
        house.director.unready[testing.MODEL] = "it was taken away"
        del house.director.endpoints[testing.MODEL]
        answer = await waiting.read()
        assert (answer.status, answer.error()["message"]) == (503, "it was taken away")
    stranger.release()
    assert house.plane.queue.metrics.ends[metrics.End.REFUSED] == 1


async def test_a_hundred_clients_and_room_for_three(start: Start) -> None:
    door = asyncio.Event()

    def script(_request: testing.Received) -> list[testing.Step]:
        return [testing.Hold(door), testing.reply()]

    house = await start(script, script, queue=ROOMY)
    house.director.room = 3
    async with asyncio.timeout(20), asyncio.TaskGroup() as clients:
        asked = [
            clients.create_task(house.ask(testing.post(headers=f"user: u{n % 7}\r\nx-brickyard-priority: {n % 3}")))
            for n in range(100)
        ]
        await until(lambda: house.plane.queue.waiting == 94)
        door.set()
    assert {each.result().status for each in asked} == {200}
    assert max(engine.connections for engine in house.engines) <= 3
    assert house.plane.queue.metrics.ends[metrics.End.SENT] == 94
