"""KV events over ZeroMQ as vLLM publishes them: which prefixes this engine holds, for routers that want to know.

A message is three frames: topic, sequence number (8 bytes, big-endian), and ``[timestamp, [event, …], data-parallel rank]`` in msgpack.
Who has missed some asks the replay socket with ``["", first number]`` and gets what is still kept, then a message whose number is ``END``.

An event is an array that begins with its name (older versions of vLLM, and what AIBrix reads) or, in the ``map`` form, an object
with its name as ``type`` (vLLM 0.32). Hashes are unsigned 64-bit numbers.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Sequence
from typing import Any, Final, Self

import msgspec
import zmq
import zmq.asyncio

from brickyard.lib import clock, logs
from brickyard.sim.engine import options
from brickyard.sim.engine.core import blocks, errors, tokens

log = logs.get(__name__)

END: Final = (-1).to_bytes(8, signed=True)
MEDIUM: Final = "GPU"


def encode(events: Sequence[blocks.Event], now: float, form: str = "array") -> bytes:
    """One batch. ``now`` in seconds since the epoch."""
    make = _array if form == "array" else _map
    return msgspec.msgpack.encode([now, [make(event) for event in events], 0])


def _number(digest: bytes) -> int:
    return int.from_bytes(digest)


def _fields(event: blocks.Event) -> tuple[str, dict[str, Any]]:
    if isinstance(event, blocks.Stored):
        return "BlockStored", {
            "block_hashes": [_number(each) for each in event.hashes],
            "parent_block_hash": None if event.parent is None else _number(event.parent),
            "token_ids": tokens.ids(event.tokens),
            "block_size": event.block_size,
            "lora_id": None,
            "medium": MEDIUM,
            "lora_name": event.adapter or None,
        }
    if isinstance(event, blocks.Removed):
        return "BlockRemoved", {"block_hashes": [_number(each) for each in event.hashes], "medium": MEDIUM}
    return "AllBlocksCleared", {}


def _array(event: blocks.Event) -> list[Any]:
    name, fields = _fields(event)
    return [name, *fields.values()]


def _map(event: blocks.Event) -> dict[str, Any]:
    name, fields = _fields(event)
    return {"type": name, **fields}


class Publisher:
    """``async with Publisher(settings) as publisher``; ``publisher.publish(events)`` never waits.

    Attributes:
        endpoint, replay_endpoint: where it was bound, a port 0 replaced; the second "" when there is none.
        dropped: batches that the socket's buffer had no room for.
    """

    def __init__(self, settings: options.KvEvents, host: str, time: clock.Clock | None = None) -> None:
        """``host`` stands for the ``*`` of an endpoint, so that several engines share a machine."""
        self._settings = settings
        self._host = host
        self._wall = (time or clock.SystemClock()).wall
        self._topic = settings.topic.encode()
        self._kept: collections.deque[tuple[bytes, bytes]] = collections.deque(maxlen=max(1, settings.buffer_steps))
        self._number = 0
        self._context = zmq.asyncio.Context()
        self._sockets: list[zmq.Socket[Any]] = []
        self._task: asyncio.Task[None] | None = None
        self.endpoint = self.replay_endpoint = ""
        self.dropped = 0

    async def __aenter__(self) -> Self:
        try:
            # The plain socket: publishing happens inside a step's end, which cannot wait.
            self._pub = zmq.Socket(self._context, zmq.PUB)
            self._sockets.append(self._pub)
            self._pub.sndhwm = self._settings.hwm
            self.endpoint = self._bind(self._pub, self._settings.endpoint)
            if self._settings.replay_endpoint:
                self._router = self._context.socket(zmq.ROUTER)
                self._sockets.append(self._router)
                self.replay_endpoint = self._bind(self._router, self._settings.replay_endpoint)
                self._task = asyncio.create_task(self._replay(), name="kv-events/replay")
        except errors.ListenError:
            self._close()
            raise
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._close()

    def _close(self) -> None:
        for socket in self._sockets:
            socket.close(linger=0)
        self._context.destroy(linger=0)

    def _bind(self, socket: zmq.Socket[Any], endpoint: str) -> str:
        place = endpoint.replace("*", self._host, 1)
        try:
            socket.bind(place)
        except zmq.ZMQError as error:
            raise errors.ListenError(
                f"KV events cannot be published on {place}: {error}", hint="change endpoint in --kv-events-config"
            ) from error
        bound = socket.getsockopt(zmq.LAST_ENDPOINT)
        return bound.decode().rstrip("\0") if isinstance(bound, bytes) else place

    @property
    def published(self) -> int:
        """Batches that were sent, so that this is the number of the next."""
        return self._number

    def publish(self, events: tuple[blocks.Event, ...]) -> None:
        """Send what happened to the blocks in one step."""
        number, payload = self._number.to_bytes(8), encode(events, self._wall(), self._settings.form)
        self._number += 1
        self._kept.append((number, payload))
        try:
            self._pub.send_multipart((self._topic, number, payload), zmq.NOBLOCK)
        except zmq.Again:
            self.dropped += 1

    async def _replay(self) -> None:
        while True:
            frames = await self._router.recv_multipart()
            if len(frames) != 3 or len(frames[2]) != 8:
                log.warning("a request for replay is malformed", frames=len(frames))
                continue
            client, _, first = frames
            for number, payload in tuple(self._kept):
                if number >= first:
                    await self._router.send_multipart((client, b"", self._topic, number, payload))
            await self._router.send_multipart((client, b"", b"", END, b""))
