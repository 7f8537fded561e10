"""The proxy over real sockets of the loopback network, on both event loops: they differ in when they begin to read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from brickyard.embedded.builtin.balancer import plan, proxy

KEY = ("default", "web")
DEADLINE = 10.0

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as held:
        held.bind((host, 0))
        port: int = held.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def pod(handler: Handler) -> AsyncIterator[plan.Target]:
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the other side is gone, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield plan.Target("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def naming(name: str) -> Handler:
    """A pod that says its name and holds the connection until the client ends."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(name.encode() + b"\n")
        await reader.read()

    return handler


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything comes back, after the client has ended its side."""
    data = await reader.read()
    writer.write(data)
    await writer.drain()
    writer.write_eof()


@contextlib.asynccontextmanager
async def balancer() -> AsyncIterator[proxy.Balancer]:
    made = proxy.Balancer()
    try:
        async with asyncio.timeout(DEADLINE):
            yield made
    finally:
        await made.close()


async def serve(made: proxy.Balancer, *targets: plan.Target, affinity: float | None = None) -> tuple[str, int]:
    host, port = "127.0.0.1", free_port()
    assert await made.serve(KEY, [plan.Listen(host, port, targets, affinity)]) == []
    return host, port


async def name_at(address: tuple[str, int]) -> tuple[str, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(*address)
    return (await reader.readline()).decode().strip(), writer


async def shut(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_bytes_go_both_ways_and_a_half_close_is_handed_on() -> None:
    async with balancer() as made, pod(echo) as target:
        reader, writer = await asyncio.open_connection(*await serve(made, target))
        sent = bytes(range(256)) * 20_000
        writer.write(sent)
        writer.write_eof()
        assert await reader.read() == sent
        await shut(writer)


async def test_connections_are_spread() -> None:
    async with balancer() as made, pod(naming("a")) as a, pod(naming("b")) as b:
        address = await serve(made, a, b)
        found = [await name_at(address) for _ in range(6)]
        assert sorted(name for name, _ in found) == ["a"] * 3 + ["b"] * 3
        await shut(*(writer for _, writer in found))


async def test_a_client_stays_where_it_was_with_affinity() -> None:
    async with balancer() as made, pod(naming("a")) as a, pod(naming("b")) as b:
        address = await serve(made, a, b, affinity=60.0)
        found = [await name_at(address) for _ in range(4)]
        assert len({name for name, _ in found}) == 1
        await shut(*(writer for _, writer in found))


async def test_a_target_that_does_not_answer_is_passed_over() -> None:
    dead = plan.Target("127.0.0.1", free_port())
    async with balancer() as made, pod(naming("a")) as a:
        # The turn begins with the second.
        address = await serve(made, a, dead, affinity=60.0)
        for _ in range(3):
            name, writer = await name_at(address)
            assert name == "a"
            (listener,) = made._listeners[KEY].values()
            assert isinstance(listener, proxy._Listener)
            assert dict(listener._busy) == {a: 1}, "pods come and go: those that did not answer are not kept"
            await shut(writer)
            while listener.links:
                await asyncio.sleep(0)


@pytest.mark.parametrize("dead", [True, False])
async def test_where_nobody_answers_the_connection_is_reset(dead: bool) -> None:
    targets = [plan.Target("127.0.0.1", free_port())] if dead else []
    async with balancer() as made:
        reader, writer = await asyncio.open_connection(*await serve(made, *targets))
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await shut(writer)


async def test_the_end_of_a_pod_ends_its_clients() -> None:
    async def brief(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())

    async with balancer() as made, pod(brief) as target:
        reader, writer = await asyncio.open_connection(*await serve(made, target))
        writer.write(b"hello\n")
        assert await reader.read() == b"hello\n"
        await shut(writer)


async def test_new_targets_take_new_connections_and_old_ones_go_on() -> None:
    async def line_by_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(b"old " + line)

    async with balancer() as made, pod(line_by_line) as old, pod(naming("new")) as new:
        address = await serve(made, old)
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"1\n")
        assert await reader.readline() == b"old 1\n"
        await made.serve(KEY, [plan.Listen(*address, (new,))])
        name, second = await name_at(address)
        assert name == "new"
        await made.serve(KEY, [])
        assert made.addresses(KEY) == []
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        writer.write(b"2\n")
        assert await reader.readline() == b"old 2\n"
        await shut(writer, second)


async def test_a_slow_reader_holds_up_its_pod() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with balancer() as made, pod(flood) as target:
        address = await serve(made, target)
        reader, writer = await asyncio.open_connection(*address, limit=1024)
        await reader.readexactly(1)
        before = -1
        while before != sent:  # until it stands still
            before = sent
            for _ in range(200):
                await asyncio.sleep(0)
        assert sent < 64 * 2**20
        await shut(writer)


async def test_a_port_that_is_taken_is_told_and_can_be_had_later() -> None:
    async with balancer() as made, pod(naming("a")) as a:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            held.listen()
            port = held.getsockname()[1]
            (refused,) = await made.serve(KEY, [plan.Listen("127.0.0.1", port, (a,))])
            assert "another program listens there" in refused.message
        assert await made.serve(KEY, [plan.Listen("127.0.0.1", port, (a,))]) == []
        assert made.addresses(KEY) == [("127.0.0.1", port)]


async def test_more_connections_than_there_is_room_for_are_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "CONNECTIONS", 1)
    async with balancer() as made, pod(naming("a")) as a:
        address = await serve(made, a)
        name, writer = await name_at(address)
        assert name == "a"
        reader, second = await asyncio.open_connection(*address)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await shut(writer, second)


async def test_closing_ends_connections() -> None:
    async with pod(naming("a")) as a:
        made = proxy.Balancer()
        reader, writer = await asyncio.open_connection(*await serve(made, a))
        assert await reader.readline() == b"a\n"
        await made.close()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        await shut(writer)


@pytest.mark.parametrize(
    "scenario",
    [
        test_bytes_go_both_ways_and_a_half_close_is_handed_on,
        test_connections_are_spread,
        test_a_target_that_does_not_answer_is_passed_over,
        test_the_end_of_a_pod_ends_its_clients,
        test_new_targets_take_new_connections_and_old_ones_go_on,
        test_a_slow_reader_holds_up_its_pod,
        test_closing_ends_connections,
    ],
)
def test_the_same_holds_on_uvloop(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    uvloop.run(scenario())
