"""The sockets of one subscription: listens, notices when the connection comes and goes, asks for what was missed.

ZeroMQ connects again by itself, with back-off; its monitor tells when it has. A replay has a socket of its own, gone with its answer, so
that no late answer is taken for another's. Nothing here decides: ``feed`` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, Protocol

import zmq
import zmq.asyncio
import zmq.utils.monitor

from brickyard.engines import contract as engines
from brickyard.engines import errors
from brickyard.gateway.kvevents import feed, publisher, sources
from brickyard.kvindex import events
from brickyard.lib import backoff, logs, tasks

log = logs.get(__name__)

AGAIN: Final = backoff.Backoff(1.0, 2.0, 30.0)
"""Between attempts to connect, and to subscribe again after an error."""
SLICE: Final = 0.002
"""Seconds of work after which others get their turn."""
HIGH_WATER: Final = 20_000
"""Messages that may wait in a socket: twice what vLLM keeps for replay."""
HEARTBEAT: Final = 10.0
"""Seconds between signs of life on an idle connection; three missed are its end."""
_WATCHED: Final = zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CONNECT_RETRIED


class Sink(Protocol):
    """Where what engines told goes."""

    def take(self, key: str, told: engines.KvEvents) -> None:
        """A message of the engine behind an endpoint."""
        ...

    def reset(self, key: str) -> None:
        """All that is known of it is void."""
        ...


class Subscription:
    """Listens to one source until cancelled. ``told`` is kept current."""

    def __init__(
        self,
        context: zmq.asyncio.Context,
        source: sources.Source,
        decoder: engines.KvEventDecoder,
        sink: Sink,
        told: publisher.Publisher,
        replay_timeout: float,
    ) -> None:
        self._context = context
        self._source = source
        self._decoder = decoder
        self._sink = sink
        self._told = told
        self._timeout = replay_timeout
        self._feed = feed.Feed()
        self._asked = asyncio.Event()

    async def run(self) -> None:
        failures = 0
        while True:
            begun = time.monotonic()
            try:
                await self._session()
            except (zmq.ZMQError, errors.KvEventError) as error:
                failures = 1 if time.monotonic() - begun > AGAIN.cap else failures + 1
                self._told.failed("consume_events")
                log.warning(
                    "a subscription to KV events failed", endpoint=self._source.key, at=self._source.events, error=error
                )
            self._told.connected = self._told.settled = False
            self._feed = feed.Feed()
            self._sink.reset(self._source.key)
            await asyncio.sleep(AGAIN.delay(failures))

    async def _session(self) -> None:
        async with self._socket(zmq.SUB) as live:
            live.subscribe(b"")
            monitor = live.get_monitor_socket(_WATCHED)
            try:
                async with tasks.Scope(f"kv-events/{self._source.key}") as scope:
                    scope.start(self._watch(monitor), name="connection")
                    scope.start(self._replays(), name="replays")
                    live.connect(self._source.events)
                    await self._listen(live)
            finally:
                live.disable_monitor()
                monitor.close(linger=0)

    @contextlib.asynccontextmanager
    async def _socket(self, kind: int) -> AsyncIterator[zmq.asyncio.Socket]:
        socket = self._context.socket(kind)
        try:
            socket.linger = 0
            socket.ipv6 = True
            socket.rcvhwm = HIGH_WATER
            socket.reconnect_ivl = int(AGAIN.base * 1000)
            socket.reconnect_ivl_max = int(AGAIN.cap * 1000)
            socket.heartbeat_ivl = int(HEARTBEAT * 1000)
            socket.heartbeat_timeout = int(3 * HEARTBEAT * 1000)
            yield socket
        finally:
            socket.close(linger=0)

    async def _listen(self, live: zmq.asyncio.Socket) -> None:
        turn = time.perf_counter()
        while True:
            frames = await live.recv_multipart()
            number = self._decoder.sequence(frames[-2]) if len(frames) == 3 else None
            if number is None:
                raise errors.KvEventError(f"a message of {len(frames)} parts is none about KV blocks")
            self._pass(self._feed.live(number, frames[-1]))
            if time.perf_counter() - turn > SLICE:
                # A socket that has messages answers at once: without this nothing else would run.
                await asyncio.sleep(0)
                turn = time.perf_counter()

    def _pass(self, steps: Sequence[events.Step]) -> None:
        for step in steps:
            if isinstance(step, bytes):
                self._told.batches += 1
                self._sink.take(self._source.key, self._decoder.decode(step))
            else:
                self._sink.reset(self._source.key)
        self._told.sequence = self._feed.last
        self._told.missed, self._told.dropped = self._feed.lost, self._feed.dropped
        self._told.gaps = self._feed.gaps
        self._told.settled = self._feed.state is feed.State.LIVE
        if self._feed.ask is not None:
            self._asked.set()

    async def _watch(self, monitor: Any) -> None:
        while True:
            seen = await zmq.utils.monitor.recv_monitor_message(monitor)
            if seen["event"] == zmq.EVENT_CONNECTED:
                self._told.connected = True
                self._told.connections += 1
                self._feed.connected()
                self._pass(())
            elif seen["event"] == zmq.EVENT_DISCONNECTED:
                self._told.connected = self._told.settled = False
                self._told.disconnections += 1
            elif seen["event"] == zmq.EVENT_CONNECT_RETRIED:
                self._told.retries += 1

    async def _replays(self) -> None:
        """Ask again whenever the feed wants it."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while (first := self._feed.ask) is not None:
                whole = await self._replay(first)
                self._told.replays_done += whole
                self._told.replays_failed += not whole
                if self._feed.ask == first:
                    self._pass(self._feed.replay_over())

    async def _replay(self, first: int) -> bool:
        """Pass on what was told from number ``first`` on; whether the answer came to its end, or is not wanted any more."""
        self._told.replays += 1
        async with self._socket(zmq.DEALER) as socket:
            socket.immediate = True  # of the two ports it may be, only the one that answers gets the question
            for address in self._source.replays:
                socket.connect(address)
            try:
                async with asyncio.timeout(self._timeout):
                    await socket.send_multipart(self._decoder.replay_request(first))
                while self._feed.ask == first:
                    async with asyncio.timeout(self._timeout):
                        frames = await socket.recv_multipart()
                    number = self._decoder.sequence(frames[-2]) if len(frames) >= 2 else None
                    if number is None:
                        return True
                    self._pass(self._feed.replayed(number, frames[-1]))
                    await asyncio.sleep(0)
            except TimeoutError:
                return False
        return True
