"""Runs the scheduler in real time: begins a step, waits until it would be over, tells everybody what it said, begins the next.

The engine's time follows the clock but is not read from it: the next step begins when the last one ended, not when its timer fired,
so that a timer's milliseconds do not add up. Only when this process falls behind by more than ``LAG`` does the engine's time jump.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from brickyard.lib import clock
from brickyard.sim.engine.core import blocks, params, scheduler, statistics, work

LAG: Final = 0.02


class Listener(Protocol):
    """Who hears of a job's tokens: the job's ``owner``."""

    def token(self, output: work.Output) -> None:
        """One token; with ``output.finish`` the last."""
        ...


class Driver:
    """One running engine: ``submit`` and ``cancel`` jobs whose owner is a ``Listener``; ``close`` at the end.

    Attributes:
        scheduler: to be read.
        statistics: what was counted.
    """

    def __init__(
        self,
        settings: params.Params,
        *,
        time: clock.Clock | None = None,
        publish: Callable[[tuple[blocks.Event, ...]], None] | None = None,
    ) -> None:
        self.scheduler = scheduler.Scheduler(settings, record=publish is not None)
        self.statistics = statistics.Statistics()
        self._now = (time or clock.SystemClock()).monotonic
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._under_way: work.Step | None = None
        self._untold: tuple[blocks.Event, ...] = ()
        self._gone: set[str] = set()
        self._free_at = 0.0
        self._closed = False

    @property
    def now(self) -> float:
        """The clock's time, in which jobs arrive."""
        return self._now()

    @property
    def load(self) -> int:
        """Jobs that run or wait."""
        return self.scheduler.running + self.scheduler.waiting

    def submit(self, job: work.Job) -> None:
        """Queue a job.

        Raises:
            RejectedError: it can never run here.
        """
        self.scheduler.submit(job, self._now())
        self._wake()

    def cancel(self, job_id: str) -> None:
        """Forget a job; its owner hears nothing more. Unknown ids are ignored."""
        if self.scheduler.cancel(job_id):
            self.statistics.abort()
            if self._under_way is not None:
                self._gone.add(job_id)

    def sleep(self) -> None:
        """Stop computing and drop the KV cache."""
        self._tell()
        self.scheduler.sleep()
        self._tell(self.scheduler.pool.take_events())

    def wake(self) -> None:
        """Compute again."""
        self.scheduler.wake()
        self._wake()

    def clear_cache(self) -> None:
        """Forget all content of free blocks."""
        self._tell()
        self.scheduler.pool.clear()
        self._tell(self.scheduler.pool.take_events())

    def close(self) -> None:
        """Do nothing more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        """Begin in this turn of the loop, after what else has arrived with it, unless a step is under way."""
        if self._closed or self._under_way is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_soon(self._begin, True)

    def _begin(self, idle: bool = False) -> None:
        self._timer = None
        now = self._now()
        start = now if idle or now - self._free_at > LAG else self._free_at
        step = self.scheduler.step(start)
        if step is None:
            ready = self.scheduler.next_ready()
            if ready is not None and not self.scheduler.asleep:
                self._timer = self._loop.call_later(max(0.0, ready - now), self._begin, True)
            return
        self._under_way = step
        self._untold = step.events
        # A step that takes no time ends when it is told: then the clock alone says how fast this engine is.
        self._free_at = step.end if step.duration else now
        delay = step.end - now
        if delay > 0:
            self._timer = self._loop.call_later(delay, self._end)
        else:
            self._timer = self._loop.call_soon(self._end)

    def _end(self) -> None:
        self._timer = None
        step = self._under_way
        if step is None:
            return
        self.statistics.step(step)
        try:
            self._tell()
            for output in step.outputs:
                # Also whoever hears a token may end other jobs.
                if output.job.id not in self._gone:
                    output.job.owner.token(output)  # type: ignore[attr-defined]  # the core never looks at an owner
        finally:
            self._gone.clear()
            self._under_way = None
            if not self._closed:
                self._begin()

    def _tell(self, more: tuple[blocks.Event, ...] = ()) -> None:
        """Publish what the step under way did to the blocks, unless that was told already, and ``more``."""
        events, self._untold = self._untold + more, ()
        if events and self._publish is not None:
            self._publish(events)
