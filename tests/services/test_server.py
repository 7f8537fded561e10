"""Real sockets: the listener's beginning and end."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette import requests, responses

from brickyard.services import answers, contract, errors, server, settings


class Slow:
    """A service whose one answer waits."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.asked = asyncio.Event()

    def service(self) -> contract.Service:
        return contract.Service("slow", [contract.Operation("GET", "/slow", self._answer, "Slow")], self._ready)

    async def _answer(self, _: requests.Request) -> responses.Response:
        self.asked.set()
        await self.release.wait()
        return answers.answer({"done": True})

    async def _ready(self) -> str:
        return ""


@contextlib.asynccontextmanager
async def listening(slow: Slow, stop: asyncio.Event, **options: float) -> AsyncIterator[tuple[int, asyncio.Task[None]]]:
    ports: asyncio.Queue[int] = asyncio.Queue()
    given = settings.ServicesSettings(port=0, **options)  # type: ignore[arg-type]
    task = asyncio.create_task(server.serve([slow.service()], given, stop, ready=ports.put_nowait))
    try:
        yield await asyncio.wait_for(ports.get(), 10), task
    finally:
        stop.set()
        slow.release.set()
        await asyncio.wait_for(task, 10)


async def test_requests_under_way_are_finished() -> None:
    slow, stop = Slow(), asyncio.Event()
    async with listening(slow, stop) as (port, task), httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/healthz")).status_code == 200
        under_way = asyncio.create_task(client.get("/slow"))
        await asyncio.wait_for(slow.asked.wait(), 5)
        stop.set()
        await asyncio.sleep(0)
        assert not task.done()
        slow.release.set()
        assert (await asyncio.wait_for(under_way, 5)).json() == {"done": True}
        await asyncio.wait_for(asyncio.shield(task), 5)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.slow
async def test_the_drain_has_an_end() -> None:
    slow, stop = Slow(), asyncio.Event()
    async with (
        listening(slow, stop, drain_timeout=1) as (port, task),
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        under_way = asyncio.create_task(client.get("/slow"))
        await asyncio.wait_for(slow.asked.wait(), 5)
        stop.set()
        await asyncio.wait_for(asyncio.shield(task), 5)
        slow.release.set()
        await asyncio.gather(under_way, return_exceptions=True)


async def test_an_idle_connection_does_not_hold_up_the_end() -> None:
    slow, stop = Slow(), asyncio.Event()
    async with listening(slow, stop) as (port, task), httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        await client.get("/healthz")
        stop.set()
        await asyncio.wait_for(asyncio.shield(task), 10)


async def test_a_port_that_is_taken() -> None:
    with contextlib.closing(server.bind("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(errors.ListenError, match=f"127.0.0.1:{port}") as refused:
            server.bind("127.0.0.1", port)
    assert "--port" in refused.value.hint


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 65536), ("203.0.113.1", 0), ("no.such.host.invalid", 0)])
def test_an_address_that_is_none(host: str, port: int) -> None:
    with pytest.raises(errors.ListenError):
        server.bind(host, port)


class TestConnections:
    """What clients may take before they have asked for anything."""

    @staticmethod
    async def said(port: int, *pieces: bytes) -> bytes:
        """What comes back until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                return await asyncio.wait_for(reader.read(), 5)
            return b""
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def test_a_head_has_a_size(self) -> None:
        async with listening(Slow(), asyncio.Event()) as (port, _):
            lines = b"GET /healthz HTTP/1.1\r\nhost: x\r\n", *[b"x-%d: " % n + b"y" * 8192 + b"\r\n" for n in range(16)]
            answer = await self.said(port, *lines)
            assert not answer or answer.startswith(b"HTTP/1.1 431 ")

    async def test_a_head_has_a_deadline(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server, "BOUNDS", dataclasses.replace(server.BOUNDS, head_seconds=0.05))
        async with listening(Slow(), asyncio.Event()) as (port, _):
            assert await self.said(port, b"GET /healthz HTTP/1.1\r\n") == b""
            assert await self.said(port) == b""

    async def test_what_is_no_http_is_told_so(self) -> None:
        async with listening(Slow(), asyncio.Event()) as (port, _):
            answer = await self.said(port, b"\x16\x03\x01\r\n\r\n")
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 Bad Request")
            assert b"application/json" in head
            assert b"no HTTP request" in body

    async def test_there_are_so_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server, "BOUNDS", dataclasses.replace(server.BOUNDS, open=1))
        slow = Slow()
        async with listening(slow, asyncio.Event()) as (port, _), held(port, slow):
            assert await self.said(port, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n") == b""

    async def test_they_are_used_again(self) -> None:
        request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n"
        async with listening(Slow(), asyncio.Event()) as (port, _):
            answer = await self.said(port, request + b"\r\n", request + b"connection: close\r\n\r\n")
            assert answer.count(b"HTTP/1.1 200 OK") == 2


@contextlib.asynccontextmanager
async def held(port: int, slow: Slow) -> AsyncIterator[None]:
    """A connection on which somebody else waits for an answer."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        under_way = asyncio.create_task(client.get("/slow"))
        await asyncio.wait_for(slow.asked.wait(), 5)
        yield
        slow.release.set()
        assert (await under_way).status_code == 200
