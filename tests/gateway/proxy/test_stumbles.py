"""Faults of the gateway's own, wherever in a request's course: that client hears 500, and everything else goes on and adds up."""

from __future__ import annotations

import asyncio

import pytest
from tests.gateway.proxy.conftest import House, Start, until

from brickyard.gateway import testing
from brickyard.gateway.queueing import settings as queueing
from brickyard.routing import contract as routing

ANN = testing.post(headers="user: ann")


def fault_at(house: House, turn: int) -> None:
    """The director's choice number ``turn`` meets a defect."""
    choose, turns = house.director.choose, 0

    def faulty(request: routing.Request) -> routing.Decision | routing.NoDecision:
        nonlocal turns
        turns += 1
        if turns == turn:
            raise KeyError("a defect")
        return choose(request)

    house.director.choose = faulty  # type: ignore[method-assign]  # the defect


async def hear_of_it(house: House, data: bytes) -> None:
    """One request meets the defect; the next ones on its connection and elsewhere do not."""
    async with asyncio.timeout(5), testing.connect(house.port) as client:
        client.send(data + testing.post() + testing.get("/healthz"))
        answer = await client.read()
        assert (answer.status, answer.complete) == (500, True)
        assert "its log says how" in str(answer.error()["message"])
        assert [(await client.read()).status for _ in range(2)] == [200, 200]
    assert house.plane.metrics.model(testing.MODEL).statuses == {500: 1, 200: 1}
    assert house.plane.metrics.model(testing.MODEL).in_flight == 0
    assert house.plane.metrics.cancelled == 0


async def test_at_the_choice(start: Start) -> None:
    house = await start()
    fault_at(house, 1)
    await hear_of_it(house, testing.post())


async def test_behind_the_gate(start: Start) -> None:
    """Nothing is owed: no engine was asked."""
    gate = testing.FakeGate()
    house = await start(gate=gate)
    fault_at(house, 1)
    await hear_of_it(house, ANN)
    assert (gate.reservation.settled, gate.reservation.cancels) == ([], 1)


@pytest.mark.parametrize("end", [testing.Close(), testing.Reset()])
async def test_at_the_choice_of_another_endpoint(start: Start, end: testing.Step) -> None:
    scripts: list[list[testing.Step]] = [[end], [testing.reply()]]
    house = await start(lambda _: scripts.pop(0))
    fault_at(house, 2)
    await hear_of_it(house, testing.post())


async def test_where_no_connection_can_be_made(start: Start) -> None:
    """The choice of another endpoint is then made in the task that tried to connect."""
    house = await start()
    async with testing.ScriptedEndpoint() as gone:
        dead = testing.endpoint(gone.port, "gone")
    house.director.endpoints[testing.MODEL].insert(0, dead)
    choose, turns = house.director.choose, 0

    def faulty(request: routing.Request) -> routing.Decision | routing.NoDecision:
        nonlocal turns
        turns += 1
        if turns == 2:
            house.director.endpoints[testing.MODEL].remove(dead)
            raise KeyError("a defect")
        return choose(request)

    house.director.choose = faulty  # type: ignore[method-assign]  # the defect
    await hear_of_it(house, testing.post())


async def test_at_the_lease(start: Start) -> None:
    house = await start()
    lease = house.director.lease

    def faulty(decision: routing.Decision) -> object:
        house.director.lease = lease  # type: ignore[method-assign]  # the defect is over
        raise KeyError("a defect")

    house.director.lease = faulty  # type: ignore[method-assign,assignment]  # the defect
    await hear_of_it(house, testing.post())


async def test_at_a_deadline(start: Start) -> None:
    """The stream of one client stalls and its end cannot be recorded: it is cut off, and the deadlines of others go on to hold."""
    hold = asyncio.Event()
    stalled: list[testing.Step] = [testing.EVENTS, testing.chunk(b"data: 1\n\n"), testing.Hold(hold)]
    scripts: list[list[testing.Step]] = [stalled, stalled]
    house = await start(lambda _: scripts.pop(0) if scripts else [testing.reply()], idle_timeout=0.3)
    record = house.director.record

    def faulty(*_given: object) -> None:
        house.director.record = record  # type: ignore[method-assign]  # the defect is over
        raise KeyError("a defect")

    house.director.record = faulty  # type: ignore[method-assign,assignment]  # the defect
    async with asyncio.timeout(5):
        first, second = await asyncio.gather(house.ask(), house.ask())
        assert b'"upstream_timeout"' in first.body + second.body
        assert (await house.ask()).status == 200
        await until(lambda: house.plane.metrics.model(testing.MODEL).in_flight == 0)
    hold.set()


async def test_in_the_line(start: Start) -> None:
    """Who stands behind the one that met it is served."""
    door = asyncio.Event()
    house = await start(
        lambda _: [testing.Hold(door), testing.reply()], queue=queueing.QueueSettings(length=10, timeout=5.0)
    )
    house.director.room = 1
    first = asyncio.create_task(house.ask())
    await until(lambda: len(house.engine.requests) == 1)
    waiting = [asyncio.create_task(house.ask()) for _ in range(3)]
    await until(lambda: house.plane.queue.waiting == 3)
    fault_at(house, 1)
    door.set()
    async with asyncio.timeout(5):
        assert (await first).status == 200
        assert sorted([(await each).status for each in waiting]) == [200, 200, 500]
    assert house.plane.metrics.model(testing.MODEL).statuses == {200: 3, 500: 1}
