"""What came of listening to one engine, for whoever shows it."""

from __future__ import annotations

import collections
import dataclasses
from typing import Final

from brickyard.gateway import distributions
from brickyard.gateway.kvevents import sources

HANDLING: Final = tuple(1e-5 * 2**step for step in range(15))
"""Upper bounds of what a message may take, in seconds."""


@dataclasses.dataclass(slots=True)
class Publisher:
    """One endpoint that publishes.

    Attributes:
        connected: whether the connection is there; settled: whether nothing is waited for that was told before.
        connections, disconnections, retries: how often it came, went, was tried again.
        batches: messages taken in. events: by kind. errors: by where they happened.
        sequence: number of the last message; None before the first.
        gaps: how often numbers were missing. missed: messages that never came. dropped: those that there was no room for.
        replays, replays_done, replays_failed: how often the engine was asked for what it told before.
        resets: how often all that it told was held for void.
        lag: seconds from an engine's clock as it wrote its last message to ours as it was read.
        seconds: time that messages took.
    """

    source: sources.Source
    connected: bool = False
    settled: bool = False
    connections: int = 0
    disconnections: int = 0
    retries: int = 0
    batches: int = 0
    events: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    errors: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    sequence: int | None = None
    gaps: int = 0
    missed: int = 0
    dropped: int = 0
    replays: int = 0
    replays_done: int = 0
    replays_failed: int = 0
    resets: int = 0
    lag: float = 0.0
    seconds: distributions.Histogram = dataclasses.field(default_factory=lambda: distributions.Histogram(HANDLING))

    def failed(self, where: str) -> None:
        """Count an error."""
        self.errors[where] += 1
