"""What keeping autoscalers costs besides reading metrics: finding pods, deciding, telling, for 500 autoscalers over 10 000 pods.

    python -m bench autoscalers

The API is a dict in this process and metrics come from dials that move every pass, so that windows, reasons and messages change; the
whole controller runs as in a cluster, in real time. Reading the pages is measured by ``bench.autoscaler_sources``; both together have
a quarter of a core at one look in ten seconds.
"""

from __future__ import annotations

import asyncio
import gc
import math
import time
from typing import NamedTuple

import uvloop
from rich.console import Console
from rich.table import Table

from brickyard.api.kinds import resources
from brickyard.controllers import settings
from brickyard.controllers.podautoscaler import testing
from brickyard.kube.client import testing as clients
from brickyard.lib import clock

AUTOSCALERS = 500
PODS = 20
PERIOD = 10.0
PERIODS = 3


class Cost(NamedTuple):
    """``first``: seconds until every autoscaler was looked at once. ``share``: of a core afterwards. ``writes``: in a second, then."""

    first: float
    share: float
    writes: float
    looks: float


class _Wall(testing.LoopClock):
    """The machine's own time."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()


def _world() -> clients.MemoryClient:
    client = clients.MemoryClient(clock.SystemClock())
    for index in range(AUTOSCALERS):
        name = f"model-{index}"
        client.seed(resources.DEPLOYMENT, testing.deployment(name, PODS))
        client.seed(resources.POD, *(testing.pod(f"{name}-{pod}", app=name, tier="engines") for pod in range(PODS)))
        client.seed(
            resources.POD_AUTOSCALER, testing.autoscaler(name, maxReplicas=PODS, scaleTargetRef=testing.target(name))
        )
    return client


async def _measure(strategy: str) -> Cost:
    client, dials = _world(), testing.Dials(each=10.0)
    for each in client.all(resources.POD_AUTOSCALER):
        patch = {"spec": {"scalingStrategy": strategy}}
        await client.patch(resources.POD_AUTOSCALER, ("default", each["metadata"]["name"]), patch)
    gc.collect()
    gc.freeze()
    begin = time.monotonic()
    async with testing.running(client, dials, settings.ControllersSettings(autoscaler_period=PERIOD), _Wall()):
        while len(dials.asked) < AUTOSCALERS:  # noqa: ASYNC110 - the dials do not tell
            await asyncio.sleep(0.01)
        first = time.monotonic() - begin
        await asyncio.sleep(PERIOD)
        cpu, writes, looks, since = time.process_time(), len(client.wrote()), len(dials.asked), time.monotonic()
        while (passed := time.monotonic() - since) < PERIODS * PERIOD:
            dials.each = 10.0 + math.sin(passed)
            await asyncio.sleep(0.5)
        share = (time.process_time() - cpu) / passed
        return Cost(first, share, (len(client.wrote()) - writes) / passed, (len(dials.asked) - looks) / passed)


def main() -> None:
    """Print the table."""
    table = Table(title=f"{AUTOSCALERS} autoscalers over {AUTOSCALERS * PODS} pods, a look every {PERIOD:g} s")
    for heading in ("strategy", "first look at all, s", "looks/s", "of a core", "writes/s"):
        table.add_column(heading, justify="left" if heading == "strategy" else "right")
    for strategy in ("KPA", "APA"):
        cost = uvloop.run(_measure(strategy))
        table.add_row(strategy, f"{cost.first:.1f}", f"{cost.looks:.0f}", f"{cost.share:.1%}", f"{cost.writes:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
