"""What reading the metrics of a large fleet costs the controllers: seconds for a pass, and CPU for each page.

    .venv/bin/python -m bench autoscaler-sources

Autoscalers of 20 pods each ask all at once for ``num_requests_waiting``; each pod has a page of a busy vLLM (50 kB) that changes every
time, on loopback, from a process of its own. Three fleets: one whose servers close connections between two passes, as vLLM's does after
5 s; one whose servers keep them; one whose pages say the same as before. CPU is the reader's alone. The aim: 10 000 pods within 5 s and,
every 10 s, with all that is decided from them, within a quarter of a core.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

import uvloop
from rich.console import Console
from rich.table import Table

from bench import podpages
from brickyard.api.kinds import resources
from brickyard.assembly import engines
from brickyard.controllers.podautoscaler.sources import contract, settings, sources, testing
from brickyard.kube.client import testing as kube
from brickyard.lib import clock, garbage
from brickyard.scaling import contract as scaling

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
        podpages.served(podpages.Fleet(case.listeners, case.changing)) as ports,
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
        title=f"Pages of {podpages.PAGE.stat().st_size // 1000} kB, best of {PASSES - 1} passes; of a core: 10 000 pods every {PERIOD:g} s"
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
