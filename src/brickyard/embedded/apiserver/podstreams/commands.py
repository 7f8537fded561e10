"""exec and attach: a session of the node agent, spoken in channels.

Three tasks run side by side: the session, the reading of the client, the look-out for one that is silent or gone. The first to end
decides: a session that ends gives its Status to the client, all else ends the session.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator

from brickyard.api.kinds import podstreams
from brickyard.embedded.apiserver.podstreams import channels, sockets
from brickyard.lib import logs

log = logs.get(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Conversation:
    """An exec or attach that was accepted."""

    session: podstreams.Session
    query: podstreams.CommandQuery
    protocol: str

    async def run(self, socket: sockets.Socket) -> None:
        """Run until either side ends; the socket is closed after it.

        Raises:
            GoneError: the client left. IdleError: it was silent. ProtocolError: it sent nonsense.
        """
        client = _Client(socket, self.protocol, heeded=self.query.stdin or bool(self.query.tty and self.query.command))
        # Clients wait for a first message on what they read from before they believe in the connection.
        await socket.send(channels.encode(self._lowest()))
        running = asyncio.create_task(self._session(client))
        others = [asyncio.create_task(client.read()), asyncio.create_task(socket.watch())]
        try:
            await asyncio.wait([running, *others], return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                for each in others:
                    if each.done():
                        each.result()
            await socket.send(channels.encode(channels.ERROR, running.result()))
        finally:
            for task in (running, *others):
                task.cancel()
            await asyncio.gather(running, *others, return_exceptions=True)
        await socket.close()

    def _lowest(self) -> int:
        if self.query.stdout:
            return channels.STDOUT
        return channels.STDERR if self.query.stderr else channels.ERROR

    async def _session(self, client: _Client) -> bytes:
        """The Status of the session's end."""
        try:
            return channels.ended(await self.session.run(client))
        except podstreams.StreamFailed as error:
            return channels.failed(str(error))


class _Client:
    """Fills ``podstreams.Client``. Holds one message at a time: while it waits to be taken, the client is not read.

    Where nobody heeds its input, it is dropped.
    """

    def __init__(self, socket: sockets.Socket, protocol: str, *, heeded: bool) -> None:
        self._socket = socket
        self._protocol = protocol
        self._heeded = heeded
        self._said: asyncio.Queue[channels.Incoming] = asyncio.Queue(1)

    async def read(self) -> None:
        """Read the client until it leaves. Raises as ``Socket.receive`` and ``channels.decode``."""
        while True:
            said = channels.decode(await self._socket.receive(), self._protocol)
            if said is not None and self._heeded:
                await self._said.put(said)

    async def input(self) -> AsyncIterator[bytes | podstreams.Size]:
        while not isinstance(said := await self._said.get(), channels.End):
            yield said.data if isinstance(said, channels.Data) else said

    async def output(self, source: podstreams.Output, data: bytes) -> None:
        await self._socket.send(channels.encode(channels.OUTPUTS[source], data))
