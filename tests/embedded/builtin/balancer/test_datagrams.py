"""Datagrams over real sockets of the loopback network, on both event loops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from brickyard.embedded.builtin.balancer import datagrams, plan, proxy

KEY = ("default", "dns")
DEADLINE = 10.0

Test = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Test], None]:
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def runner(test: Test) -> None:
        with asyncio.Runner(loop_factory=factory) as loop:
            loop.run(asyncio.wait_for(test(), DEADLINE))

    return runner


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


class _Named(asyncio.DatagramProtocol):
    """A pod that answers with its name and what it was sent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.transport.sendto(self.name.encode() + b":" + data, addr)


@contextlib.asynccontextmanager
async def pod(name: str) -> AsyncIterator[plan.Target]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Named(name), ("127.0.0.1", 0))
    try:
        yield plan.Target("127.0.0.1", transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


class Client(asyncio.DatagramProtocol):
    """A client with a socket of its own."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        del addr
        self.answers.put_nowait(data)

    async def ask(self, text: bytes) -> bytes:
        """The answer to ``text``, which is sent again while there is none: nothing promises that a datagram arrives."""
        while True:
            self.transport.sendto(text)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    return await self.answers.get()


@contextlib.asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    loop = asyncio.get_running_loop()
    transport, made = await loop.create_datagram_endpoint(Client, remote_addr=("127.0.0.1", port))
    try:
        yield made
    finally:
        transport.close()


def wanted(port: int, *targets: plan.Target) -> plan.Listen:
    return plan.Listen("127.0.0.1", port, targets, protocol="UDP")


def test_answers_come_back_and_a_client_keeps_its_pod(run: Callable[[Test], None]) -> None:
    async def body() -> None:
        balancer, port = proxy.Balancer(), free_port()
        async with pod("a") as a, pod("b") as b:
            assert await balancer.serve(KEY, [wanted(port, a, b)]) == []
            assert balancer.addresses(KEY) == [("127.0.0.1", port)]
            async with client(port) as one, client(port) as two:
                first, second = await one.ask(b"1"), await two.ask(b"1")
                assert {first[:1], second[:1]} == {b"a", b"b"}
                assert await one.ask(b"2") == first[:2] + b"2"
            await balancer.close()

    run(body)


def test_a_client_of_a_pod_that_left_is_sent_to_another(run: Callable[[Test], None]) -> None:
    async def body() -> None:
        balancer, port = proxy.Balancer(), free_port()
        async with pod("a") as a, pod("b") as b:
            await balancer.serve(KEY, [wanted(port, a)])
            async with client(port) as one:
                assert await one.ask(b"x") == b"a:x"
                await balancer.serve(KEY, [wanted(port, b)])
                assert await one.ask(b"y") == b"b:y"
            await balancer.close()

    run(body)


def test_a_pod_that_refuses_is_left(run: Callable[[Test], None]) -> None:
    async def body() -> None:
        balancer, port = proxy.Balancer(), free_port()
        async with pod("b") as b:
            await balancer.serve(KEY, [wanted(port, plan.Target("127.0.0.1", free_port()), b)])
            async with client(port) as one:
                assert await one.ask(b"x") == b"b:x"
            await balancer.close()

    run(body)


def test_nobody_answers_for_nobody(run: Callable[[Test], None]) -> None:
    async def body() -> None:
        port = free_port()
        listener = datagrams.Listener(wanted(port))
        await listener.start()
        async with client(port) as one:
            one.transport.sendto(b"x")
            await asyncio.sleep(0)
            assert listener.clients == 0
        listener.stop()
        await listener.end()

    run(body)


def test_clients_are_bounded_and_forgotten(monkeypatch: pytest.MonkeyPatch, run: Callable[[Test], None]) -> None:
    monkeypatch.setattr(datagrams, "SESSIONS", 2)
    monkeypatch.setattr(datagrams, "IDLE", 0.2)

    async def body() -> None:
        port = free_port()
        async with pod("a") as a:
            listener = datagrams.Listener(wanted(port, a))
            await listener.start()
            async with client(port) as one, client(port) as two, client(port) as three:
                for each in (one, two, three):
                    assert await each.ask(b"x") == b"a:x"
                assert listener.clients == 2
                async with asyncio.timeout(5):
                    while listener.clients:
                        await asyncio.sleep(0.01)
            listener.stop()

    run(body)


def test_tcp_and_udp_share_a_port(run: Callable[[Test], None]) -> None:
    async def body() -> None:
        balancer, port = proxy.Balancer(), free_port()
        async with pod("a") as a:
            both = [wanted(port, a), plan.Listen("127.0.0.1", port, ())]
            assert await balancer.serve(KEY, both) == []
            await balancer.serve(KEY, both[:1])
            async with client(port) as one:
                assert await one.ask(b"x") == b"a:x"
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            await balancer.close()

    run(body)
