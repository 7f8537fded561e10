"""What goes into the scheduler and what comes out of it."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from brickyard.sim.engine.core import blocks


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One sequence to compute: a request with ``n`` answers is n jobs.

    Attributes:
        id: unlike any other's in this engine.
        prompt: the prompt's tokens, four bytes each.
        output: the tokens it will say, four bytes each; its length is the answer's.
        adapter: the adapter it runs with, "" for none.
        priority: lower numbers first, under that policy.
        remote: prompt tokens whose KV cache another engine hands over.
        ready_at: not before this time; when the hand-over is done.
        salt: jobs of different salt share no cache.
        owner: whoever is to hear of it; never looked at here.
    """

    id: str
    prompt: bytes
    output: bytes
    adapter: str = ""
    priority: int = 0
    remote: int = 0
    ready_at: float = 0.0
    salt: str = ""
    owner: object = None


class Finish(NamedTuple):
    """How a job went. Times are the scheduler's, in seconds.

    ``cached`` are prompt tokens found here, ``remote`` those handed over; ``blocks`` the numbers of the blocks that held the prompt.
    """

    arrived: float
    scheduled: float
    first_token: float
    finished: float
    prompt: int
    generated: int
    cached: int
    remote: int
    preemptions: int
    blocks: tuple[int, ...]


class Output(NamedTuple):
    """One token of one job at the end of a step.

    ``gap`` is the time since the job's token before, for the first token since its arrival. ``finish`` comes with the last token.
    """

    job: Job
    first: bool
    gap: float
    cached: int
    finish: Finish | None


class Step(NamedTuple):
    """One pass through the model, from ``start`` for ``duration`` seconds; ``outputs`` are there at its end.

    ``prefill`` and ``decode`` count tokens computed.
    """

    start: float
    duration: float
    outputs: tuple[Output, ...]
    prefill: int
    decode: int
    preempted: tuple[str, ...]
    events: tuple[blocks.Event, ...]

    @property
    def end(self) -> float:
        """When its outputs are there."""
        return self.start + self.duration
