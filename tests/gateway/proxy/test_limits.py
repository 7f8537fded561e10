"""Sizes, counts and deadlines that clients run into."""

from __future__ import annotations

import asyncio

import pytest
from tests.gateway.proxy.conftest import Start, until

from brickyard.gateway import testing
from brickyard.gateway.proxy import sweeper
from brickyard.gateway.settings import GatewaySettings


async def test_a_head_within_the_limit_passes_and_one_above_does_not(start: Start) -> None:
    house = await start(max_head_bytes=4096)
    assert (await house.ask(testing.post(headers="x: " + "y" * 3800))).status == 200
    answer = await house.ask(testing.post(headers="x: " + "y" * 4200))
    assert (answer.status, answer.headers["connection"]) == (431, "close")
    assert "4096" in str(answer.error()["message"])


async def test_a_head_that_never_ends_is_refused_before_it_does(start: Start) -> None:
    house = await start(max_head_bytes=4096)
    async with testing.connect(house.port) as client:
        client.send(b"GET /healthz HTTP/1.1\r\nhost: g\r\nx: " + b"y" * 5000)
        assert (await client.read()).status == 431


async def test_a_large_body_does_not_count_as_head(start: Start) -> None:
    house = await start(max_head_bytes=1024)
    body = {"model": "tiny", "messages": [{"role": "user", "content": "x" * 10_000}]}
    assert (await house.ask(testing.post(body))).status == 200


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_above_the_limit_is_refused(start: Start, *, chunked: bool) -> None:
    house = await start(max_body_bytes=1000)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\n"
    if chunked:
        data = head + b"transfer-encoding: chunked\r\n\r\n" + testing.chunk(b"x" * 600) * 2
    else:
        data = head + b"content-length: 1001\r\n\r\n"
    answer = await house.ask(data)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert "1000" in str(answer.error()["message"])
    assert house.engine.requests == []


async def test_chunk_framing_without_body_is_cut_off(start: Start) -> None:
    house = await start(max_head_bytes=1024)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n"
    async with testing.connect(house.port) as client:
        client.send(head + b"0\r\n")
        for _ in range(50):
            client.send(b"x: " + b"y" * 1000 + b"\r\n")
            await client.writer.drain()
        assert (await client.read()).status == 400


async def test_bodies_of_all_connections_share_a_budget(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(lambda _request: [testing.Hold(gate), testing.reply()], max_buffered_bytes=1000)
    big = {"model": "tiny", "messages": [{"role": "user", "content": "x" * 600}]}
    first = asyncio.create_task(house.ask(testing.post(big)))
    await until(lambda: len(house.engine.requests) == 1)
    held = house.plane.budget.held
    assert held > 600
    answer = await house.ask(testing.post(big))
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert house.plane.budget.held == held
    gate.set()
    assert (await first).status == 200
    assert house.plane.budget.held == 0
    assert (await house.ask(testing.post(big))).status == 200


async def test_connections_are_bounded(start: Start) -> None:
    house = await start(max_connections=2)
    async with testing.connect(house.port) as one, testing.connect(house.port) as two:
        for client in (one, two):
            client.send(testing.get("/healthz"))
            assert (await client.read()).status == 200
        async with testing.connect(house.port) as three:
            answer = await three.read()
            assert (answer.status, answer.headers["connection"]) == (503, "close")
            assert await three.at_end()
        one.send(testing.get("/healthz"))
        assert (await one.read()).status == 200
    assert house.plane.metrics.refused_connections == 1


async def test_a_head_that_trickles_in_is_answered_408(start: Start) -> None:
    house = await start(head_timeout=0.1)
    async with testing.connect(house.port) as client:
        client.send(b"POST /v1/chat/comple")
        answer = await client.read()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert await client.at_end()


async def test_trickling_does_not_move_the_deadline(start: Start) -> None:
    house = await start(head_timeout=0.1)
    async with testing.connect(house.port) as client:
        for byte in b"GET /healthz HT":
            client.send(bytes([byte]))
            await asyncio.sleep(0.015)
        assert (await client.read()).status == 408


async def test_a_body_that_stops_coming_is_answered_408(start: Start) -> None:
    house = await start(body_timeout=0.1)
    answer = await house.ask(testing.post()[:-5])
    assert (answer.status, answer.error()["type"]) == (408, "invalid_request_error")
    assert house.plane.budget.held == 0


async def test_a_connection_that_says_nothing_is_closed_without_a_word(start: Start) -> None:
    house = await start(head_timeout=0.08)
    async with testing.connect(house.port) as client:
        assert await client.at_end()


async def test_an_idle_connection_is_closed_after_a_while(start: Start) -> None:
    house = await start(keepalive_timeout=0.08)
    async with testing.connect(house.port) as client:
        client.send(testing.get("/healthz"))
        assert (await client.read()).status == 200
        assert await client.at_end()


async def test_a_client_that_gives_up_within_its_request_leaves_nothing(start: Start) -> None:
    house = await start()
    async with testing.connect(house.port) as client:
        client.send(testing.post()[:-5])
        await until(lambda: house.plane.budget.held > 0)
        client.writer.write_eof()
        assert await client.at_end()
    assert house.director.records == []


async def test_kept_connections_to_endpoints_are_bounded_and_reaped(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(lambda _request: [testing.Hold(gate), testing.reply()], pool_idle=2, pool_idle_timeout=0.5)
    asks = [asyncio.create_task(house.ask()) for _ in range(5)]
    await until(lambda: len(house.engine.requests) == 5)
    gate.set()
    await asyncio.gather(*asks)
    await until(lambda: len(house.plane.pools) == 2)
    await until(lambda: len(house.plane.pools) == 0)


def test_the_sweeper_is_as_fine_as_the_shortest_deadline_asks() -> None:
    assert sweeper.grain(GatewaySettings()) == 0.5
    assert sweeper.grain(GatewaySettings(connect_timeout=0.8)) == pytest.approx(0.1)
    assert sweeper.grain(GatewaySettings(connect_timeout=0.0001)) == 0.01
    assert sweeper.grain(GatewaySettings(pool_idle_timeout=90, connect_timeout=90, head_timeout=90)) == 1.0


async def test_a_prompt_is_held_until_its_answer_begins(start: Start) -> None:
    begin, end = asyncio.Event(), asyncio.Event()
    house = await start(
        lambda _: [
            testing.Hold(begin),
            testing.EVENTS,
            testing.chunk(b"data: 1\n\n"),
            testing.Hold(end),
            testing.LAST_CHUNK,
        ]
    )
    asked = testing.post({"model": "tiny", "messages": [{"role": "user", "content": "x" * 100_000}], "stream": True})
    async with testing.connect(house.port) as client:
        client.send(asked)
        await until(lambda: bool(house.engine.requests))
        assert house.plane.budget.held > 100_000
        begin.set()
        await until(lambda: house.plane.budget.held == 0)
        end.set()
        assert (await client.read()).complete
