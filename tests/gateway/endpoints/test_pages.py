"""The page fetcher against real sockets: bounded in time, in size and in number."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from brickyard.gateway.endpoints import pages


class Talk(asyncio.Protocol):
    """One connection of an ``Engine``."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.engine.connections.append(transport)

    def data_received(self, data: bytes) -> None:
        if not self.engine.hang:
            self.engine.busy += 1
            self.engine.busiest = max(self.engine.busiest, self.engine.busy)
            asyncio.get_running_loop().call_later(0.01, self.reply)

    def reply(self) -> None:
        self.engine.busy -= 1
        self.transport.write(self.engine.answer)


class Engine:
    """Answers every request with ``answer`` and keeps the connection; says nothing while ``hang`` is set."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nrun 1") -> None:
        self.answer = answer
        self.hang = False
        self.connections: list[asyncio.Transport] = []
        self.busy = 0
        self.busiest = 0
        self.url = ""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Talk(self), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/metrics"
        async with server:
            yield
            for connection in self.connections:
                connection.abort()
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def fetcher(engine: Engine, connections: int = 4, timeout: float = 2.0) -> AsyncIterator[pages.Pages]:
    async with engine.serving(), pages.Pages(connections=connections, timeout=timeout) as made:
        yield made


async def test_a_page_and_its_connection_kept() -> None:
    engine = Engine()
    async with fetcher(engine) as made:
        assert [await made.get(engine.url) for _ in range(3)] == [b"run 1"] * 3
    assert len(engine.connections) == 1


async def test_no_more_at_once_than_allowed_and_none_lost() -> None:
    engine = Engine()
    async with fetcher(engine, connections=2) as made:
        found = await asyncio.gather(*(made.get(engine.url) for _ in range(12)))
    assert found == [b"run 1"] * 12
    assert engine.busiest == 2


async def test_waiting_for_ones_turn_is_no_miss() -> None:
    engine = Engine()
    async with fetcher(engine, connections=1, timeout=0.1) as made:
        found = await asyncio.gather(*(made.get(engine.url) for _ in range(15)))
    assert found == [b"run 1"] * 15


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "answered 404"),
        (b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", "answered 302"),
        (b"nonsense\r\n\r\n", "RemoteProtocolError"),
    ],
)
async def test_anything_but_a_page_is_a_miss(answer: bytes, complaint: str) -> None:
    engine = Engine(answer)
    async with fetcher(engine) as made:
        with pytest.raises(pages.PageMissed, match=complaint):
            await made.get(engine.url)


async def test_an_endless_page_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "LARGEST", 1000)
    engine = Engine(b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + b"x" * 2000)
    async with fetcher(engine) as made:
        with pytest.raises(pages.PageMissed, match="larger than 1000 bytes"):
            await made.get(engine.url)


async def test_silence_ends_at_the_deadline() -> None:
    engine = Engine()
    engine.hang = True
    async with fetcher(engine, timeout=0.1) as made:
        with pytest.raises(pages.PageMissed, match=r"did not answer within 0\.1 s"):
            await made.get(engine.url)


async def test_nobody_there_is_a_miss() -> None:
    engine = Engine()
    async with engine.serving():
        pass
    async with pages.Pages(connections=1, timeout=1.0) as made:
        with pytest.raises(pages.PageMissed, match="ConnectError"):
            await made.get(engine.url)


async def test_an_address_that_is_none_is_a_miss() -> None:
    async with pages.Pages(connections=1, timeout=1.0) as made:
        with pytest.raises(pages.PageMissed):
            await made.get("http://[nonsense/metrics")
