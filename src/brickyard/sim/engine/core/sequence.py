"""One job inside the scheduler: how far it is, which blocks it holds, what it may be found by."""

from __future__ import annotations

from brickyard.sim.engine.core import blocks, tokens, work


class Sequence:
    """Changes only through the scheduler.

    Attributes:
        length: tokens known: the prompt and what was said.
        computed: tokens whose KV cache is there.
        generated: tokens said.
        held: blocks, in order.
        hashes: of full blocks, as far as they are known.
        sealed: how many of ``held`` are full and registered.
    """

    __slots__ = (
        "arrived",
        "cached",
        "computed",
        "done",
        "first_token",
        "generated",
        "hashes",
        "held",
        "job",
        "key",
        "last_token",
        "length",
        "limit",
        "preemptions",
        "prompt",
        "remote",
        "scheduled",
        "sealed",
        "text",
    )

    def __init__(self, job: work.Job, arrived: float, key: tuple[int, float, int]) -> None:
        self.job = job
        self.key = key
        self.arrived = arrived
        self.prompt = len(job.prompt) // tokens.WIDTH
        self.limit = len(job.output) // tokens.WIDTH
        self.text = job.prompt + job.output
        self.length = self.prompt
        self.computed = 0
        self.generated = 0
        self.held: list[int] = []
        self.hashes: list[bytes] = []
        self.sealed = 0
        self.cached = 0
        self.remote = 0
        self.preemptions = 0
        self.scheduled = -1.0
        self.first_token = -1.0
        self.last_token = arrived
        self.done = False

    def hash_until(self, count: int, block_size: int) -> None:
        """Know the hashes of the first ``count`` blocks."""
        known = len(self.hashes)
        if known >= count:
            return
        parent = (
            self.hashes[-1] if known else blocks.root(self.job.adapter + "\0" + self.job.salt if self._salted else "")
        )
        width = block_size * tokens.WIDTH
        self.hashes += blocks.hashes(parent, self.text[known * width : count * width], block_size)

    @property
    def _salted(self) -> bool:
        return bool(self.job.adapter or self.job.salt)

    def forget(self) -> None:
        """Begin again; what was said stays said."""
        self.held = []
        self.sealed = 0
        self.computed = 0
        self.preemptions += 1

    def finish(self, now: float, prompt_blocks: int) -> work.Finish:
        """How it went."""
        return work.Finish(
            self.arrived,
            self.scheduled,
            self.first_token,
            now,
            self.prompt,
            self.generated,
            self.cached,
            self.remote,
            self.preemptions,
            tuple(self.held[:prompt_blocks]),
        )
