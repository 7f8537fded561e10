"""Datagrams handed on to pods: UDP has no connections, so a client is remembered for as long as it is heard of.

    client ──► Listener ──► _Session (one per client) ──► pod, and back the same way

A client keeps its pod while the pod is one of the Service's; a pod that refuses (nobody listens there) is left at once. Clients that are
silent for ``IDLE`` seconds are forgotten, and beyond ``SESSIONS`` of them the one that was silent for longest.
"""

from __future__ import annotations

import asyncio
import collections
from typing import Any, cast

from brickyard.embedded.builtin.balancer import choice, plan

SESSIONS = 1024
IDLE = 60.0
EARLY = 16
"""Datagrams of a client that wait for its socket to be made."""

Peer = tuple[str, int]


class Listener(asyncio.DatagramProtocol):
    """One UDP port of one Service."""

    def __init__(self, wanted: plan.Listen) -> None:
        self._wanted = wanted
        self._transport: asyncio.DatagramTransport | None = None
        self._sessions: collections.OrderedDict[Peer, _Session] = collections.OrderedDict()
        self._turn = 0
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def clients(self) -> int:
        """Clients that are remembered."""
        return len(self._sessions)

    async def start(self) -> None:
        """Listen. Raises OSError where that cannot be."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, (self._wanted.host, self._wanted.port))
        self._schedule()

    def update(self, wanted: plan.Listen) -> None:
        """Go on with other targets; clients of those that are left are sent to others."""
        self._wanted = wanted
        for peer in [peer for peer, each in self._sessions.items() if each.target not in wanted.targets]:
            self._forget(peer)

    def stop(self) -> None:
        """Listen no more."""
        if self._sweep is not None:
            self._sweep.cancel()
        for peer in list(self._sessions):
            self._forget(peer)
        if self._transport is not None:
            self._transport.close()

    async def end(self) -> None:
        """Let the loop close what ``stop`` left to it."""
        await asyncio.sleep(0)

    # The client's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Peer | tuple[Any, ...]) -> None:
        peer: Peer = (addr[0], addr[1])
        session = self._sessions.get(peer) or self._begin(peer)
        if session is not None:
            self._sessions.move_to_end(peer)
            session.heard = asyncio.get_running_loop().time()
            session.send(data)

    def _begin(self, peer: Peer) -> _Session | None:
        busy = collections.Counter(each.target for each in self._sessions.values())
        target = choice.choose(self._wanted.targets, busy, self._turn)
        if target is None:
            return None
        self._turn += 1
        while len(self._sessions) >= SESSIONS:
            self._forget(next(iter(self._sessions)))
        session = _Session(self, peer, target)
        self._sessions[peer] = session
        return session

    def _forget(self, peer: Peer) -> None:
        session = self._sessions.pop(peer, None)
        if session is not None:
            session.close()

    def _schedule(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(IDLE / 2, self._forget_silent)

    def _forget_silent(self) -> None:
        limit = asyncio.get_running_loop().time() - IDLE
        for peer in [peer for peer, each in self._sessions.items() if each.heard < limit]:
            self._forget(peer)
        self._schedule()

    # Told by sessions.

    def answered(self, session: _Session, data: bytes) -> None:
        """The pod answers its client."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, session.peer)

    def refused(self, session: _Session) -> None:
        """Nobody listens at the pod: the client's next datagram looks for another."""
        if self._sessions.get(session.peer) is session:
            self._forget(session.peer)


class _Session(asyncio.DatagramProtocol):
    """A client's own socket to its pod."""

    def __init__(self, listener: Listener, peer: Peer, target: plan.Target) -> None:
        self.peer = peer
        self.target = target
        self.heard = 0.0
        self._listener = listener
        self._transport: asyncio.DatagramTransport | None = None
        self._early: list[bytes] = []
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_datagram_endpoint(lambda: self, remote_addr=(self.target.host, self.target.port))
        except OSError:
            self._listener.refused(self)

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(data)
        elif len(self._early) < EARLY:
            self._early.append(data)

    def close(self) -> None:
        self._opening.cancel()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        for data in self._early:
            self._transport.sendto(data)
        self._early.clear()

    def datagram_received(self, data: bytes, addr: Peer | tuple[Any, ...]) -> None:
        del addr
        self._listener.answered(self, data)

    def error_received(self, exc: Exception) -> None:
        if isinstance(exc, ConnectionRefusedError):
            self._listener.refused(self)
