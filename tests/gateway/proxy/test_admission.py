"""The gate and the exchange: who is let in, what they owe, and what happens while nobody can tell."""

from __future__ import annotations

import asyncio
import pathlib

import orjson
import pytest
from tests.gateway.proxy.conftest import Start, until

from brickyard.api.openai import errors as openai
from brickyard.gateway import errors, testing

ANN = testing.post(headers="user: ann")


async def test_who_is_let_in_is_named_and_settles(start: Start) -> None:
    gate = testing.FakeGate(headers=b"x-ratelimit-limit-requests: 5\r\n")
    house = await start(gate=gate)
    answer = await house.ask(ANN)
    assert (answer.status, answer.headers["x-ratelimit-limit-requests"]) == (200, "5")
    assert house.director.records[0][0].request.user == "ann"
    assert (len(gate.reservation.settled), gate.reservation.cancels) == (1, 0)


async def test_whom_the_gate_has_no_business_with_passes_unasked(start: Start) -> None:
    gate = testing.FakeGate()
    house = await start(gate=gate)
    assert (await house.ask()).status == 200
    assert gate.asked == []
    house.director.rps[testing.MODEL] = 3
    await house.ask()
    assert [rps for _, rps in gate.asked] == [3]


async def test_who_is_refused_hears_why_and_no_engine_is_asked(start: Start) -> None:
    gate = testing.FakeGate()
    gate.refusal = errors.RefusedError(openai.ApiError(429, "enough"), (("retry-after", "7"),))
    house = await start(gate=gate)
    answer = await house.ask(ANN)
    assert (answer.status, answer.error()["message"], answer.headers["retry-after"]) == (429, "enough", "7")
    assert house.engine.requests == []
    assert await house.metric('gateway_responses_total{model="tiny",status="429"}') == 1


async def test_the_log_finds_who_was_refused_by_the_id_that_was_told(start: Start, tmp_path: pathlib.Path) -> None:
    path, gate = tmp_path / "access.log", testing.FakeGate()
    gate.refusal = errors.RefusedError(openai.ApiError(429, "enough"))
    house = await start(gate=gate, access_log=str(path))
    told = [
        (await house.ask(testing.post(headers="user: ann\r\nx-request-id: mine"))).headers["x-request-id"],
        (await house.ask(ANN)).headers["x-request-id"],
    ]
    await until(lambda: path.exists() and path.read_text().count("\n") == 2)
    lines = [orjson.loads(line) for line in path.read_text().splitlines()]
    assert [(line["request_id"], line["status"]) for line in lines] == [(each, 429) for each in told]
    assert told[0] == "mine"


async def test_a_gate_that_breaks_costs_one_answer(start: Start) -> None:
    gate = testing.FakeGate()
    gate.refusal = RuntimeError("broken")
    house = await start(gate=gate)
    assert (await house.ask(ANN)).status == 500
    gate.refusal = None
    assert (await house.ask(ANN)).status == 200


async def test_a_client_that_leaves_at_the_gate_is_forgotten(start: Start) -> None:
    gate = testing.FakeGate()
    gate.held = asyncio.Event()
    house = await start(gate=gate)
    async with testing.connect(house.port) as client:
        client.send(ANN)
        await until(lambda: bool(gate.asked))
    await until(lambda: not house.plane.clients)
    assert house.engine.requests == []
    assert await house.metric('gateway_responses_total{model="tiny",status="499"}') == 1
    assert (gate.reservation.settled, gate.reservation.cancels) == ([], 0)


async def test_who_stands_at_the_gate_when_it_closes_is_told(start: Start) -> None:
    gate = testing.FakeGate()
    gate.held = asyncio.Event()
    house = await start(gate=gate)
    async with testing.connect(house.port) as client:
        client.send(ANN)
        await until(lambda: bool(gate.asked))
        for each in list(house.plane.clients):
            each.cut()
        answer = await client.read()
    assert (answer.status, answer.error()["code"]) == (503, "gateway_stopping")


async def test_nothing_is_owed_where_nobody_could_be_asked(start: Start) -> None:
    gate = testing.FakeGate()
    house = await start(gate=gate)
    house.director.unready[testing.MODEL] = "nobody is there"
    del house.director.endpoints[testing.MODEL]
    assert (await house.ask(ANN)).status == 503
    assert (gate.reservation.settled, gate.reservation.cancels) == ([], 1)


async def test_an_engine_that_failed_was_asked(start: Start) -> None:
    gate = testing.FakeGate()
    house = await start(lambda _: [testing.Close()], gate=gate)
    assert (await house.ask(ANN)).status == 502
    assert (gate.reservation.settled, gate.reservation.cancels) == ([0], 0)


@pytest.mark.parametrize("secrets", [frozenset[bytes](), frozenset((b"authorization",))])
async def test_keys_of_ours_stay_here(start: Start, secrets: frozenset[bytes]) -> None:
    house = await start(gate=testing.FakeGate(secrets=secrets))
    await house.ask(testing.post(headers="user: ann\r\nAuthorization: Bearer x\r\nx-other: 1"))
    received = house.engine.requests[0].headers
    assert ("authorization" in received) is not bool(secrets)
    assert received["x-other"] == "1"


async def test_pipelined_requests_wait_their_turn_at_the_gate(start: Start) -> None:
    gate = testing.FakeGate()
    house = await start(gate=gate)
    async with testing.connect(house.port) as client:
        client.send(ANN + testing.post() + ANN)
        assert [(await client.read()).status for _ in range(3)] == [200, 200, 200]
