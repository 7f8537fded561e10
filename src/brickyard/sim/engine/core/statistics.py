"""What an engine counts, for its metrics page: totals, and histograms with the bounds that vLLM uses."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Final

from brickyard.sim.engine.core import work

FIRST_TOKEN: Final = (
    *(
        0.001,
        0.005,
        0.01,
        0.02,
        0.04,
        0.06,
        0.08,
        0.1,
        0.25,
        0.5,
        0.75,
        1.0,
        2.5,
        5.0,
        7.5,
        10.0,
        20.0,
        40.0,
        80.0,
        160.0,
    ),
    *(640.0, 2560.0),
)
BETWEEN: Final = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
LATENCY: Final = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0),
    *(1920.0, 7680.0),
)
TOKENS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 20000.0)
ITERATION: Final = (1.0, *(float(2**power) for power in range(3, 15)))


class Histogram:
    """Counts of observations up to each of ``bounds`` and above the last, not cumulative."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """One observation; a bound belongs to what lies below it."""
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """All observations."""
        return sum(self.counts)

    def cumulative(self) -> list[tuple[float, int]]:
        """(bound, observations up to it), the last bound infinite."""
        rows: list[tuple[float, int]] = []
        total = 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            total += count
            rows.append((bound, total))
        return rows


class Statistics:
    """Fed with every step, read by the pages. Aborted requests are told by ``abort``."""

    def __init__(self) -> None:
        self.prompt_tokens = 0
        self.cached_tokens = 0
        self.generated_tokens = 0
        self.finished: dict[str, int] = {"stop": 0, "length": 0, "abort": 0, "error": 0}
        self.first_token = Histogram(FIRST_TOKEN)
        self.between = Histogram(BETWEEN)
        self.per_token = Histogram(BETWEEN)
        self.latency = Histogram(LATENCY)
        self.queue = Histogram(LATENCY)
        self.inference = Histogram(LATENCY)
        self.prefill = Histogram(LATENCY)
        self.decode = Histogram(LATENCY)
        self.prompt = Histogram(TOKENS)
        self.generation = Histogram(TOKENS)
        self.iteration = Histogram(ITERATION)
        self.busy = 0.0
        self.steps = 0

    def step(self, done: work.Step) -> None:
        """What one step did."""
        self.steps += 1
        self.busy += done.duration
        self.iteration.observe(done.prefill + done.decode)
        self.generated_tokens += len(done.outputs)
        between = self.between
        for output in done.outputs:
            if output.first:
                self.first_token.observe(output.gap)
                self.prompt_tokens += len(output.job.prompt) // 4
                self.cached_tokens += output.cached
            else:
                between.observe(output.gap)

    def finish(self, how: work.Finish, reason: str) -> None:
        """One job ended by itself; ``reason`` is ``stop`` or ``length``."""
        self.finished[reason] += 1
        decode = how.finished - how.first_token
        self.latency.observe(how.finished - how.arrived)
        self.queue.observe(how.scheduled - how.arrived)
        self.inference.observe(how.finished - how.scheduled)
        self.prefill.observe(how.first_token - how.scheduled)
        self.decode.observe(decode)
        self.prompt.observe(how.prompt)
        self.generation.observe(how.generated)
        if how.generated > 1:
            self.per_token.observe(decode / (how.generated - 1))

    def abort(self, reason: str = "abort") -> None:
        """One job ended otherwise."""
        self.finished[reason] += 1


class Rate:
    """A total's growth per second over the last ``window`` seconds."""

    def __init__(self, window: float = 5.0) -> None:
        self._window = window
        self._samples: list[tuple[float, float]] = []

    def at(self, now: float, total: float) -> float:
        """The rate, ``total`` being what was counted until ``now``; 0.0 the first time."""
        samples = self._samples
        samples.append((now, total))
        while len(samples) > 2 and samples[1][0] <= now - self._window:
            samples.pop(0)
        del samples[1:-64]
        (before, old), (after, new) = samples[0], samples[-1]
        return (new - old) / (after - before) if after > before else 0.0
