"""What the API server does in a second, and what it costs: writes, a list of 10 000 pods through kubectl, watches, memory, start.

    python -m bench.apiserver [--pods 10000] [--seconds 4] [--watchers 100] [--rate 200]

The server is ``brickyard apiserver`` as a process of its own; its clients share the machine with it, so that rates are those of both
together. CPU is the server's own, user and system. There is no peer: neither kube-apiserver nor a server of its kind comes from a
package registry.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench import apiserver_client as clients
from bench import record, startup

ROOT = pathlib.Path(__file__).parent
BIN = pathlib.Path(sys.executable).parent
PODS = "/api/v1/namespaces/bench/pods"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/bench/leases"
MERGE = "application/merge-patch+json"


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. ``target`` as in ``≥ 500``, "" when there is none."""

    name: str
    value: float
    unit: str
    target: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if not self.target:
            return None
        sign, bound = self.target.split()
        return self.value >= float(bound) if sign == "≥" else self.value <= float(bound)


@dataclasses.dataclass(slots=True)
class Server:
    """The measured process and what it takes to speak to it."""

    folder: pathlib.Path
    port: int
    process: psutil.Popen

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss(self) -> float:
        """Resident MB."""
        return float(self.process.memory_info().rss / 1e6)

    def client(self) -> clients.Client:
        """Not connected yet."""
        return clients.Client(self.port, self.folder)


@contextlib.contextmanager
def serving(folder: pathlib.Path) -> Iterator[tuple[Server, float]]:
    """A server and the seconds until it answered."""
    port = startup.free_port()
    began = time.perf_counter()
    command = [str(BIN / "brickyard"), "apiserver", "--data-dir", str(folder), "--port", str(port)]
    process = psutil.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if "is up" not in process.stdout.readline():
            raise RuntimeError("the API server did not start")
        yield Server(folder, port, process), time.perf_counter() - began
    finally:
        process.terminate()
        process.communicate(timeout=30)


def pod(name: str) -> bytes:
    """A pod of the size that pods of models have: 1.2 KB."""
    container = {
        "name": "engine",
        "image": "vllm/vllm-openai:v0.11.0",
        "args": ["--model", "Qwen/Qwen3-8B", "--served-model-name", "qwen", "--port", "8000"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "env": [{"name": f"VARIABLE_{number}", "value": "some value of a variable"} for number in range(6)],
        "resources": {"limits": {"nvidia.com/gpu": "1"}, "requests": {"cpu": "4", "memory": "16Gi"}},
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5},
    }
    labels = {"model.aibrix.ai/name": "qwen", "model.aibrix.ai/port": "8000", "app": "qwen"}
    return json.dumps({"metadata": {"name": name, "labels": labels}, "spec": {"containers": [container]}}).encode()


Deed = Callable[[clients.Client, int], Awaitable[None]]


async def create(client: clients.Client, number: int) -> None:
    """One pod."""
    await client.call("POST", PODS, pod(f"pod-{number}"))


async def update(client: clients.Client, number: int) -> None:
    """A pod's status, as its node agent writes it."""
    status = {"status": {"phase": "Running", "podIP": f"127.0.0.{number % 250}", "reason": str(number)}}
    await client.call("PATCH", f"{PODS}/pod-{number % 500}/status", json.dumps(status).encode(), MERGE)


async def rate(
    server: Server, deed: Deed, workers: int, numbers: Iterator[int], until: Callable[[int], bool]
) -> tuple[float, float]:
    """Deeds per second of ``workers`` clients and the server's CPU µs per deed, until ``until`` (given how many there were) says so."""
    begun = 0

    async def work() -> None:
        nonlocal begun
        async with server.client() as client:
            while not until(begun):
                begun += 1
                await deed(client, next(numbers))

    began, cpu = time.perf_counter(), server.cpu()
    await asyncio.gather(*(work() for _ in range(workers)))
    return begun / (time.perf_counter() - began), (server.cpu() - cpu) / begun * 1e6


def for_seconds(seconds: float, most: int = sys.maxsize) -> Callable[[int], bool]:
    """Until that much time has passed, or so much was begun."""
    end = time.perf_counter() + seconds
    return lambda begun: begun >= most or time.perf_counter() >= end


async def writes(server: Server, seconds: float, pods: int) -> AsyncIterator[Figure]:
    """Creates and updates; afterwards there are ``pods`` pods."""
    async with server.client() as client:
        await client.call("POST", "/api/v1/namespaces", b'{"metadata": {"name": "bench"}}')
    numbers = itertools.count()
    for workers, target in ((1, ""), (16, "≥ 500")):
        found, cpu = await rate(server, create, workers, numbers, for_seconds(seconds, pods // 2))
        yield Figure(f"creates, {workers} at once", found, "/s", target)
        yield Figure(f"creates, {workers} at once: server CPU", cpu, "µs each")
    found, cpu = await rate(server, update, 16, itertools.count(), for_seconds(seconds))
    yield Figure("status updates, 16 at once", found, "/s")
    yield Figure("status updates, 16 at once: server CPU", cpu, "µs each")
    missing = pods - next(numbers)
    if missing > 0:
        await rate(server, create, 16, numbers, lambda begun: begun >= missing)


def lists(server: Server) -> Iterator[Figure]:
    """kubectl shows every pod, three times; the median counts."""
    walls, cpus = [], []
    command = [
        str(BIN / "kubectl"),
        "--kubeconfig",
        str(server.folder / "kubeconfig"),
        "--cache-dir",
        str(server.folder / "cache"),
    ]
    for _ in range(3):
        began, cpu = time.perf_counter(), server.cpu()
        shown = subprocess.run([*command, "get", "pods", "-A"], capture_output=True, check=True, timeout=120).stdout
        walls.append(time.perf_counter() - began)
        cpus.append(server.cpu() - cpu)
    count = shown.count(b"\n") - 1
    yield Figure("pods there are", count, "")
    yield Figure("kubectl get pods -A", statistics.median(walls), "s", "≤ 1.5")
    yield Figure("kubectl get pods -A: server CPU", statistics.median(cpus), "s")


class Delays:
    """Seconds that changes were old when they were read; ``complete`` is set once there are ``expected``."""

    def __init__(self, expected: int) -> None:
        self.seconds: list[float] = []
        self.complete = asyncio.Event()
        self._expected = expected

    def note(self, seconds: list[float]) -> None:
        """Add some."""
        self.seconds.extend(seconds)
        if len(self.seconds) >= self._expected:
            self.complete.set()


async def watches(server: Server, watchers: int, per_second: float, seconds: float) -> AsyncIterator[Figure]:
    """From the moment a write is sent to the moment each watcher has read the change."""
    delays = Delays(round(per_second * seconds) * watchers)
    async with contextlib.AsyncExitStack() as stack:
        writer = await stack.enter_async_context(server.client())
        await writer.call("POST", LEASES, b'{"metadata": {"name": "beat"}}')
        following = [
            asyncio.ensure_future(follow(await stack.enter_async_context(server.client()), delays))
            for _ in range(watchers)
        ]
        try:
            sent, cpu = await beat(server, per_second, seconds)
            async with asyncio.timeout(30):
                await delays.complete.wait()
        finally:
            for each in following:
                each.cancel()
            await asyncio.gather(*following, return_exceptions=True)
    ordered = sorted(delays.seconds)
    what = f"{watchers} watchers"
    yield Figure(f"{what}: changes written", sent / seconds, "/s")
    yield Figure(f"{what}: delay p50", ordered[len(ordered) // 2] * 1e3, "ms")
    yield Figure(f"{what}: delay p99", ordered[len(ordered) * 99 // 100] * 1e3, "ms", "≤ 50")
    yield Figure(f"{what}: server CPU", cpu / (sent * watchers) * 1e6, "µs per event")


async def beat(server: Server, per_second: float, seconds: float) -> tuple[int, float]:
    """Write the time ``per_second`` times a second, four writers in turn; how many writes there were, and the server's CPU seconds."""
    count = round(per_second * seconds)
    began, cpu = time.monotonic(), server.cpu()

    async def write(first: int) -> None:
        async with server.client() as client:
            for number in range(first, count, 4):
                await asyncio.sleep(max(0.0, began + number / per_second - time.monotonic()))
                body = f'{{"metadata": {{"annotations": {{"sent": "at {time.monotonic()} {number} "}}}}}}'
                await client.call("PATCH", f"{LEASES}/beat", body.encode(), MERGE)

    await asyncio.gather(*(write(first) for first in range(4)))
    return count, server.cpu() - cpu


async def follow(client: clients.Client, delays: Delays) -> None:
    """Note how old each change is when it is read."""
    async for chunk in client.stream(f"{LEASES}?watch=true&resourceVersion=0"):
        now = time.monotonic()
        delays.note([now - float(piece.split(b" ", 1)[0]) for piece in chunk.split(b'"sent":"at ')[1:]])


def measure(options: argparse.Namespace) -> list[Figure]:
    """Every figure, in one life of a server and the start of a second one."""
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with serving(folder) as (server, seconds):
            found += [Figure("start, empty", seconds, "s", "≤ 2"), Figure("memory, empty", server.rss(), "MB")]
            found += uvloop.run(_collect(writes(server, options.seconds, options.pods)))
            found += lists(server)
            found.append(Figure(f"memory, {options.pods} pods", server.rss(), "MB", "≤ 400"))
            found += uvloop.run(_collect(watches(server, options.watchers, options.rate, options.seconds)))
            found.append(Figure("memory at the end", server.rss(), "MB", "≤ 400"))
        with serving(folder) as (server, seconds):
            found += [
                Figure(f"start, {options.pods} pods", seconds, "s", "≤ 2"),
                Figure("memory after that", server.rss(), "MB"),
            ]
    return found


async def _collect(figures: AsyncIterator[Figure]) -> list[Figure]:
    return [each async for each in figures]


def table(figures: Sequence[Figure]) -> Table:
    """The figures beside their targets."""
    drawn = Table("what", "value", "", "target", "met")
    for each in figures:
        met = {None: "", True: "yes", False: "no"}[each.met]
        drawn.add_row(each.name, f"{each.value:.{0 if each.value >= 100 else 2}f}", each.unit, each.target, met)
    return drawn


def main(arguments: Sequence[str] = ()) -> None:
    """Measure, print, write ``bench/results/apiserver-<date>.json``."""
    options = argparse.ArgumentParser(prog="python -m bench.apiserver", description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--pods", type=int, default=10_000)
    options.add_argument("--seconds", type=float, default=4.0)
    options.add_argument("--watchers", type=int, default=100)
    options.add_argument("--rate", type=float, default=200.0)
    given = options.parse_args(arguments)
    where = record.machine()
    figures = measure(given)
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(table(figures))
    folder = ROOT / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"apiserver-{str(where['when'])[:19].replace(':', '')}.json"
    rows = [{**dataclasses.asdict(each), "met": each.met} for each in figures]
    path.write_text(json.dumps({"machine": where, "options": vars(given), "figures": rows}, indent=1))
    console.print(f"[dim]{where['cores']} cores, {where['cpu']}, load before {where['load_before']:.1f}; {path}[/dim]")


if __name__ == "__main__":
    main(sys.argv[1:])
