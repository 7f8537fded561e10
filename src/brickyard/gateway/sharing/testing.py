"""A channel in memory, with plain-field knobs."""

from __future__ import annotations

import asyncio
import dataclasses

from brickyard.gateway.sharing import contract


@dataclasses.dataclass
class Air:
    """What fake channels speak through.

    Attributes:
        delay: seconds that a message takes.
        lost: numbers (from 0) of messages that nobody hears.
        said: messages so far.
        down: no channel is there.
    """

    delay: float = 0.001
    lost: set[int] = dataclasses.field(default_factory=set)
    said: int = 0
    down: bool = False
    channels: dict[str, FakeChannel] = dataclasses.field(default_factory=dict)

    def channel(self, name: str) -> FakeChannel:
        """A new end."""
        made = self.channels[name] = FakeChannel(self, name)
        return made

    def carry(self, sender: str, to: str, payload: bytes) -> None:
        """Deliver a message."""
        for name, channel in self.channels.items():
            if channel.connected and channel.listener is not None and name != sender and to in {"", name}:
                channel.traffic.received += 1
                channel.listener.received(payload)


@dataclasses.dataclass
class FakeChannel:
    """One end. While the air is ``down`` or the end is ``cut``, it is away."""

    air: Air
    name: str
    cut: bool = False
    connected: bool = False
    listener: contract.Listener | None = None
    traffic: contract.Traffic = dataclasses.field(default_factory=contract.Traffic)

    def send(self, payload: bytes, to: str = "") -> bool:
        if not self.connected:
            return False
        self.traffic.sent += 1
        if self.air.said not in self.air.lost:
            asyncio.get_running_loop().call_later(self.air.delay, self.air.carry, self.name, to, payload)
        self.air.said += 1
        return True

    async def run(self, listener: contract.Listener) -> None:
        self.listener = listener
        try:
            while True:
                there = not (self.air.down or self.cut)
                if there and not self.connected:
                    self.connected = True
                    listener.joined()
                elif self.connected and not there:
                    self.connected = False
                    self.traffic.losses += 1
                    listener.away()
                await asyncio.sleep(0.02)
        finally:
            self.connected = False
