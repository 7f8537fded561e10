"""What keeping autoscalers costs: 500 of them over 10 000 pods, each looked at every ten seconds, the whole controller as in a cluster.

    python -m bench autoscalers            metrics from dials: finding pods, deciding, telling
    python -m bench autoscalers --pages    metrics from 10 000 pages over HTTP, 50 kB each: everything

The API is a dict in this process; what is measured moves every pass, so that windows, reasons and messages change. Pages come from another
process, over a connection to each pod: kept, or closed by the server in between, as vLLM's does after 5 s. Memory is what the controllers
add to this process, with two hours of history in every ring. The aim: all looked at once within 5 s, a quarter of a core afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import math
import time
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import prometheus_client
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench import podpages
from brickyard.api.kinds import resources
from brickyard.assembly import engines
from brickyard.controllers import openfiles, settings
from brickyard.controllers.podautoscaler import history, testing, wiring
from brickyard.controllers.podautoscaler.sources import contract, sources
from brickyard.kube.client import testing as clients
from brickyard.kube.reconcile import manager as managers
from brickyard.lib import clock, garbage, tasks
from brickyard.scaling import contract as scaling

AUTOSCALERS = 500
PODS = 20
PERIOD = 10.0
PERIODS = 3


class Way(NamedTuple):
    """How metrics are got. ``idle``: seconds after which servers close connections, 0 for never; None for dials."""

    title: str
    strategy: str
    idle: float | None = None


DIALS = (Way("dials, KPA", "KPA"), Way("dials, APA", "APA"))
PAGES = (Way("pages, connections kept", "KPA", 0.0), Way("pages, closed after 5 s", "KPA", 5.0))


class Cost(NamedTuple):
    """``first``: seconds until all were looked at once, ``first_cpu`` of them ours. ``share``: of a core then on. In a second, then:
    ``looks``, ``pods`` measured, ``writes``. ``memory``: MB that the controllers add."""

    first: float
    first_cpu: float
    share: float
    looks: float
    pods: float
    writes: float
    memory: float


class _Counting:
    """Fills ``contract.Source`` by asking ``source``."""

    def __init__(self, source: contract.Source) -> None:
        self._source = source
        self.looks = 0
        self.pods = 0

    async def observe(self, wanted: contract.Wanted, now: float) -> scaling.Observation:
        seen = await self._source.observe(wanted, now)
        self.looks += 1
        self.pods += sum(each.health is scaling.Health.READY for each in seen.pods)
        return seen


def _world(strategy: str, port: int) -> clients.MemoryClient:
    client = clients.MemoryClient(clock.SystemClock())
    for index in range(AUTOSCALERS):
        name = f"model-{index}"
        client.seed(resources.DEPLOYMENT, testing.deployment(name, PODS))
        pods = [testing.pod(f"{name}-{pod}", app=name, tier="engines") for pod in range(PODS)]
        for number, each in enumerate(pods, index * PODS):
            each["status"]["podIP"] = podpages.address(number)
        client.seed(resources.POD, *pods)
        own = testing.autoscaler(
            name,
            maxReplicas=PODS,
            scaleTargetRef=testing.target(name),
            scalingStrategy=strategy,
            metricsSources=[testing.source(port=str(port))],
        )
        client.seed(resources.POD_AUTOSCALER, own)
    return client


@contextlib.asynccontextmanager
async def _source(way: Way, client: clients.MemoryClient, dials: testing.Dials) -> AsyncIterator[contract.Source]:
    if way.idle is None:
        yield dials
        return
    async with sources.Sources(client, engines.engines(), clock.SystemClock()) as made:
        yield made


@contextlib.asynccontextmanager
async def _port(way: Way) -> AsyncIterator[int]:
    if way.idle is None:
        yield 8000
        return
    async with podpages.served(podpages.Fleet(everywhere=True, idle=way.idle)) as ports:
        yield ports[0]


async def _measure(way: Way) -> Cost:
    dials = testing.Dials(each=10.0)
    async with _port(way) as port:
        client = _world(way.strategy, port)
        garbage.settle()
        before = psutil.Process().memory_info().rss
        async with _source(way, client, dials) as source, tasks.Scope("bench") as scope:
            counting = _Counting(source)
            manager = managers.Manager(client, clock.SystemClock())
            means = wiring.Means(counting, prometheus_client.CollectorRegistry())
            wiring.add(manager, means, settings.ControllersSettings(autoscaler_period=PERIOD))
            begin = (time.monotonic(), time.process_time())
            scope.start(manager.run(), name="manager")
            while counting.looks < AUTOSCALERS:  # noqa: ASYNC110 - sources do not tell
                await asyncio.sleep(0.01)
            first = (time.monotonic() - begin[0], time.process_time() - begin[1])
            await asyncio.sleep(PERIOD)
            gc.freeze()
            return await _steady(client, counting, dials, first, before)


async def _steady(
    client: clients.MemoryClient, counting: _Counting, dials: testing.Dials, first: tuple[float, float], before: int
) -> Cost:
    cpu, since = time.process_time(), time.monotonic()
    counts = (counting.looks, counting.pods, len(client.wrote()))
    while (passed := time.monotonic() - since) < PERIODS * PERIOD:
        dials.each = 10.0 + math.sin(passed)
        await asyncio.sleep(0.5)
    share = (time.process_time() - cpu) / passed
    now = (counting.looks, counting.pods, len(client.wrote()))
    looks, pods, writes = ((after - count) / passed for after, count in zip(now, counts, strict=True))
    rings = _rings()
    memory = psutil.Process().memory_info().rss - before
    del rings
    return Cost(*first, share, looks, pods, writes, memory / 2**20)


def _rings() -> list[history.History]:
    """What two hours of history take more than these minutes did."""
    empty = history.Point(*[0.0] * len(history.Point._fields))
    made = [history.History() for _ in range(AUTOSCALERS)]
    for each in made:
        for _ in range(history.POINTS):
            each.add(empty)
    return made


def main(words: Sequence[str] = ()) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench autoscalers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pages", action="store_true", help="read pages over HTTP")
    ways = PAGES if parser.parse_args(words).pages else DIALS
    openfiles.allow()
    table = Table(title=f"{AUTOSCALERS} autoscalers over {AUTOSCALERS * PODS} pods, a look every {PERIOD:g} s")
    for heading in (
        "metrics",
        "first look at all, s",
        "CPU of it, s",
        "of a core",
        "looks/s",
        "pods/s",
        "writes/s",
        "memory, MB",
    ):
        table.add_column(heading, justify="left" if heading == "metrics" else "right")
    for way in ways:
        cost = uvloop.run(_measure(way))
        rates = (f"{each:.1f}" for each in (cost.looks, cost.pods, cost.writes))
        table.add_row(
            way.title, f"{cost.first:.1f}", f"{cost.first_cpu:.1f}", f"{cost.share:.1%}", *rates, f"{cost.memory:.0f}"
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
