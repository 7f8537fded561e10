"""port-forward by channels: for each port that was asked for, one connection on a data channel and an error channel.

A port that cannot be reached is told on its error channel; the others go on. The protocol has no way to end one port alone: when all of
them have ended, so does the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Sequence

from brickyard.api.kinds import podstreams
from brickyard.embedded.apiserver.podstreams import channels, sockets
from brickyard.lib import tasks


@dataclasses.dataclass(frozen=True, slots=True)
class Pairs:
    """A port-forward that was accepted."""

    forwarder: podstreams.Forwarder
    ports: Sequence[int]

    async def run(self, socket: sockets.Socket) -> None:
        """Run until the client leaves or every port has ended. Raises as ``Conversation.run``."""
        for message in channels.port_channels(self.ports):
            await socket.send(message)
        ports = [_Port(self.forwarder, number, 2 * index, socket) for index, number in enumerate(self.ports)]
        others = [asyncio.create_task(_read(socket, ports)), asyncio.create_task(socket.watch())]
        async with tasks.Scope("portforward") as scope:
            over = asyncio.create_task(_all([scope.start(each.run(), name=str(each.number)) for each in ports]))
            try:
                await asyncio.wait([over, *others], return_when=asyncio.FIRST_COMPLETED)
                for each in others:
                    if each.done():
                        each.result()
            finally:
                for task in (over, *others):
                    task.cancel()
                await asyncio.gather(over, *others, return_exceptions=True)
        await socket.close()


class _Port:
    """One port. What the client says waits here, one message at a time."""

    def __init__(self, forwarder: podstreams.Forwarder, number: int, channel: int, socket: sockets.Socket) -> None:
        self.number = number
        self._forwarder = forwarder
        self._channel = channel
        self._socket = socket
        self._said: asyncio.Queue[bytes] = asyncio.Queue(1)
        self._over = False

    async def run(self) -> None:
        try:
            connection = await self._forwarder.connect(self.number)
            async with contextlib.AsyncExitStack() as stack:
                stack.push_async_callback(connection.close)
                sending = asyncio.create_task(self._send(connection))
                stack.callback(sending.cancel)
                while data := await connection.read():
                    await self._socket.send(channels.encode(self._channel, data))
        except (podstreams.StreamFailed, OSError) as error:
            await self._socket.send(channels.encode(self._channel + 1, str(error).encode()))
        finally:
            self._over = True
            while not self._said.empty():
                self._said.get_nowait()

    async def _send(self, connection: podstreams.Connection) -> None:
        # A connection that breaks is told by its other half.
        with contextlib.suppress(OSError):
            while True:
                await connection.write(await self._said.get())

    async def say(self, data: bytes) -> None:
        """Hand on what the client says; dropped when the port has ended."""
        if not self._over and data:
            await self._said.put(data)


async def _all(running: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.wait(running)


async def _read(socket: sockets.Socket, ports: Sequence[_Port]) -> None:
    while True:
        message = await socket.receive()
        channel = message[0] if message else 0
        if channel % 2 or channel >= 2 * len(ports):
            raise channels.ProtocolError(f"channel {channel} is not the client's to write to")
        await ports[channel // 2].say(message[1:])
