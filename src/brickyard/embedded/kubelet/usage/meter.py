"""Measures what every container and the machine use, every quarter of a minute and when somebody asks."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence

import psutil

from brickyard.api.kinds import usage
from brickyard.embedded.kubelet.usage import series, survey

EVERY = 15.0
FRESH = 5.0
"""Seconds for which a reading is answer enough to a question."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """A container that runs: whose it is, its cookie, when it started (Unix seconds), its memory limit in bytes (0: none)."""

    namespace: str
    pod: str
    uid: str
    container: str
    mark: str
    born: float
    memory_limit: int = 0

    @property
    def attempt(self) -> int:
        """The run's number, as its cookie has it."""
        return int(self.mark.rpartition("/")[2])


Runs = Callable[[], Sequence[Run]]


@dataclasses.dataclass(frozen=True, slots=True)
class _Reading:
    machine: series.Reading
    containers: Mapping[str, series.Reading]


class Meter:
    """Fills ``usage.Usages``. ``runs`` tells what runs now; ``now`` gives Unix seconds that never go back."""

    def __init__(self, node: str, runs: Runs, now: Callable[[], float]) -> None:
        self._node = node
        self._runs = runs
        self._now = now
        self._survey = survey.Survey()
        self._machine = series.Series()
        self._containers: dict[str, series.Series] = {}
        self._reading = asyncio.Lock()

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            await self._read()
            await asyncio.sleep(EVERY)

    async def pods(self) -> Sequence[usage.PodUsage]:
        await self._refresh()
        pods: dict[str, list[Run]] = {}
        for run in self._runs():
            pods.setdefault(run.uid, []).append(run)
        found = (self._of_pod(runs) for runs in pods.values())
        return [each for each in found if each is not None]

    async def nodes(self) -> Sequence[usage.NodeUsage]:
        await self._refresh()
        found = self._machine.measured()
        return [] if found is None else [usage.NodeUsage(self._node, found.at, found.window, found.amount)]

    def _of_pod(self, runs: Sequence[Run]) -> usage.PodUsage | None:
        """A pod's usage; None until every container that runs has been measured: a part would pass for the whole."""
        found = {run.container: self._of_container(run) for run in runs}
        known = {name: each for name, each in found.items() if each is not None}
        if len(known) < len(found):
            return None
        at, window = min(each.at for each in known.values()), max(each.window for each in known.values())
        first = runs[0]
        amounts = {name: each.amount for name, each in known.items()}
        return usage.PodUsage(first.namespace, first.pod, first.uid, at, window, amounts)

    def _of_container(self, run: Run) -> series.Measured | None:
        held = self._containers.get(run.mark)
        return None if held is None else held.measured()

    async def _refresh(self) -> None:
        newest = self._machine.newest
        if newest is None or self._now() - newest >= FRESH:
            await self._read(FRESH)

    async def _read(self, fresh: float = 0.0) -> None:
        """Take one reading, unless another has just been taken while this one waited for its turn."""
        async with self._reading:
            newest = self._machine.newest
            if newest is not None and self._now() - newest < fresh:
                return
            runs = {run.mark: run for run in self._runs()}
            found = await asyncio.to_thread(self._take, frozenset(runs))
            self._machine.add(found.machine)
            # Of those that ended meanwhile nobody asks again.
            self._containers = {
                mark: self._containers.get(mark) or series.Series(run.born) for mark, run in runs.items()
            }
            for mark, reading in found.containers.items():
                self._containers[mark].add(reading)

    def _take(self, marks: frozenset[str]) -> _Reading:
        families = self._survey.take() if marks else {}
        at = self._now()
        readings = {
            mark: series.Reading(at, each.cpu, each.resident()) for mark, each in families.items() if mark in marks
        }
        return _Reading(_machine(at), readings)


def _machine(at: float) -> series.Reading:
    times, memory = psutil.cpu_times(), psutil.virtual_memory()
    # Time of guests is in user time already; what waits for a disk is idle.
    busy = sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
    return series.Reading(at, busy, memory.total - memory.available)
