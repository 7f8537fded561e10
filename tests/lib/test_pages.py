"""The page fetcher against real sockets: bounded in time, in size and in number."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trustme

from brickyard.lib import pages


class Talk(asyncio.Protocol):
    """One connection of an ``Engine``."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.engine.connections.append(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.engine.closed.set()

    def data_received(self, data: bytes) -> None:
        if self.engine.hangs_up:
            self.engine.hangs_up -= 1
            self.transport.abort()
        elif not self.engine.hang:
            self.engine.busy += 1
            self.engine.busiest = max(self.engine.busiest, self.engine.busy)
            asyncio.get_running_loop().call_later(0.01, self.reply)

    def reply(self) -> None:
        self.engine.busy -= 1
        self.transport.write(self.engine.answer)
        if self.engine.ends:
            self.transport.close()


class Engine:
    """Answers every request with ``answer`` and keeps the connection; says nothing while ``hang`` is set.

    ``ends``: it closes behind each answer. ``hangs_up``: requests that it answers by a reset.
    """

    def __init__(
        self, answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nrun 1", *, ends: bool = False
    ) -> None:
        self.answer = answer
        self.ends = ends
        self.hangs_up = 0
        self.closed = asyncio.Event()
        self.hang = False
        self.connections: list[asyncio.Transport] = []
        self.busy = 0
        self.busiest = 0
        self.url = ""

    @contextlib.asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Talk(self), "127.0.0.1", 0, ssl=tls)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/metrics"
        async with server:
            yield
            for connection in self.connections:
                connection.abort()
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def fetcher(
    engine: Engine, connections: int = 4, timeout: float = 2.0, **knobs: Any
) -> AsyncIterator[pages.Pages]:
    async with engine.serving(), pages.Pages(connections=connections, timeout=timeout, **knobs) as made:
        yield made


async def test_a_page_and_its_connection_kept() -> None:
    engine = Engine()
    async with fetcher(engine) as made:
        assert [await made.get(engine.url) for _ in range(3)] == [b"run 1"] * 3
    assert len(engine.connections) == 1


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nrun\r\n2\r\n 1\r\n0\r\n\r\n", 1),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nrun 1", 1),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-length: 5\r\n\r\nrun 1", 1),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nrun 1", 2),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nrun 1HTTP/1.1 200 OK\r\n", 2),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nrun 1HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 2),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nrun 1nonsense", 2),
    ],
    ids=["chunked", "interim", "identity", "closes", "begins-another", "two-answers", "rubbish-behind"],
)
async def test_every_way_to_send_a_page_and_whether_its_connection_can_go_on(answer: bytes, connections: int) -> None:
    engine = Engine(answer)
    async with fetcher(engine) as made:
        assert [await made.get(engine.url) for _ in range(2)] == [b"run 1"] * 2
    assert len(engine.connections) == connections


async def test_a_page_without_a_length_ends_with_its_connection() -> None:
    engine = Engine(b"HTTP/1.0 200 OK\r\n\r\nrun 1", ends=True)
    async with fetcher(engine) as made:
        assert await made.get(engine.url) == b"run 1"


async def test_half_a_page_is_a_miss() -> None:
    engine = Engine(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nrun 1", ends=True)
    async with fetcher(engine) as made:
        with pytest.raises(pages.PageMissed, match="ended before the page did"):
            await made.get(engine.url)


async def test_no_answer_at_all_is_a_miss() -> None:
    engine = Engine(b"", ends=True)
    async with fetcher(engine) as made:
        with pytest.raises(pages.PageMissed, match="closed without an answer"):
            await made.get(engine.url)
    assert len(engine.connections) == 1


async def test_a_connection_that_was_closed_meanwhile_costs_no_page() -> None:
    engine = Engine()
    async with fetcher(engine) as made:
        await made.get(engine.url)
        engine.connections[0].close()  # as servers do with connections that are idle too long
        assert await made.get(engine.url) == b"run 1"
        await made.get(engine.url)
        assert len(engine.connections) == 2


async def test_an_engine_that_closes_kept_connections_on_the_next_request_costs_no_page() -> None:
    engine = Engine()
    async with fetcher(engine) as made:
        await made.get(engine.url)
        engine.hangs_up = 1
        assert await made.get(engine.url) == b"run 1"
        assert len(engine.connections) == 2


async def test_one_connection_for_each_engine_however_few_are_read_at_once() -> None:
    engines = [Engine() for _ in range(5)]
    async with contextlib.AsyncExitStack() as stack:
        for each in engines:
            await stack.enter_async_context(each.serving())
        made = await stack.enter_async_context(pages.Pages(connections=2, timeout=2.0))
        for _ in range(3):
            await asyncio.gather(*(made.get(each.url) for each in engines))
        assert [len(each.connections) for each in engines] == [1] * 5


async def test_of_more_connections_than_are_kept_the_longest_idle_are_closed() -> None:
    engines = [Engine() for _ in range(3)]
    async with contextlib.AsyncExitStack() as stack:
        for each in engines:
            await stack.enter_async_context(each.serving())
        made = await stack.enter_async_context(pages.Pages(connections=1, timeout=2.0, kept=2))
        for each in engines:
            await made.get(each.url)
        await engines[0].closed.wait()
        assert not engines[1].closed.is_set()
        assert not engines[2].closed.is_set()


async def test_what_nobody_uses_is_closed() -> None:
    engine, busy = Engine(), Engine()
    async with fetcher(engine, idle=0.2) as made, busy.serving():
        await made.get(engine.url)
        while not engine.closed.is_set():
            await made.get(busy.url)
        assert len(busy.connections) == 1
        await asyncio.wait_for(busy.closed.wait(), 5)


async def test_nothing_stays_open_behind_it() -> None:
    engine = Engine()
    async with engine.serving():
        async with pages.Pages(connections=1, timeout=2.0) as made:
            await made.get(engine.url)
        await asyncio.wait_for(engine.closed.wait(), 5)


async def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    engine = Engine()
    async with fetcher(engine) as made:
        await made.get(engine.url)
        engine.connections[0].write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        await asyncio.wait_for(engine.closed.wait(), 5)
        assert await made.get(engine.url) == b"run 1"


async def test_no_more_at_once_than_allowed_and_none_lost() -> None:
    engine = Engine()
    async with fetcher(engine, connections=2) as made:
        found = await asyncio.gather(*(made.get(engine.url) for _ in range(12)))
    assert found == [b"run 1"] * 12
    assert engine.busiest == 2


async def test_waiting_for_ones_turn_is_no_miss() -> None:
    engine = Engine()
    async with fetcher(engine, connections=1, timeout=0.5) as made:
        found = await asyncio.gather(*(made.get(engine.url) for _ in range(60)))
    assert found == [b"run 1"] * 60


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "answered 404"),
        (b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n", "answered 302"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "not valid HTTP"),
        (b"nonsense\r\n\r\n", "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx", "answered in 'gzip', unasked"),
    ],
)
async def test_anything_but_a_page_is_a_miss(answer: bytes, complaint: str) -> None:
    engine = Engine(answer)
    async with fetcher(engine) as made:
        with pytest.raises(pages.PageMissed, match=complaint):
            await made.get(engine.url)


async def test_an_endless_page_is_cut_off() -> None:
    engine = Engine(b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + b"x" * 2000)
    async with fetcher(engine, largest=1000) as made:
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
        with pytest.raises(pages.PageMissed, match="cannot be reached"):
            await made.get(engine.url)


@pytest.mark.parametrize(
    "url",
    ["http://[nonsense/metrics", "https://127.0.0.1/metrics", "metrics", "http://a:b/", "http://ü/", "http://h/a b"],
)
async def test_an_address_that_is_none_is_a_miss(url: str) -> None:
    async with pages.Pages(connections=1, timeout=1.0) as made:
        with pytest.raises(pages.PageMissed, match="is no address of a page"):
            await made.get(url)


async def test_whoever_asks_reads_refusals_too() -> None:
    engine = Engine(b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 4\r\n\r\ngone")
    async with fetcher(engine) as made:
        assert await made.ask(engine.url) == pages.Answer(302, b"gone", "/x")
        assert await made.ask(engine.url) == pages.Answer(302, b"gone", "/x")
    assert len(engine.connections) == 1


async def test_late_is_told_apart() -> None:
    engine = Engine()
    engine.hang = True
    async with fetcher(engine, timeout=0.05) as made:
        with pytest.raises(pages.PageLateError):
            await made.get(engine.url)


async def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    async with pages.Pages(connections=1, timeout=1.0) as made:
        with pytest.raises(pages.PageMissed, match="leave them out") as caught:
            await made.get("http://me:secret@127.0.0.1/metrics")
    assert "secret" not in str(caught.value)


async def test_https_with_a_context_for_it() -> None:
    authority = trustme.CA()
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(served)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    engine = Engine()
    async with engine.serving(tls=served), pages.Pages(connections=1, timeout=5.0, way=pages.Way(trusting)) as made:
        assert [await made.get(engine.url) for _ in range(2)] == [b"run 1"] * 2
        assert len(engine.connections) == 1
        with pytest.raises(pages.PageMissed):
            await made.get(engine.url.replace("https", "http"))
    async with (
        engine.serving(tls=served),
        pages.Pages(connections=1, timeout=5.0, way=pages.Way(ssl.create_default_context())) as wary,
    ):
        with pytest.raises(pages.PageMissed, match="CERTIFICATE_VERIFY_FAILED"):
            await wary.get(engine.url)


async def test_names_are_asked_before_the_machines_resolver() -> None:
    asked = []

    async def names(host: str) -> str | None:
        asked.append(host)
        if host == "gone.shop.svc":
            raise pages.PageMissed("there is no such Service")
        return "127.0.0.1" if host.endswith(".svc") else None

    engine = Engine()
    async with engine.serving(), pages.Pages(connections=1, timeout=5.0, way=pages.Way(names=names)) as made:
        for host in ("web.shop.svc", "web.shop.svc", "127.0.0.1"):
            assert await made.get(engine.url.replace("127.0.0.1", host)) == b"run 1"
        assert asked == ["web.shop.svc", "127.0.0.1"], "once for each connection"
        url = engine.url.replace("127.0.0.1", "gone.shop.svc")
        with pytest.raises(pages.PageMissed, match=r"^http://gone\.shop\.svc:\d+/metrics: there is no such Service$"):
            await made.get(url)


async def test_a_kept_connection_keeps_no_page() -> None:
    body = b"x" * 1_000_000
    engine = Engine(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + body)
    async with fetcher(engine) as made:
        tracemalloc.start()
        try:
            assert len(await made.get(engine.url)) == len(body)
            assert len(engine.connections) == 1
            await asyncio.sleep(0)  # the loop holds what it runs, and with it the answer
            assert tracemalloc.get_traced_memory()[0] < len(body) / 2
        finally:
            tracemalloc.stop()
