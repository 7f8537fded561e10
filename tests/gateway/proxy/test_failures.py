"""Endpoints that die, stall or talk nonsense; clients that leave."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import orjson
import pytest
from tests.gateway.proxy.conftest import Start, until

from brickyard.gateway import testing


def die(*steps: testing.Step) -> testing.Script:
    """A script that sends ``steps`` and closes."""
    return lambda _request: [*steps, testing.Close()]


async def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_refused_connection_goes_to_the_next_endpoint(start: Start) -> None:
    house = await start()
    gone = testing.endpoint(await free_port(), "gone")
    house.director.endpoints["tiny"].insert(0, gone)
    answer = await house.ask()
    assert (answer.status, answer.headers["target-pod"]) == (200, "a")
    assert house.director.failures == [gone.key]
    assert house.director.answered == [f"default/a:{house.engine.port}"]
    decision, outcome = house.director.records[0]
    assert outcome.attempts == 2
    assert decision.request.excluded == {gone.key}
    assert house.plane.metrics.retries == 1
    assert house.plane.metrics.connect_failures == 1


@pytest.mark.parametrize("end", [testing.Close(), testing.Reset()])
async def test_death_before_the_first_byte_goes_to_the_next_endpoint(start: Start, end: testing.Step) -> None:
    house = await start(lambda _request: [end], None)
    answer = await house.ask()
    assert (answer.status, answer.headers["target-pod"]) == (200, "b")
    assert house.director.failures == [f"default/a:{house.engine.port}"]


async def test_when_every_endpoint_dies_the_client_hears_502(start: Start) -> None:
    house = await start(die(), die(), die(), die())
    answer = await house.ask()
    error = answer.error()
    assert (answer.status, error["code"], error["type"]) == (502, "upstream_closed", "api_error")
    assert "3 endpoints were tried" in str(error["message"])
    assert answer.headers["target-pod"] == "c"
    assert [len(engine.requests) for engine in house.engines] == [1, 1, 1, 0]
    assert house.director.records[0][1].attempts == 3


async def test_fewer_endpoints_than_attempts_end_with_the_last_failure(start: Start) -> None:
    house = await start(die())
    answer = await house.ask()
    assert (answer.status, answer.error()["code"]) == (502, "upstream_closed")
    assert house.director.records[0][1].attempts == 1
    async with testing.connect(house.port) as client:  # a refusal leaves the connection in order
        client.send(testing.post() + testing.get("/healthz"))
        assert [(await client.read()).status for _ in range(2)] == [502, 200]


async def test_max_attempts_1_means_no_retry(start: Start) -> None:
    house = await start(die(), None, max_attempts=1)
    assert (await house.ask()).status == 502
    assert house.engines[1].requests == []


async def test_a_kept_connection_that_died_unnoticed_is_replaced_without_blame(start: Start) -> None:
    """The endpoint closes a kept connection the moment the next request comes over it."""
    house = await start()
    house.engine.script = lambda request: (
        [testing.Close()] if request.connection == 1 and len(house.engine.requests) == 2 else [testing.reply()]
    )
    async with testing.connect(house.port) as client:
        for _ in range(2):
            client.send(testing.post())
            assert (await client.read()).status == 200
    assert house.engine.connections == 2
    assert house.director.failures == []
    assert house.plane.metrics.replays == 1
    assert house.director.records[1][1].attempts == 1


async def test_a_kept_connection_is_replaced_only_once(start: Start) -> None:
    house = await start()
    house.engine.script = lambda _request: [testing.reply()] if len(house.engine.requests) == 1 else [testing.Close()]
    async with testing.connect(house.port) as client:
        client.send(testing.post() + testing.post())
        assert [(await client.read()).status for _ in range(2)] == [200, 502]
    assert len(house.engine.requests) == 3
    assert len(house.director.failures) == 1


async def test_a_connection_closed_while_idle_is_not_used(start: Start) -> None:
    house = await start(lambda _request: [testing.reply(), testing.Close()])
    async with testing.connect(house.port) as client:
        for _ in range(3):
            client.send(testing.post())
            assert (await client.read()).status == 200
            await until(lambda: len(house.plane.pools) == 0)
    assert house.plane.metrics.replays == 0


async def test_bytes_on_an_idle_connection_end_it(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(lambda _request: [testing.reply(), testing.Hold(gate), testing.reply(b"unasked")])
    async with testing.connect(house.port) as client:
        client.send(testing.post())
        assert (await client.read()).body == b'{"ok":true}'
        gate.set()
        await until(lambda: len(house.plane.pools) == 0)
        client.send(testing.post())
        assert (await client.read()).body == b'{"ok":true}'


async def test_no_retry_once_a_byte_has_come_back(start: Start) -> None:
    house = await start(die(b"HTTP/1.1 200 OK\r\ncontent-"), None)
    answer = await house.ask()
    assert (answer.status, answer.error()["code"]) == (502, "upstream_closed")
    assert house.engines[1].requests == []


@pytest.mark.parametrize("end", [testing.Close(), testing.Reset()])
async def test_a_stream_that_breaks_ends_with_an_error_event(start: Start, end: testing.Step) -> None:
    gate = asyncio.Event()
    house = await start(lambda _request: [testing.EVENTS, testing.chunk(b"data: 1\n\n"), testing.Hold(gate), end])
    async with testing.connect(house.port) as client:
        client.send(testing.post() + testing.get("/healthz"))
        await until(lambda: len(house.engine.requests) == 1)
        await client.reader.readuntil(b"data: 1\n\n\r\n")
        gate.set()
        size = int(await client.reader.readuntil(b"\r\n"), 16)
        event = await client.reader.readexactly(size)
        assert await client.reader.readexactly(7) == b"\r\n0\r\n\r\n"
        assert (await client.read()).body == b"ok\n"  # the stream ended as streams do: the connection goes on
    assert orjson.loads(event.strip().removeprefix(b"data: "))["error"]["code"] == "upstream_closed"
    outcome = house.director.records[0][1]
    assert (outcome.status, outcome.attempts) == (200, 1)
    assert "before the end of its response" in outcome.error
    assert house.director.failures == []
    assert house.plane.metrics.broken_streams == 1


async def test_a_stream_cut_within_a_chunk_is_cut_for_the_client_too(start: Start) -> None:
    house = await start(die(testing.EVENTS, testing.chunk(b"data: 1\n\n"), b"20\r\ndata: 2"))
    answer = await house.ask()
    assert answer.body == b"data: 1\n\n"
    assert not answer.complete


async def test_a_stream_without_chunks_gets_its_error_event_before_the_end(start: Start) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    house = await start(lambda _request: [head, b"data: 1\n\n", testing.Reset()])
    answer = await house.ask()
    assert answer.body.startswith(b"data: 1\n\n\n\ndata: {")


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ],
)
async def test_a_body_that_breaks_is_never_complete_for_the_client(start: Start, response: bytes) -> None:
    house = await start(die(response))
    answer = await house.ask()
    assert (answer.status, answer.body, answer.complete) == (200, b"short", False)


async def test_a_body_until_close_that_is_reset_is_reset_for_the_client(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(lambda _request: [b"HTTP/1.1 200 OK\r\n\r\nsome", testing.Hold(gate), testing.Reset()])
    async with testing.connect(house.port) as client:
        client.send(testing.post())
        await client.reader.readuntil(b"some")
        gate.set()
        with pytest.raises(ConnectionError):
            await client.reader.read()


@pytest.mark.parametrize(
    "response",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 600 High\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nbad header: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nfolded: 1\r\n 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbig: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbig: " + b"x" * 70_000,
        b"\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ],
)
async def test_nonsense_becomes_502_and_is_not_tried_elsewhere(start: Start, response: bytes) -> None:
    hold = asyncio.Event()
    house = await start(lambda _request: [response, testing.Hold(hold)], None)
    answer = await house.ask()
    assert (answer.status, answer.error()["code"]) == (502, "upstream_malformed")
    assert house.engines[1].requests == []
    assert len(house.director.failures) == 1
    await until(lambda: len(house.plane.pools) == 0)
    hold.set()


async def test_nonsense_within_a_stream_breaks_it(start: Start) -> None:
    first, last = asyncio.Event(), asyncio.Event()
    script = [testing.EVENTS, testing.chunk(b"data: 1\n\n"), testing.Hold(first), b"zz\r\n", testing.Hold(last)]
    house = await start(lambda _request: script)
    async with testing.connect(house.port) as client:
        client.send(testing.post())
        await client.reader.readuntil(b"data: 1\n\n\r\n")
        first.set()
        assert await client.reader.read() == b""
    last.set()


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (testing.reply(b"12345") + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nEVIL", 200),
        (testing.reply(b"12345") + b"EVIL", 200),
        (testing.EVENTS + testing.chunk(b"12345") + testing.LAST_CHUNK + b"HTTP/1.1 200 OK\r\n\r\nEVIL", 502),
        (b"HTTP/1.1 204 No Content\r\n\r\nEVIL", 204),
    ],
)
async def test_bytes_behind_a_response_never_reach_the_client(start: Start, response: bytes, status: int) -> None:
    """They would be read as the answer to the next request on its connection."""
    house = await start(lambda _request: [response])
    async with testing.connect(house.port) as client:
        client.send(testing.post() + testing.get("/healthz"))
        answer = await client.read()
        assert answer.status == status
        assert answer.body in (b"12345", b"") or status == 502
        assert (await client.read()).body == b"ok\n"
    assert house.plane.metrics.reused == 0


async def test_a_stalled_endpoint_is_left_for_another(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(lambda _request: [testing.Hold(gate)], None, first_byte_timeout=0.3)
    answer = await house.ask()
    assert (answer.status, answer.headers["target-pod"]) == (200, "b")
    await until(lambda: house.engine.open == 1)
    gate.set()


async def test_when_all_stall_the_client_hears_504(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(lambda _request: [testing.Hold(gate)], first_byte_timeout=0.08)
    answer = await house.ask()
    assert (answer.status, answer.error()["code"]) == (504, "upstream_timeout")
    assert "within 0.08 s" in str(answer.error()["message"])
    gate.set()


async def test_a_stream_that_stalls_is_ended(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(
        lambda _request: [testing.EVENTS, testing.chunk(b"data: 1\n\n"), testing.Hold(gate)], idle_timeout=0.08
    )
    answer = await house.ask()
    assert b'"upstream_timeout"' in answer.body
    assert answer.complete
    gate.set()


async def test_a_slow_stream_that_moves_is_left_alone(start: Start) -> None:
    gates = [asyncio.Event() for _ in range(8)]
    steps = [step for gate in gates for step in (testing.Hold(gate), testing.chunk(b"data: x\n\n"))]
    house = await start(lambda _request: [testing.EVENTS, *steps, testing.LAST_CHUNK], idle_timeout=0.5)
    loop = asyncio.get_running_loop()
    for n, gate in enumerate(gates):
        loop.call_later(0.1 * n, gate.set)
    answer = await house.ask()
    assert answer.body == b"data: x\n\n" * 8
    assert answer.complete


async def test_the_request_as_a_whole_has_a_deadline(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(lambda _request: [testing.Hold(gate)], None, total_timeout=0.1, first_byte_timeout=10.0)
    answer = await house.ask()
    assert (answer.status, answer.error()["code"]) == (504, "request_timeout")
    assert house.engines[1].requests == []
    assert house.director.failures == []
    gate.set()


async def test_a_connection_that_cannot_be_made_in_time_is_given_up(start: Start) -> None:
    house = await start(connect_timeout=0.3, max_attempts=2)
    with socket.socket() as full:  # a listener whose queue is full takes no handshake to its end
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        house.director.endpoints["tiny"].insert(0, testing.endpoint(port, "full"))
        answer = await house.ask()
        assert (answer.status, answer.headers["target-pod"]) == (200, "a")
        assert house.director.records[0][1].attempts == 2
        for filler in fillers:
            filler.close()


async def test_an_endpoint_with_all_its_connections_in_use_is_passed_over(start: Start) -> None:
    gate = asyncio.Event()
    house = await start(lambda _request: [testing.Hold(gate), testing.reply()], None, pool_connections=1)
    first = asyncio.create_task(house.ask())
    await until(lambda: len(house.engine.requests) == 1)
    answer = await house.ask()
    assert (answer.status, answer.headers["target-pod"]) == (200, "b")
    assert house.director.failures == []
    gate.set()
    assert (await first).status == 200


@pytest.mark.parametrize("head", [b"", testing.EVENTS + testing.chunk(b"data: 1\n\n")])
async def test_a_client_that_resets_stops_the_endpoint_at_once(start: Start, head: bytes) -> None:
    gate = asyncio.Event()
    house = await start(lambda _request: [*([head] if head else []), testing.Hold(gate)])
    async with testing.connect(house.port) as client:
        client.send(testing.post())
        await until(lambda: len(house.engine.requests) == 1)
        if head:
            await client.reader.readuntil(b"data: 1\n\n")
        client.reset()
    await until(lambda: not house.director.open_leases)
    assert house.plane.metrics.cancelled == 1
    assert "client" in house.director.records[0][1].error
    assert house.plane.metrics.model("tiny").statuses == {499: 1}
    await until(lambda: len(house.plane.pools) == 0)
    gate.set()


async def test_a_client_that_closes_while_waiting_stops_the_endpoint(start: Start) -> None:
    """An orderly close looks like a closed sending side; only an interim response tells the two apart."""
    gate = asyncio.Event()
    house = await start(lambda _request: [testing.Hold(gate)])
    async with testing.connect(house.port) as client:
        client.send(testing.post())
        await until(lambda: len(house.engine.requests) == 1)
    await until(lambda: not house.director.open_leases, 0.5)
    assert house.plane.metrics.cancelled == 1
    gate.set()


async def test_a_client_that_closes_while_a_connection_is_made_leaves_nothing(start: Start) -> None:
    house = await start(connect_timeout=5.0)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        house.director.endpoints["tiny"] = [testing.endpoint(port, "full")]
        async with testing.connect(house.port) as client:
            client.send(testing.post())
            await until(lambda: len(house.director.leases) == 1)
            client.reset()
        await until(lambda: not house.director.open_leases)
        await until(lambda: len(house.plane.pools) == 0)
        for filler in fillers:
            filler.close()


async def test_a_client_that_does_not_read_holds_the_endpoint_back(start: Start) -> None:
    sent = 0

    def flood(_request: testing.Received) -> Iterator[testing.Step]:
        nonlocal sent
        yield testing.EVENTS
        for _ in range(600):
            sent += 1
            yield testing.chunk(b"x" * 60_000)
        yield testing.LAST_CHUNK

    house = await start(flood)
    async with testing.connect(house.port) as client:
        client.pause()
        client.send(testing.post())
        await until(lambda: any(connection.paused for connection in house.plane.clients))
        last = -1
        while last != sent:  # until the endpoint is held back too
            last = sent
            await asyncio.sleep(0.03)
        assert sent < 400
        client.resume()
        while b"0\r\n\r\n" not in (piece := await client.reader.read(1 << 20))[-5:]:
            assert piece
        assert sent == 600


async def test_a_client_that_never_reads_is_disconnected(start: Start) -> None:
    def flood(_request: testing.Received) -> list[testing.Step]:
        return [testing.EVENTS, *(testing.chunk(b"x" * 60_000) for _ in range(1000)), testing.LAST_CHUNK]

    house = await start(flood, client_stall_timeout=0.1)
    async with testing.connect(house.port) as client:
        client.pause()
        client.send(testing.post())
        await until(lambda: bool(house.director.leases) and not house.director.open_leases)
    assert house.plane.metrics.cancelled == 1
