"""What reading the metrics of a large fleet costs the controllers: seconds for a pass, and CPU for each page.

    .venv/bin/python -m bench autoscaler-sources

Autoscalers of 20 pods each ask all at once for ``num_requests_waiting``; each pod has a page of a busy vLLM (50 kB) that changes every
time, on loopback, from a process of its own. Three fleets: one whose servers close connections between two passes, as vLLM's does after
5 s; one whose servers keep them; one whose pages say the same as before. CPU is the reader's alone. The aim: 10 000 pods within 5 s and,
every 10 s, with all that is decided from them, within a quarter of a core.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import pathlib
import sys
import time
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, cast

import uvloop
from rich.console import Console
from rich.table import Table

from brickyard.api.kinds import resources
from brickyard.assembly import engines
from brickyard.controllers.podautoscaler.sources import contract, settings, sources, testing
from brickyard.kube.client import testing as kube
from brickyard.lib import clock, garbage
from brickyard.scaling import contract as scaling

PAGE = pathlib.Path(__file__).parents[1] / "tests" / "engines" / "data" / "vllm-0.32-busy.txt"
PASSES = 5
FLEET = 20
"""Pods of an autoscaler."""
PERIOD = 10.0
READY = scaling.Health.READY


class Case(NamedTuple):
    """A fleet. With fewer listeners than pods, connections are not kept: one is, to each listener."""

    title: str
    pods: int
    listeners: int
    changing: bool


CASES = (
    Case("connections closed in between", 10_000, 64, True),
    Case("connections kept", 2_000, 2_000, True),
    Case("connections kept, pages unchanged", 2_000, 2_000, False),
)


class Pass(NamedTuple):
    """One pass over all autoscalers."""

    seconds: float
    cpu: float
    read: int


# The pods' side, in a process of its own.


class _Server(asyncio.Protocol):
    def __init__(self, page: bytes, numbers: itertools.count[int] | None) -> None:
        self._page = page
        self._numbers = numbers

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        tail = b"passes_total %d\n" % (0 if self._numbers is None else next(self._numbers))
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(self._page) + len(tail))
        self._transport.write(head + self._page + tail)


async def _serve(listeners: int, changing: bool) -> None:
    loop, page, numbers = asyncio.get_running_loop(), PAGE.read_bytes(), itertools.count() if changing else None
    servers = [
        await loop.create_server(lambda: _Server(page, numbers), "127.0.0.1", 0, backlog=1024) for _ in range(listeners)
    ]
    print(*(each.sockets[0].getsockname()[1] for each in servers), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever measures has gone


@contextlib.asynccontextmanager
async def _served(case: Case) -> AsyncIterator[Sequence[int]]:
    words = (sys.executable, "-m", "bench.autoscaler_sources", str(case.listeners), str(int(case.changing)))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, limit=2**20)
    try:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("a process without pipes")
        yield [int(word) for word in (await process.stdout.readline()).split()]
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 10)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


# The controllers' side.


def _pod(number: int, port: int) -> resources.Object:
    made = testing.pod(f"pod-{number}")
    made["spec"]["containers"][0]["ports"][0]["containerPort"] = port
    return made


def _fleet(case: Case, ports: Sequence[int]) -> list[contract.Wanted]:
    source = {
        "metricSourceType": "pod",
        "protocolType": "http",
        "port": "metrics",
        "path": "/metrics",
        "targetMetric": "num_requests_waiting",
    }
    pods = [_pod(number, ports[number % len(ports)]) for number in range(case.pods)]
    return [testing.wanted(source, *pods[first : first + FLEET]) for first in range(0, case.pods, FLEET)]


async def _measure(case: Case) -> list[Pass]:
    chosen = settings.Settings(page_timeout=10.0, deadline=15.0, fresh=0.0)
    passes = []
    async with (
        _served(case) as ports,
        sources.Sources(kube.MemoryClient(), engines.engines(), clock.SystemClock(), chosen) as source,
    ):
        fleet = _fleet(case, ports)
        garbage.settle()
        for _ in range(PASSES):
            begin, cpu = time.perf_counter(), time.process_time()
            seen = await asyncio.gather(*(source.observe(each, time.time()) for each in fleet))
            read = sum(pod.health is READY for each in seen for pod in each.pods)
            passes.append(Pass(time.perf_counter() - begin, time.process_time() - cpu, read))
    return passes[1:]  # the first one opens every connection there is


def main() -> None:
    """Every fleet, and its best pass."""
    table = Table(
        title=f"Pages of {PAGE.stat().st_size // 1000} kB, best of {PASSES - 1} passes; of a core: 10 000 pods every {PERIOD:g} s"
    )
    for heading in ("fleet", "pods", "read", "pass, s", "µs a page", "of a core"):
        table.add_column(heading, justify="left" if heading == "fleet" else "right")
    for case in CASES:
        passes = uvloop.run(_measure(case))
        cost = min(each.cpu for each in passes) / case.pods
        table.add_row(
            case.title,
            str(case.pods),
            str(min(each.read for each in passes)),
            f"{min(each.seconds for each in passes):.2f}",
            f"{cost * 1e6:.0f}",
            f"{cost * 10_000 / PERIOD:.0%}",
        )
    Console().print(table)


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), sys.argv[2] == "1"))
