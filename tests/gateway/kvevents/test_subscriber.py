"""Subscriptions over real sockets: what was missed is asked for, an engine that starts again is noticed, nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sys
from collections.abc import AsyncIterator

import msgspec
import prometheus_client
import pytest
import zmq
import zmq.asyncio

from brickyard.api import names
from brickyard.assembly import routing_policies
from brickyard.gateway.kvevents import book, follower, metrics, publisher, settings
from brickyard.gateway.kvevents import testing as ears
from brickyard.kvindex import residency
from brickyard.routing import contract
from brickyard.routing import testing as routing

SIZE = 4
HOST = "127.0.0.1"


class Engine:
    """A publisher that can be made to lose, to forget and to die."""

    def __init__(self) -> None:
        self.ports = [0, 0]
        self.sent: list[bytes] = []
        self.asked: list[int] = []
        self.remembers = True
        self._sockets: list[zmq.asyncio.Socket] = []
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """On the same ports as before, with nothing told yet."""
        self.sent = []
        self.context = zmq.asyncio.Context()
        self._sockets = [self.context.socket(zmq.PUB), self.context.socket(zmq.ROUTER)]
        for number, socket in enumerate(self._sockets):
            socket.linger = 0
            if self.ports[number]:
                socket.bind(f"tcp://{HOST}:{self.ports[number]}")
            else:
                self.ports[number] = socket.bind_to_random_port(f"tcp://{HOST}")
        self._task = asyncio.create_task(self._answer(self._sockets[1]))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for socket in self._sockets:
            socket.close(linger=0)
        self._sockets = []
        self.context.destroy(linger=0)

    async def _answer(self, router: zmq.asyncio.Socket) -> None:
        while True:
            client, _, first = await router.recv_multipart()
            self.asked.append(int.from_bytes(first))
            if not self.remembers:
                continue
            for number in range(int.from_bytes(first), len(self.sent)):
                await router.send_multipart((client, b"", b"kv", number.to_bytes(8), self.sent[number]))
            await router.send_multipart((client, b"", b"", b"\xff" * 8, b""))

    async def tell(self, *events: list[object], lost: bool = False) -> None:
        """One message."""
        self.sent.append(msgspec.msgpack.encode([0.0, events, 0]))
        if not lost:
            await self.shout((len(self.sent) - 1).to_bytes(8), self.sent[-1])

    async def shout(self, *frames: bytes) -> None:
        await self._sockets[0].send_multipart((b"kv", *frames))

    async def store(self, number: int, *, lost: bool = False) -> None:
        """A block of its own."""
        await self.tell(["BlockStored", [number], None, [number] * SIZE, SIZE, None, "GPU", None], lost=lost)

    def endpoint(self, name: str = "a", **labels: str) -> contract.Endpoint:
        ports = {names.KV_EVENTS_PORT: str(self.ports[0]), names.KV_REPLAY_PORT: str(self.ports[1])}
        made = routing.endpoint(name)
        return dataclasses.replace(
            made, address=HOST, engine="vllm", labels={names.KV_EVENTS_ENABLED: "true", **ports, **labels}
        )


@contextlib.asynccontextmanager
async def engine() -> AsyncIterator[Engine]:
    made = Engine()
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def listening(*endpoints: contract.Endpoint) -> contextlib.AbstractAsyncContextManager[ears.Ears]:
    return ears.listening(routing_policies.make(), "prefix-cache", endpoints)


def told(heard: ears.Ears) -> publisher.Publisher:
    (found,) = heard.book.publishers.values()
    return found


def held(heard: ears.Ears) -> residency.Residency:
    (model,) = heard.book.models.values()
    return model.residency


async def until_held(heard: ears.Ears, endpoint: contract.Endpoint, blocks: int) -> None:
    await ears.until(lambda: held(heard).held(endpoint.key) == blocks)


async def test_what_was_told_before_and_what_is_told_now() -> None:
    async with engine() as vllm:
        for number in (1, 2, 3):
            await vllm.store(number)
        there = vllm.endpoint()
        async with listening(there) as heard:
            assert held(heard).held(there.key) == 3
            await vllm.store(4)
            await until_held(heard, there, 4)
            await vllm.tell(["BlockRemoved", [1, 2], "GPU"])
            await until_held(heard, there, 2)
            await vllm.tell(["AllBlocksCleared"])
            await until_held(heard, there, 0)
            assert (told(heard).sequence, told(heard).connected, told(heard).missed) == (5, True, 0)
            assert dict(told(heard).events) == {"BlockStored": 4, "BlockRemoved": 1, "AllBlocksCleared": 1}


async def test_messages_that_were_lost_are_asked_for() -> None:
    async with engine() as vllm, listening(vllm.endpoint()) as heard:
        await vllm.store(1)
        await until_held(heard, vllm.endpoint(), 1)
        await vllm.store(2, lost=True)
        await vllm.store(3, lost=True)
        await vllm.store(4)
        await until_held(heard, vllm.endpoint(), 4)
        assert vllm.asked == [0, 1]
        assert (told(heard).gaps, told(heard).missed, told(heard).replays_done) == (1, 0, 2)


async def test_messages_that_nobody_remembers_void_what_is_known() -> None:
    async with engine() as vllm, listening(vllm.endpoint()) as heard:
        await vllm.store(1)
        await until_held(heard, vllm.endpoint(), 1)
        vllm.remembers = False
        await vllm.store(2, lost=True)
        await vllm.store(3)
        await ears.until(lambda: told(heard).replays_failed == 1)
        await ears.until(lambda: told(heard).settled)
        assert (held(heard).held(vllm.endpoint().key), told(heard).missed) == (1, 1), "only what came after the gap"


async def test_an_engine_that_starts_again_holds_nothing() -> None:
    async with engine() as vllm, listening(vllm.endpoint()) as heard:
        for number in (1, 2, 3):
            await vllm.store(number)
        await until_held(heard, vllm.endpoint(), 3)
        await vllm.stop()
        await ears.until(lambda: not told(heard).connected)
        await vllm.start()
        await vllm.store(9)
        await ears.until(lambda: told(heard).connections == 2 and told(heard).settled)
        await until_held(heard, vllm.endpoint(), 1)
        assert (told(heard).disconnections, held(heard).holders(0)) == (1, [])


async def test_what_is_no_message_ends_the_session_and_not_the_subscription() -> None:
    async with engine() as vllm, listening(vllm.endpoint()) as heard:
        await vllm.store(1)
        await until_held(heard, vllm.endpoint(), 1)
        await vllm.shout(b"short", b"")
        await ears.until(lambda: told(heard).errors["consume_events"] == 1)
        await until_held(heard, vllm.endpoint(), 0)
        await until_held(heard, vllm.endpoint(), 1)  # after a second it is back


async def test_who_goes_is_forgotten_and_who_comes_is_heard() -> None:
    async with engine() as first, engine() as second, listening(first.endpoint()) as heard:
        await first.store(1)
        await until_held(heard, first.endpoint(), 1)
        heard.put(second.endpoint("b"))
        await ears.until(lambda: len(heard.book.publishers) == 2)
        heard.director.table.remove(first.endpoint().key)
        assert list(heard.book.publishers) == [second.endpoint("b").key]
        assert held(heard).held(first.endpoint().key) == 0
        heard.director.table.remove(second.endpoint("b").key)
        assert (heard.book.publishers, heard.book.models) == ({}, {})
        heard.put(first.endpoint(), uid="2")
        await ears.until(lambda: len(heard.book.publishers) == 1)
        await until_held(heard, first.endpoint(), 1)


async def test_a_pod_that_takes_its_label_away_is_heard_no_more() -> None:
    async with engine() as vllm, listening(vllm.endpoint()) as heard:
        heard.put(vllm.endpoint(**{names.KV_EVENTS_ENABLED: "false"}))
        await ears.until(lambda: not heard.book.publishers)


async def test_pages() -> None:
    async with engine() as vllm, listening(vllm.endpoint()) as heard:
        await vllm.store(1)
        await until_held(heard, vllm.endpoint(), 1)
        (row,) = heard.book.summary()
        assert (row["endpoint"], row["blocks"], row["connected"], row["block_size"]) == (
            vllm.endpoint().key, 1, True, SIZE,
        )  # fmt: skip
        series = prometheus_client.CollectorRegistry(auto_describe=False)
        series.register(metrics.KvEventMetrics(heard.book))
        page = prometheus_client.generate_latest(series).decode()
        labels = f'endpoint="{vllm.endpoint().key}",pod_key="default/a"'
        for line in (
            f"aibrix_kvcache_zmq_connections_total{{{labels}}} 1.0",
            f"aibrix_kvcache_zmq_connection_status{{{labels}}} 1.0",
            f'aibrix_kvcache_zmq_events_received_total{{endpoint="{vllm.endpoint().key}",event_type="BlockStored",',
            f"gateway_kv_events_blocks{{{labels}}} 1.0",
        ):
            assert line in page


async def test_without_the_package(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "brickyard.gateway.kvevents.subscriber", None)
    monkeypatch.delattr("brickyard.gateway.kvevents.subscriber", raising=False)
    heard = ears.Ears(routing_policies.make(), "prefix-cache")
    heard.put(Engine().endpoint())
    await heard.follower.look()
    await heard.follower.look()
    assert heard.book.publishers == {}
    assert [record.getMessage() for record in caplog.records] == [follower.WITHOUT]


async def test_an_engine_whose_events_nobody_reads(caplog: pytest.LogCaptureFixture) -> None:
    heard = ears.Ears(routing_policies.make(), "prefix-cache")
    heard.put(dataclasses.replace(Engine().endpoint(), engine="llamacpp"))
    await heard.follower.look()
    assert heard.book.publishers == {}
    assert "llamacpp has no KV events" in caplog.text


def test_a_book_hears_of_strangers_without_a_word() -> None:
    heard = ears.Ears(routing_policies.make(), "prefix-cache")
    known = book.Book(heard.director.prefixes.made, heard.director.prefixes, settings.KvEventSettings(), heard.time)
    known.leave("nobody")
    known.reset("nobody")
    known.settle()
    assert list(known.summary()) == []
