"""Listeners that hand connections on to pods, byte by byte, both ways.

    client ──► Listener ──► Link ── connect, next target if that fails ──► pod
                             │
                             └ what one side sends goes to the other; a side that cannot take more stops the other from being read

An end of sending (half-close) is handed on; whatever ends one side ends the other. A connection that no target takes is reset, and so
is one beyond ``CONNECTIONS``: a client that is refused can try again, one that hangs cannot. Connections outlive their Service's
endpoints: who talks to a pod that is leaving talks on until the pod ends.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import errno
import socket
from collections.abc import Sequence
from typing import cast

from brickyard.embedded.builtin.balancer import choice, datagrams, plan
from brickyard.lib import logs

log = logs.get(__name__)

CONNECTIONS = 4096
"""Open connections of one port."""
CONNECT_DEADLINE = 3.0
"""Seconds for one target to take a connection: it is on this machine."""

Key = tuple[str, str]
"""Namespace and name of a Service."""
Address = tuple[str, int]
_Place = tuple[str, int, str]
"""Address and protocol."""


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """A port that cannot be listened on. ``message`` says what to do."""

    host: str
    port: int
    message: str


class Balancer:
    """All Services' listeners. Make it on the loop that runs it; ``close`` it when done."""

    def __init__(self) -> None:
        self._listeners: dict[Key, dict[_Place, _Listener | datagrams.Listener]] = {}
        self._retired: list[_Listener] = []

    def addresses(self, key: Key) -> list[Address]:
        """Where the Service ``key`` is listened for."""
        return sorted({(host, port) for host, port, _ in self._listeners.get(key, {})})

    async def serve(self, key: Key, wanted: Sequence[plan.Listen]) -> list[Refused]:
        """Listen for the Service ``key`` exactly as ``wanted``; what cannot be had is told and may be asked for again."""
        held = self._listeners.setdefault(key, {})
        by_place: dict[_Place, plan.Listen] = {(each.host, each.port, each.protocol): each for each in wanted}
        self._retired = [each for each in self._retired if each.links]
        for place in [each for each in held if each not in by_place]:
            self._retire(held.pop(place))
        refused = []
        for place, each in by_place.items():
            known = held.get(place)
            if known is not None:
                known.update(each)
                continue
            listener = datagrams.Listener(each) if each.protocol == "UDP" else _Listener(each)
            try:
                await listener.start()
            except OSError as error:
                refused.append(Refused(each.host, each.port, _advice(each, error)))
            else:
                held[place] = listener
        if not held:
            del self._listeners[key]
        return refused

    def _retire(self, listener: _Listener | datagrams.Listener) -> None:
        """Take no more clients; connections go on to their own end, datagrams have none."""
        listener.stop()
        if isinstance(listener, _Listener):
            self._retired.append(listener)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        listeners = [*self._retired, *(each for held in self._listeners.values() for each in held.values())]
        self._listeners.clear()
        self._retired.clear()
        for each in listeners:
            each.stop()
        await asyncio.gather(*(each.end() for each in listeners))


def _advice(wanted: plan.Listen, error: OSError) -> str:
    if error.errno == errno.EACCES:
        hint = f"allow it with `sysctl net.ipv4.ip_unprivileged_port_start={wanted.port}` or give the Service a higher port"
    elif error.errno == errno.EADDRINUSE:
        hint = "another program listens there: stop it, or make the Service anew for another address"
    else:
        hint = "check the machine's loopback network"
    return f"cannot listen on {wanted.host}:{wanted.port}: {error.strerror or error}; {hint}"


class _Listener:
    """One port of one Service."""

    def __init__(self, wanted: plan.Listen) -> None:
        self._wanted = wanted
        self._server: asyncio.Server | None = None
        self._turn = 0
        self._busy: collections.Counter[plan.Target] = collections.Counter()
        self.links: set[_Link] = set()
        self._affinity = choice.Affinity(wanted.affinity) if wanted.affinity else None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, self._wanted.host, self._wanted.port, backlog=1024)

    def update(self, wanted: plan.Listen) -> None:
        if wanted.affinity != self._wanted.affinity:
            self._affinity = choice.Affinity(wanted.affinity) if wanted.affinity else None
        self._wanted = wanted

    def stop(self) -> None:
        """Take no more connections; those there are go on."""
        if self._server is not None:
            self._server.close()

    async def end(self) -> None:
        """End the connections there are."""
        ending = [each.end() for each in list(self.links)]
        if ending:
            await asyncio.wait([asyncio.ensure_future(each) for each in ending], timeout=CONNECT_DEADLINE)

    def _accept(self) -> asyncio.Protocol:
        link = _Link(self)
        return link.client

    # Told by links.

    def opened(self, link: _Link) -> bool:
        """Whether there is room for another."""
        if len(self.links) >= CONNECTIONS or not self._wanted.targets:
            return False
        self.links.add(link)
        self._turn += 1
        return True

    def closed(self, link: _Link) -> None:
        self.links.discard(link)
        if link.target is not None:
            self._leave(link.target)

    def _leave(self, target: plan.Target) -> None:
        """Targets come and go with their pods: one that nobody is connected to is not remembered."""
        self._busy[target] -= 1
        if self._busy[target] <= 0:
            del self._busy[target]

    async def connect(self, link: _Link, client: str) -> bool:
        """Find a target that takes ``link``."""
        tried: list[plan.Target] = []
        loop = asyncio.get_running_loop()
        while True:
            targets = self._wanted.targets
            kept = self._affinity.recall(client, targets, loop.time()) if self._affinity is not None else None
            target = kept if kept is not None and kept not in tried else None
            target = target or choice.choose(targets, self._busy, self._turn, tried)
            if target is None:
                return False
            tried.append(target)
            self._busy[target] += 1
            link.target = target
            try:
                async with asyncio.timeout(CONNECT_DEADLINE):
                    await loop.create_connection(lambda: link.pod, target.host, target.port)
            except OSError:  # TimeoutError is one
                self._leave(target)
                link.target = None
                continue
            if self._affinity is not None:
                self._affinity.remember(client, target, loop.time())
            return True


class _Link:
    """A client's connection and the one to its pod."""

    def __init__(self, listener: _Listener) -> None:
        self.target: plan.Target | None = None
        self.client = _Side(self)
        self.pod = _Side(self)
        self.client.peer, self.pod.peer = self.pod, self.client
        self._listener = listener
        self._connecting: asyncio.Task[None] | None = None
        self._open = False
        self._done = asyncio.Event()

    @property
    def waiting(self) -> bool:
        """Whether the pod's connection is still to come."""
        return self._connecting is not None and not self._connecting.done()

    def made(self, side: _Side) -> None:
        transport = side.transport
        if side is self.pod or transport is None:
            return
        transport.pause_reading()
        if not self._listener.opened(self):
            reset(transport)
            return
        self._open = True
        self._connecting = asyncio.get_running_loop().create_task(self._connect(transport))

    async def _connect(self, transport: asyncio.Transport) -> None:
        host, *_ = transport.get_extra_info("peername") or ("",)
        if not await self._listener.connect(self, host):
            reset(transport)
        elif transport.is_closing() and self.pod.transport is not None:
            self.pod.transport.abort()
        else:
            self.client.catch_up()

    def lost(self, side: _Side) -> None:
        """One side is gone: so is the other, once it has what was sent to it."""
        other = side.peer
        if other is not None and other.transport is not None:
            other.transport.close()
        if self._connecting is not None and side is self.client and not self._connecting.done():
            self._connecting.cancel()
        gone = all(each.transport is None for each in (self.client, self.pod))
        if self._open and gone:
            self._open = False
            self._listener.closed(self)
            self._done.set()

    async def end(self) -> None:
        for side in (self.client, self.pod):
            if side.transport is not None:
                side.transport.abort()
        if self._open:
            await self._done.wait()


def reset(transport: asyncio.Transport) -> None:
    """End a connection so that its client sees a refusal and not a finished answer."""
    found: socket.socket | None = transport.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    transport.abort()


class _Side(asyncio.Protocol):
    """One end of a link."""

    def __init__(self, link: _Link) -> None:
        self.peer: _Side | None = None
        self.transport: asyncio.Transport | None = None
        self._link = link
        self._ended = False
        self._early: list[bytes] = []

    def catch_up(self) -> None:
        """The peer has a connection now: hand on what came before it, and read on."""
        if self.peer is None or self.peer.transport is None or self.transport is None:
            return
        self.peer.transport.writelines(self._early)
        self._early.clear()
        if self._ended:
            self.peer.transport.write_eof()
        elif not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._link.made(self)

    def data_received(self, data: bytes) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.write(data)
        elif self.transport is not None:
            # Some loops begin to read after they were told not to: one read may come before the pod has its connection.
            self._early.append(data)
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self._ended = True
        peer = self.peer
        if peer is None or peer.transport is None:
            return self._link.waiting
        if peer._ended:
            peer.transport.close()
            return False
        peer.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None:
            self.peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer is not None and self.peer.transport is not None and not self.peer._ended:
            self.peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.transport = None
        self._link.lost(self)
