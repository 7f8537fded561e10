"""port-forward as kubectl speaks it: SPDY inside the WebSocket, two streams for each connection to a local port.

    the client opens     headers                                           what travels on it
    an error stream      streamtype: error, port, requestid                why the connection failed; nothing, then its end, else
    a data stream        streamtype: data, the same port and requestid     the connection's bytes, both ways

A connection begins with its data stream and fails alone. The client's library has no flow control: a target that does not read holds up
its neighbours, for ``STUCK`` seconds; then its connection is reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import Final

from brickyard.api.kinds import podstreams
from brickyard.embedded.apiserver.podstreams import channels, sockets, spdy
from brickyard.lib import tasks

PROTOCOL: Final = "SPDY/3.1+portforward.k8s.io"
MAX_STREAMS: Final = 512
"""Streams open at once; more are refused."""
STUCK: Final = 30.0
_QUEUED: Final = 8
"""Pieces (of 32 KiB, as kubectl writes them) that wait for one target."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tunnel:
    """A port-forward that was accepted."""

    forwarder: podstreams.Forwarder

    async def run(self, socket: sockets.Socket) -> None:
        """Run until the client leaves. Raises as ``Conversation.run``."""
        async with tasks.Scope("portforward") as scope:
            wire = _Wire(self.forwarder, socket, scope)
            both = [asyncio.create_task(wire.read()), asyncio.create_task(socket.watch())]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                for each in both:
                    if each.done():
                        each.result()
            finally:
                for each in both:
                    each.cancel()
                await asyncio.gather(*both, return_exceptions=True)


class _Stream:
    """A data stream: what the client says waits here for its target."""

    def __init__(self, number: int, port: int, error: int) -> None:
        self.number = number
        self.port = port
        self.error = error
        self.said: asyncio.Queue[bytes] = asyncio.Queue(_QUEUED)
        """b"" is the end."""
        self.task: asyncio.Task[None] | None = None


class _Wire:
    """All streams of one client."""

    def __init__(self, forwarder: podstreams.Forwarder, socket: sockets.Socket, scope: tasks.Scope) -> None:
        self._forwarder = forwarder
        self._socket = socket
        self._scope = scope
        self._decoder = spdy.Decoder()
        self._encoder = spdy.Encoder()
        self._errors: dict[tuple[str, str], int] = {}
        self._data: dict[int, _Stream] = {}

    async def read(self) -> None:
        """Do what the client says until it leaves. Raises as ``Tunnel.run``."""
        try:
            while True:
                for event in self._decoder.feed(await self._socket.receive()):
                    await self._heed(event)
        except spdy.SpdyError as error:
            raise channels.ProtocolError(str(error)) from error

    async def _heed(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened(stream, headers):
                await self._open(stream, headers)
            case spdy.Received(stream, data, fin):
                await self._hand_on(stream, data, fin=fin)
            case spdy.Reset(stream):
                self._errors = {request: each for request, each in self._errors.items() if each != stream}
                await self._give_up(stream)
            case spdy.Ping(number):
                await self._socket.send(spdy.ping(number))
            case spdy.GoAway():
                # It leaves when its streams have ended; they are not ended for it.
                pass

    async def _open(self, number: int, headers: spdy.Headers) -> None:
        request = (headers.get("port", ""), headers.get("requestid", ""))
        kind, port = headers.get("streamtype", ""), _port(request[0])
        known = kind == "error" or (kind == "data" and request in self._errors)
        if port is None or not known or len(self._errors) + len(self._data) >= MAX_STREAMS:
            await self._socket.send(spdy.reset(number, spdy.REFUSED))
            return
        await self._socket.send(self._encoder.reply(number))
        if kind == "error":
            self._errors[request] = number
            return
        stream = self._data[number] = _Stream(number, port, self._errors.pop(request))
        stream.task = self._scope.start(self._serve(stream), name=f"{port}/{number}")

    async def _hand_on(self, number: int, data: bytes, *, fin: bool) -> None:
        stream = self._data.get(number)
        if stream is None:
            return
        try:
            async with asyncio.timeout(STUCK):
                if data:
                    await stream.said.put(data)
                if fin:
                    await stream.said.put(b"")
        except TimeoutError:
            await self._give_up(number, f"error forwarding port {stream.port}: what is sent is not taken")
            await self._socket.send(spdy.reset(number, spdy.CANCELLED))

    async def _give_up(self, number: int, why: str = "") -> None:
        """End a connection from this side. Its client waits for the end of the error stream even so."""
        stream = self._data.pop(number, None)
        if stream is not None and stream.task is not None:
            stream.task.cancel()
            await self._socket.send(spdy.data(stream.error, why.encode(), fin=True))

    async def _serve(self, stream: _Stream) -> None:
        """One connection, until its target has ended."""
        why = ""
        try:
            await self._carry(stream)
        except (podstreams.StreamFailed, OSError) as error:
            why = str(error)
        finally:
            _drop(stream)
        if self._data.pop(stream.number, None) is not None:
            end = spdy.data(stream.error, why.encode(), fin=True) + spdy.data(stream.number, b"", fin=True)
            await self._socket.send(end)

    async def _carry(self, stream: _Stream) -> None:
        connection = await self._forwarder.connect(stream.port)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(connection.close)
            sending = asyncio.create_task(_send(stream, connection))
            stack.callback(sending.cancel)
            while data := await connection.read():
                await self._socket.send(spdy.data(stream.number, data))


def _drop(stream: _Stream) -> None:
    """Make room for who waits to hand on to a stream that has ended."""
    while not stream.said.empty():
        stream.said.get_nowait()


async def _send(stream: _Stream, connection: podstreams.Connection) -> None:
    # A connection that breaks is told by its other half.
    with contextlib.suppress(OSError):
        while data := await stream.said.get():
            await connection.write(data)
        connection.end()


def _port(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536 else None
