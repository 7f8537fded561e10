import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest
import zmq
import zmq.asyncio

from brickyard.lib import clock
from brickyard.sim.engine import kvevents, options, testing
from brickyard.sim.engine.core import blocks, errors

ONE, TWO = (1).to_bytes(8), (2**64 - 2).to_bytes(8)
STORED = blocks.Stored((ONE, TWO), None, b"abcd" * 4, 2, "lora")
REMOVED = blocks.Removed((ONE,))
PLACE = options.KvEvents("tcp://*:0", "tcp://*:0", "kv")


@contextlib.asynccontextmanager
async def socket(kind: int, endpoint: str) -> AsyncIterator[zmq.asyncio.Socket]:
    context = zmq.asyncio.Context()
    made = context.socket(kind)
    if kind == zmq.SUB:
        made.subscribe("")
    made.connect(endpoint)
    try:
        yield made
    finally:
        made.close(linger=0)
        context.destroy(linger=0)


async def receive(made: zmq.asyncio.Socket) -> list[bytes]:
    async with asyncio.timeout(5):
        return await made.recv_multipart()


async def subscribed(publisher: kvevents.Publisher, made: zmq.asyncio.Socket) -> None:
    """Publish until the subscriber hears; there is no other sign that it is there."""
    async with asyncio.timeout(5):
        while not await made.poll(5):
            publisher.publish((blocks.Cleared(),))
    while await made.poll(20):
        await made.recv_multipart()


def test_arrays() -> None:
    assert msgspec.msgpack.decode(kvevents.encode((STORED, REMOVED, blocks.Cleared()), 7.5)) == [
        7.5,
        [
            ["BlockStored", [1, 2**64 - 2], None, [0x61626364] * 4, 2, None, "GPU", "lora"],
            ["BlockRemoved", [1], "GPU"],
            ["AllBlocksCleared"],
        ],
        0,
    ]


def test_maps() -> None:
    made = msgspec.msgpack.decode(kvevents.encode((blocks.Stored((TWO,), ONE, b"abcd", 1), REMOVED), 7.5, "map"))
    stored, removed = made[1]
    assert stored == {
        "type": "BlockStored",
        "block_hashes": [2**64 - 2],
        "parent_block_hash": 1,
        "token_ids": [0x61626364],
        "block_size": 1,
        "lora_id": None,
        "medium": "GPU",
        "lora_name": None,
    }
    assert removed == {"type": "BlockRemoved", "block_hashes": [1], "medium": "GPU"}


async def test_published_and_replayed() -> None:
    time = clock.ManualClock(1000.0)
    async with (
        kvevents.Publisher(PLACE, "127.0.0.1", time) as publisher,
        socket(zmq.SUB, publisher.endpoint) as heard,
        socket(zmq.DEALER, publisher.replay_endpoint) as asked,
    ):
        await subscribed(publisher, heard)
        first = publisher._number
        publisher.publish((STORED,))
        publisher.publish((REMOVED,))
        for number, event in ((first, STORED), (first + 1, REMOVED)):
            assert await receive(heard) == [b"kv", number.to_bytes(8), kvevents.encode((event,), 1000.0)]
        await asked.send_multipart([b"", (first + 1).to_bytes(8)])
        assert await receive(asked) == [b"", b"kv", (first + 1).to_bytes(8), kvevents.encode((REMOVED,), 1000.0)]
        assert await receive(asked) == [b"", b"", kvevents.END, b""]


async def test_a_malformed_request_for_replay() -> None:
    async with (
        kvevents.Publisher(PLACE, "127.0.0.1") as publisher,
        socket(zmq.DEALER, publisher.replay_endpoint) as asked,
    ):
        await asked.send_multipart([b"what?"])
        await asked.send_multipart([b"", bytes(8)])
        assert await receive(asked) == [b"", b"", kvevents.END, b""]


async def test_only_so_many_are_kept() -> None:
    kept = options.KvEvents("tcp://*:0", "tcp://*:0", buffer_steps=2)
    async with (
        kvevents.Publisher(kept, "127.0.0.1") as publisher,
        socket(zmq.DEALER, publisher.replay_endpoint) as asked,
    ):
        for _ in range(5):
            publisher.publish((REMOVED,))
        await asked.send_multipart([b"", bytes(8)])
        numbers = [(await receive(asked))[2] for _ in range(3)]
        assert numbers == [(3).to_bytes(8), (4).to_bytes(8), kvevents.END]


async def test_an_address_that_is_taken() -> None:
    async with kvevents.Publisher(PLACE, "127.0.0.1") as publisher:
        taken = options.KvEvents(publisher.endpoint)
        with pytest.raises(errors.ListenError, match="cannot be published"):
            async with kvevents.Publisher(taken, "127.0.0.1"):
                pass


def events(frames: Sequence[bytes]) -> list[Any]:
    made: list[Any] = msgspec.msgpack.decode(frames[2])[1]
    return made


async def test_a_running_engine_tells_what_it_holds() -> None:
    async with testing.running(kv_events=PLACE) as engine, socket(zmq.SUB, engine.server.events_endpoint) as heard:
        async with asyncio.timeout(5):
            while not await heard.poll(5):
                await engine.post("/reset_prefix_cache")
        while await heard.poll(20):
            await heard.recv_multipart()
        await engine.chat("word" * 30, max_tokens=1)
        listed = (await engine.post("/tokenize", {"messages": [{"role": "user", "content": "word" * 30}]})).json()
        ((tag, hashes, parent, numbers, size, *_),) = events(await receive(heard))
        assert (tag, parent, size) == ("BlockStored", None, 16)
        assert numbers == listed["tokens"][: 16 * len(hashes)]
        assert len(hashes) == listed["count"] // 16
        await engine.post("/sleep")
        assert events(await receive(heard)) == [["AllBlocksCleared"]]


async def test_without_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    monkeypatch.delitem(sys.modules, "brickyard.sim.engine.kvevents")
    monkeypatch.delattr("brickyard.sim.engine.kvevents")
    with pytest.raises(errors.ParamsError, match="not installed") as caught:
        async with testing.running(kv_events=PLACE):
            pass
    assert "brickyard[sim]" in caught.value.hint
