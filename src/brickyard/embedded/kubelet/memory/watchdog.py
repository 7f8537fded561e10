"""Kills containers that use more memory than their manifest allows.

Counted is what the kernel could not take back: anonymous and shared memory of all processes, each page once. Mapped files, such as a
model's weights, are not, as they are no cause of death in a cgroup either. An address space limit (RLIMIT_AS) would not do: engines
reserve address space by the terabyte and use little of it.

The watchdog looks more often the nearer the nearest container comes to its limit:

    nearest container      next look after
    below half             2 s
    below nine tenths      0.5 s
    above                  0.1 s

What grows by more than that in between is over its limit for so long, and no longer.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brickyard.embedded.kubelet.usage import meter, survey
from brickyard.kube.objects import quantities

PACES = ((0.5, 2.0), (0.9, 0.5))
"""Share of the limit → seconds until the next look, for what is below."""
CLOSE = 0.1
IDLE = 2.0

Tell = Callable[[meter.Run, str], None]
"""Called with a container that is over its limit, and how much that is."""


@dataclasses.dataclass(frozen=True, slots=True)
class Excess:
    """A container over its limit; both in bytes."""

    run: meter.Run
    used: int

    @property
    def message(self) -> str:
        """For people."""
        mebi = 1024 * 1024
        return f"it used {self.used / mebi:.0f} MiB of memory, its limit is {self.run.memory_limit / mebi:.0f} MiB"


def limit(container: Mapping[str, Any]) -> int:
    """A container's memory limit in bytes; 0 where it has none."""
    text = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    return 0 if text is None else int(quantities.parse(text))


def excesses(runs: Sequence[meter.Run], used: Mapping[str, int]) -> list[Excess]:
    """Who is over, by what each (by mark) uses. Pure."""
    return [Excess(run, used[run.mark]) for run in runs if used.get(run.mark, 0) > run.memory_limit > 0]


def pause(runs: Sequence[meter.Run], used: Mapping[str, int]) -> float:
    """Seconds until the next look. Pure."""
    nearest = max((used.get(run.mark, 0) / run.memory_limit for run in runs if run.memory_limit), default=0.0)
    return next((seconds for share, seconds in PACES if nearest < share), CLOSE)


class Watchdog:
    """Looks at every container with a limit, and tells of those that are over it, once per look."""

    def __init__(self, runs: meter.Runs, tell: Tell) -> None:
        self._runs = runs
        self._tell = tell
        self._survey = survey.Survey()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            wait = await self.look()
            await asyncio.sleep(wait)

    async def look(self) -> float:
        """Look once; seconds until the next look."""
        runs = [run for run in self._runs() if run.memory_limit]
        if not runs:
            return IDLE
        used = await asyncio.to_thread(self._used, runs)
        for each in excesses(runs, used):
            self._tell(each.run, each.message)
        return pause(runs, used)

    def _used(self, runs: Sequence[meter.Run]) -> dict[str, int]:
        families = self._survey.take()
        return {run.mark: families[run.mark].unreclaimable(run.memory_limit) for run in runs if run.mark in families}
