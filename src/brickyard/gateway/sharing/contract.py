"""How gateways reach each other.

A channel carries small messages from each gateway to all others, or to one. It promises little, so that many things can be one: messages
may be lost, come twice, or come in another order; ``merge`` puts up with all of that. What it must do is say when it is there and when
it is away, never block, and hold no more than it was told to: of messages that cannot go out in time the oldest are dropped and counted,
since newer ones say more.

Names are those of processes, not of places: a gateway that is started again has a new one.
"""

from __future__ import annotations

import dataclasses
from typing import Final, Protocol

LARGEST: Final = 1024 * 1024
"""Bytes of one message. A longer one is no message of ours."""


@dataclasses.dataclass(slots=True)
class Traffic:
    """What a channel carried. Its owner is the channel."""

    sent: int = 0
    received: int = 0
    dropped: int = 0
    """Messages that could not go out in time."""
    losses: int = 0
    """How often the channel went away."""


class Listener(Protocol):
    """Who hears what comes. All methods are called on the event loop and return at once."""

    def joined(self) -> None:
        """The channel is there: what is sent from now on reaches those who listen."""
        ...

    def received(self, payload: bytes) -> None:
        """Somebody said something, perhaps oneself."""
        ...

    def left(self, name: str) -> None:
        """The gateway of this name is no longer reached. Not every channel can tell."""
        ...

    def away(self) -> None:
        """The channel is gone; it tries to come back by itself."""
        ...


class Channel(Protocol):
    """A way to the other gateways."""

    @property
    def name(self) -> str:
        """This gateway's name on it."""
        ...

    @property
    def connected(self) -> bool: ...

    @property
    def traffic(self) -> Traffic: ...

    def send(self, payload: bytes, to: str = "") -> bool:
        """Send to ``to``, or to everybody else. Returns at once; False when the channel is away and nothing was taken."""
        ...

    async def run(self, listener: Listener) -> None:
        """Keep the channel open until cancelled."""
        ...
