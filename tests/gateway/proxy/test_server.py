"""Beginning and end: ports, draining, and a foreign client."""

from __future__ import annotations

import asyncio
import socket

import openai
import pytest
from tests.gateway.proxy.conftest import House, Start, until

from brickyard.gateway import errors, settings, testing
from brickyard.gateway.proxy import client, reader, server


async def test_serve_says_its_port_and_ends_when_told() -> None:
    stop, ports = asyncio.Event(), asyncio.Queue[int]()
    director = testing.FakeDirector()
    serving = asyncio.create_task(
        server.serve(
            director,
            settings.GatewaySettings(port=0),
            stop,
            server.Around(lambda: "waiting"),
            ready=ports.put_nowait,
        )
    )
    port = await asyncio.wait_for(ports.get(), 10)
    async with testing.connect(port) as probe:
        probe.send(testing.get("/readyz"))
        assert (await probe.read()).body == b"not ready: waiting\n"
        stop.set()
        await asyncio.wait_for(serving, 10)
        assert await probe.at_end()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_port_in_use_is_named_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(errors.PortInUseError) as caught:
            await server.serve(testing.FakeDirector(), settings.GatewaySettings(port=port), asyncio.Event())
    assert str(port) in str(caught.value)
    assert "--gateway-port" in caught.value.hint
    assert caught.value.exit_code == 2


async def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(errors.GatewayError, match=r"192\.0\.2\.1"):
        await server.serve(testing.FakeDirector(), settings.GatewaySettings(host="192.0.2.1", port=0), asyncio.Event())


async def test_an_access_log_that_cannot_be_written_is_named() -> None:
    options = settings.GatewaySettings(port=0, access_log="/nowhere/at/all")
    with pytest.raises(errors.GatewayError, match="/nowhere/at/all"):
        await server.serve(testing.FakeDirector(), options, asyncio.Event())


def within_a_head(house: House) -> bool:
    """A client has begun a request and not finished its head."""
    return any(
        isinstance(each, client.ClientConnection) and each._stage is reader.Stage.HEAD for each in house.plane.clients
    )


async def test_draining_closes_idle_connections_and_finishes_what_runs(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(
        lambda _request: [testing.EVENTS, testing.Hold(gate), testing.chunk(b"data: 1\n\n"), testing.LAST_CHUNK]
    )
    running = house.running
    async with (
        testing.connect(house.port) as idle,
        testing.connect(house.port) as busy,
        testing.connect(house.port) as late,
    ):
        idle.send(testing.get("/healthz"))
        assert (await idle.read()).status == 200
        busy.send(testing.post())
        await busy.reader.readuntil(b"\r\n\r\n")
        late.send(testing.post()[:40])
        await until(lambda: len(house.plane.clients) == 3 and within_a_head(house))
        draining = asyncio.create_task(running._drain(5.0))
        assert await idle.at_end()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", house.port)
        assert not draining.done()
        gate.set()
        assert await busy.reader.read() == testing.chunk(b"data: 1\n\n") + testing.LAST_CHUNK
        late.send(testing.post()[40:])
        answer = await late.read()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        await asyncio.wait_for(draining, 10)


async def test_what_outlasts_the_drain_is_told_so(start: Start) -> None:
    gate = asyncio.Event()
    scripts = iter([[testing.EVENTS, testing.chunk(b"data: 1\n\n"), testing.Hold(gate)], [testing.Hold(gate)]])
    house = await start(lambda _request: next(scripts))
    async with (
        testing.connect(house.port) as streaming,
        testing.connect(house.port) as waiting,
        testing.connect(house.port) as sending,
    ):
        streaming.send(testing.post())
        await streaming.reader.readuntil(b"data: 1\n\n\r\n")
        waiting.send(testing.post())
        sending.send(testing.post()[:40])
        await until(lambda: len(house.engine.requests) == 2 and within_a_head(house))
        await house.running._drain(0.02)
        rest = await streaming.reader.read()
        assert b'"gateway_stopping"' in rest
        assert rest.endswith(testing.LAST_CHUNK)
        answer = await waiting.read()
        assert (answer.status, answer.error()["code"]) == (503, "gateway_stopping")
        assert await sending.at_end()
    assert house.director.failures == []
    gate.set()


async def test_readiness_ends_with_the_drain(start: Start) -> None:
    house = await start()
    house.plane.draining = True
    answer = await house.ask(testing.get("/readyz"))
    assert (answer.status, answer.headers["connection"]) == (503, "close")


async def test_the_openai_client_is_served(start: Start) -> None:
    events = [
        b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"tiny","choices":[{"index":0,"delta":{"content":"%b"},'
        b'"finish_reason":null}]}\n\n' % word
        for word in (b"Hello", b" there")
    ]
    house = await start(
        lambda _request: [
            testing.EVENTS,
            *map(testing.chunk, events),
            testing.chunk(b"data: [DONE]\n\n"),
            testing.LAST_CHUNK,
        ]
    )
    async with openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{house.port}/v1", api_key="none", max_retries=0
    ) as foreign:
        assert [model.id async for model in foreign.models.list()] == ["tiny"]
        stream = await foreign.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        assert "".join([part.choices[0].delta.content or "" async for part in stream]) == "Hello there"
        with pytest.raises(openai.NotFoundError, match="tiny") as missing:
            await foreign.chat.completions.create(model="other", messages=[{"role": "user", "content": "hi"}])
        assert missing.value.code == "model_not_found"


async def test_the_openai_client_hears_of_a_broken_stream(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(
        lambda _request: [
            testing.EVENTS,
            testing.chunk(b'data: {"choices":[]}\n\n'),
            testing.Hold(gate),
            testing.Close(),
        ]
    )
    async with openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{house.port}/v1", api_key="none", max_retries=0
    ) as foreign:
        stream = await foreign.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        await anext(stream)
        gate.set()
        with pytest.raises(openai.APIError, match="closed the connection"):
            await anext(stream)
