"""Redis or Valkey between machines: everybody publishes to one channel of the server and subscribes to it and to one of its own.

Nothing is stored: who was away asks the others for what it missed. Messages wait in a line that has a bound, and those that wait go out
together.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
from typing import Any, Final

from redis import exceptions

from brickyard.api.names import redis as names
from brickyard.gateway import errors, redislink
from brickyard.gateway.sharing import contract
from brickyard.lib import backoff, tasks

AGAIN: Final = backoff.Backoff(0.1, 2, 2.0)
DEADLINE: Final = 2.0
"""Seconds to connect in, and for an answer."""
MOST_WAITING: Final = 256
SIGN_OF_LIFE: Final = 5.0
"""Seconds after which a server that says nothing is asked whether it is there."""
_AWAY: Final = (exceptions.RedisError, OSError, TimeoutError)


class ChannelUnusableError(errors.GatewayError):
    """The channel's address cannot be used: the operator corrects it."""


class RedisChannel:
    """The server at ``url``, among the gateways of ``group``, as ``name``; a ``contract.Channel``.

    Raises:
        ChannelUnusableError: the address cannot be read.
    """

    def __init__(self, url: str, group: str, name: str) -> None:
        try:
            self._client = redislink.client(url, DEADLINE, "brickyard-sharing")
        except ValueError as error:
            # The address itself may hold a password: it is not repeated.
            raise ChannelUnusableError(
                f"the address of the channel between gateways cannot be read: {error}",
                hint="write redis://host:port/database",
            ) from error
        self._name = name
        self._everybody = f"{names.GATEWAYS_PREFIX}{group}"
        self._traffic = contract.Traffic()
        self._line: collections.deque[tuple[str, bytes]] = collections.deque()
        self._waiting = asyncio.Event()
        self._connected = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def traffic(self) -> contract.Traffic:
        return self._traffic

    def send(self, payload: bytes, to: str = "") -> bool:
        if not self._connected:
            return False
        self._line.append((self._of(to) if to else self._everybody, payload))
        if len(self._line) > MOST_WAITING:
            self._line.popleft()
            self._traffic.dropped += 1
        self._waiting.set()
        return True

    async def run(self, listener: contract.Listener) -> None:
        failures = 0
        async with contextlib.aclosing(self._client):
            while True:
                try:
                    await self._stay(listener)
                except _AWAY:
                    failures = 1 if self._connected else failures + 1
                finally:
                    was, self._connected = self._connected, False
                    self._line.clear()
                if was:
                    self._traffic.losses += 1
                    listener.away()
                await asyncio.sleep(AGAIN.delay(failures))

    async def _stay(self, listener: contract.Listener) -> None:
        """Be on the channel until it breaks.

        Raises:
            RedisError, OSError, TimeoutError: it did.
        """
        async with self._client.pubsub() as heard, tasks.Scope("redis channel") as scope:
            await heard.subscribe(self._everybody, self._of(self._name))
            for _ in range(2):  # the server's word that it hears for us
                await heard.get_message(timeout=DEADLINE)
            self._connected = True
            listener.joined()
            scope.start(self._publish(), name="publish")
            await self._listen(heard, listener)

    async def _listen(self, heard: Any, listener: contract.Listener) -> None:
        asked = False
        while True:
            message = await heard.get_message(ignore_subscribe_messages=True, timeout=SIGN_OF_LIFE)
            if message is None:
                if asked:
                    raise TimeoutError("the server does not answer")
                await heard.ping()
                asked = True
                continue
            asked = False
            if message["type"] == "message":
                self._traffic.received += 1
                listener.received(message["data"])

    async def _publish(self) -> None:
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            batch, self._line = self._line, collections.deque()
            async with self._client.pipeline(transaction=False) as pipeline:
                for to, payload in batch:
                    pipeline.publish(to, payload)
                await pipeline.execute()
            self._traffic.sent += len(batch)

    def _of(self, name: str) -> str:
        return f"{self._everybody}:{name}"
