"""The whole controller before pages that lie, break off or are not there: what cannot be read takes nothing away.

Real sources over real sockets, in real time: every workload of the table at once, three pods each, with windows of seconds. What all
but the first three rows have in common is that an autoscaler which took them for 0 would go down to 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from typing import Any

import pytest

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.assembly import engines
from brickyard.controllers import settings
from brickyard.controllers.podautoscaler import testing
from brickyard.controllers.podautoscaler.sources import settings as source_settings
from brickyard.controllers.podautoscaler.sources import sources
from brickyard.controllers.podautoscaler.sources import testing as served
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import conditions

pytestmark = pytest.mark.slow

PODS = 3
PERIOD = 1.0
WATCHED = 9.0
"""Seconds: several times the windows below."""
WINDOW = 3
WAITING, KV, COUNTER = "num_requests_waiting", "gpu_cache_usage_perc", "requests_done_total"


@dataclasses.dataclass(frozen=True)
class Row:
    """A workload of three pods.

    Attributes:
        name: of everything in it.
        pages: of each pod; None: nobody listens there. ``{count}`` becomes a number that grows by 20 in a second.
        said: must stand in the message of ScalingActive; "" for a decision.
        least: replicas that there are at least when all is over.
        most: and at most.
        metric: and its target.
    """

    name: str
    pages: tuple[bytes | None, bytes | None, bytes | None]
    said: str
    least: int = PODS
    most: int = PODS
    metric: tuple[str, str] = (WAITING, "10")


def waiting(value: str) -> bytes:
    return f"# TYPE vllm:num_requests_waiting gauge\nvllm:num_requests_waiting {value}\n".encode()


def alike(page: bytes | None) -> tuple[bytes | None, bytes | None, bytes | None]:
    return (page, page, page)


QUIET, BUSY = waiting("0"), waiting("30")
KV_PAGE = b"# TYPE vllm:kv_cache_usage_perc gauge\nvllm:kv_cache_usage_perc 0.9\n"
COUNTER_PAGE = b"# TYPE requests_done_total counter\nrequests_done_total {count}\n"
RESET_PAGE = b"# TYPE requests_done_total counter\nrequests_done_total {reset}\n"

ROWS = [
    Row("quiet", alike(QUIET), "", least=1, most=1),
    Row("busy", alike(BUSY), "", least=9, most=9),
    Row("shares", alike(KV_PAGE), "", least=6, most=6, metric=(KV, "50")),
    Row("missing", alike(b"# TYPE up gauge\nup 1\n"), WAITING),
    Row("empty", alike(b""), WAITING),
    Row("nan", alike(waiting("NaN")), "NaN"),
    Row("infinite", alike(waiting("+Inf")), "infinite"),
    Row("negative", alike(waiting("-4")), "negative"),
    Row("garbage", alike(b"<html>please log in</html>"), WAITING),
    Row("stale", alike(b"app_queue 0 1000\n"), "s old", metric=("app_queue", "10")),
    Row("refused", alike(None), "cannot be reached"),
    Row("one-refused", (QUIET, QUIET, None), "", least=1, most=1),
    Row("two-refused", (QUIET, None, None), "", least=2, most=2),
    Row("one-busy", (BUSY, None, None), "", least=3, most=5),
    Row("counter", alike(COUNTER_PAGE), "", least=2, most=4, metric=(COUNTER, "20")),
    Row("counter-reset", alike(RESET_PAGE), "", least=2, most=4, metric=(COUNTER, "20")),
]


class Pod(served.PageServer):
    """Counts up: 20 in a second, and with ``{reset}`` from 0 again every third second."""

    def answer(self, target: str) -> tuple[bytes, bool] | None:
        now = asyncio.get_running_loop().time()
        page = self.pages["/page"]
        count, reset = f"{now * 20:.0f}".encode(), f"{now % 3 * 20:.0f}".encode()
        self.pages["/metrics"] = page.replace(b"{count}", count).replace(b"{reset}", reset)
        return super().answer(target)


def pod(row: Row, index: int, port: int) -> resources.Object:
    made = testing.pod(f"{row.name}-{index}", app=row.name)
    made["metadata"]["labels"][names.MODEL_ENGINE] = "vllm"
    made["spec"]["containers"][0]["ports"] = [{"name": "metrics", "containerPort": port}]
    return made


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def scaler(row: Row) -> resources.Object:
    metric, value = row.metric
    return testing.autoscaler(
        row.name,
        annotations={"scale-down-cooldown-window": "0s", "max-scale-up-rate": "10", "max-scale-down-rate": "10"},
        scaleTargetRef=testing.target(row.name),
        observeWindowSeconds=WINDOW,
        panicWindowSeconds=WINDOW,
        metricsSources=[testing.source(value, metric, port="metrics")],
    )


async def begin(row: Row, client: clients.MemoryClient, stack: contextlib.AsyncExitStack) -> None:
    client.seed(resources.DEPLOYMENT, testing.deployment(row.name, replicas=PODS))
    client.seed(resources.POD_AUTOSCALER, scaler(row))
    for index, page in enumerate(row.pages):
        port = unused_port()
        if page is not None:
            port = (await stack.enter_async_context(Pod({"/page": page}).serving())).port
        client.seed(resources.POD, pod(row, index, port))


async def test_what_cannot_be_read_takes_nothing_away() -> None:
    client = clients.MemoryClient(testing.LoopClock())
    clock = testing.LoopClock()
    chosen = source_settings.Settings(fresh=0.1, page_timeout=1.0, deadline=2.0)
    async with contextlib.AsyncExitStack() as stack:
        for row in ROWS:
            await begin(row, client, stack)
        reading = await stack.enter_async_context(sources.Sources(client, engines.engines(), clock, chosen))
        given = settings.ControllersSettings(autoscaler_period=PERIOD)
        it = await stack.enter_async_context(testing.running(client, given=given, clock=clock, source=reading))
        await asyncio.sleep(WATCHED)
        with contextlib.suppress(TimeoutError):
            # A busy machine measures late; who has gone down for no reason stays down.
            await it.until(lambda: not wrong(it), 30)
        assert wrong(it) == []


def wrong(it: testing.World) -> list[str]:
    return [text for row in ROWS if (text := judged(it, row))]


def judged(it: testing.World, row: Row) -> str:
    """What is wrong with the outcome of ``row``; "" for nothing."""
    size = it.replicas(row.name)
    told = conditions.find(it.status(row.name)["conditions"], "ScalingActive")
    message: Any = told and f"{told['reason']} {told['message']}"
    if not row.least <= size <= row.most:
        return f"{row.name}: {size} replicas, {message}"
    if row.said and not (message.startswith("FailedComputeScale ") and row.said in message):
        return f"{row.name}: {message}"
    return "" if row.said or "FailedComputeScale" not in message else f"{row.name}: {message}"
