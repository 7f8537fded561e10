import asyncio

import pytest

from brickyard.sim.engine import http, options, testing
from brickyard.sim.engine.core import errors
from brickyard.sim.engine.server import Server

HEALTH = b"GET /health HTTP/1.1\r\nhost: sim\r\n\r\n"


async def test_requests_in_order_on_one_connection() -> None:
    async with testing.running() as engine, engine.connect() as (reader, writer):
        for _ in range(3):
            writer.write(testing.stream_request(max_tokens=3))
            assert len((await testing.read(reader)).events()) == 5
        writer.write(HEALTH)
        assert (await testing.read(reader)).json() == {"status": "ok"}


async def test_pipelining() -> None:
    async with testing.running() as engine, engine.connect() as (reader, writer):
        writer.write((testing.stream_request(max_tokens=3) + HEALTH) * 20)
        for _ in range(20):
            assert len((await testing.read(reader)).events()) == 5
            assert (await testing.read(reader)).json() == {"status": "ok"}


@pytest.mark.parametrize(
    "request_", [HEALTH.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"), HEALTH.replace(b"1.1", b"1.0")]
)
async def test_closing(request_: bytes) -> None:
    async with testing.running() as engine, engine.connect() as (reader, writer):
        writer.write(request_)
        assert (await testing.read(reader)).headers["connection"] == "close"
        assert await reader.read() == b""


async def test_a_stream_that_closes() -> None:
    async with testing.running() as engine, engine.connect() as (reader, writer):
        writer.write(testing.stream_request(max_tokens=3).replace(b"host: sim", b"host: sim\r\nconnection: close"))
        assert len((await testing.read(reader)).events()) == 5
        assert await reader.read() == b""


async def test_a_head_alone() -> None:
    async with testing.running() as engine, engine.connect() as (reader, writer):
        writer.write(HEALTH.replace(b"GET", b"HEAD"))
        reply = await testing.read(reader, head_only=True)
        assert (reply.status, reply.headers["content-length"]) == (200, "15")
        writer.write(HEALTH)
        assert (await testing.read(reader)).body == b'{"status":"ok"}'


async def test_byte_by_byte() -> None:
    async with testing.running() as engine, engine.connect() as (reader, writer):
        for at in range(len(HEALTH)):
            writer.write(HEALTH[at : at + 1])
            await asyncio.sleep(0)
        assert (await testing.read(reader)).status == 200


async def test_a_body_in_chunks_after_a_question() -> None:
    async with testing.running() as engine, engine.connect() as (reader, writer):
        writer.write(
            b"POST /tokenize HTTP/1.1\r\nhost: sim\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b'8\r\n{"prompt\r\n7\r\n":"abc"\r\n1\r\n}\r\n0\r\n\r\n')
        assert (await testing.read(reader)).json()["count"] == 2


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"what?\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * http.MAX_HEAD + b"\r\n\r\n", 431),
        (b"GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 404),
    ],
)
async def test_what_is_no_request(sent: bytes, status: int) -> None:
    async with testing.running() as engine, engine.connect() as (reader, writer):
        writer.write(sent)
        assert (await testing.read(reader)).status == status


async def test_a_body_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 100)
    async with testing.running() as engine:
        assert (await engine.post("/tokenize", b"x" * 101)).status == 413


async def test_an_address_that_is_taken() -> None:
    async with testing.running() as engine:
        taken = options.Options(port=engine.server.port)
        with pytest.raises(errors.ListenError, match="cannot listen"):
            async with Server(taken):
                pass


async def test_answers_under_way_are_finished_at_the_end() -> None:
    async with testing.running() as engine:
        reader, writer = await asyncio.open_connection("127.0.0.1", engine.server.port)
        writer.write(testing.stream_request(max_tokens=2000))
        await reader.readuntil(b"\r\n\r\n")
    data = await reader.read()
    assert data.endswith(http.LAST_CHUNK)
    writer.close()


async def test_answers_that_do_not_end_are_cut() -> None:
    async with testing.running() as engine:
        await engine.post("/sleep")
        reader, writer = await asyncio.open_connection("127.0.0.1", engine.server.port)
        writer.write(testing.stream_request())
        async with asyncio.timeout(5):
            while not engine.server.driver.load:
                await asyncio.sleep(0.001)
    with pytest.raises(asyncio.IncompleteReadError):
        await reader.readexactly(1)
    writer.close()
    assert engine.server.driver.load == 0
