"""What a request and a streamed event cost the gateway, beside other routers, in one run on one machine.

    python -m bench.gateway [--peers smg …] [--rounds 3] [--seconds 6]

The unit is CPU time of the measured process, user and system, divided by what it did: it is steadier than throughput, and ratios
within one run say more than any figure alone. Systems take turns, round by round; the table shows the median of the rounds.
Needs wrk and nginx.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import json
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence

import psutil
from bench import peers
from rich.console import Console
from rich.table import Table

ROOT = pathlib.Path(__file__).parent
LOAD = ROOT / "gateway_load"
ENDPOINTS = 8
OURS, FLOOR, DIRECT = "brickyard", "bare proxy", "no proxy"


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One kind of load. ``unit``: what CPU time is divided by. ``stream``: the engine streams."""

    name: str
    script: str
    connections: int
    unit: str
    stream: bool = False


CASES = (
    Case("1 KB prompt, 32 connections", "short.lua", 32, "request"),
    Case("streams, 200 at once, an event every 20 ms each", "stream.lua", 200, "event", stream=True),
    Case("400 KB prompt, 4 connections", "long.lua", 4, "request"),
    Case("1 KB prompt, 1 connection", "short.lua", 1, "request"),
)
STREAM = ("100", "0.02")


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One round: microseconds of CPU per unit (None without a proxy), requests per second, latencies in ms, MB resident."""

    cpu: float | None
    rate: float
    p50: float
    p99: float
    resident: float
    errors: int


@dataclasses.dataclass(frozen=True, slots=True)
class System:
    """Something that listens; ``process`` is what is measured."""

    name: str
    port: int
    process: psutil.Process | None


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str, body: bytes | None = None) -> bytes:
    """One request, without proxies of the environment."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"content-type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return bytes(answer.read())


def wait_until_up(port: int, path: str, body: bytes | None = None, limit: float = 30.0) -> None:
    """Until ``path`` answers 200.

    Raises:
        TimeoutError: it did not.
    """
    end = time.monotonic() + limit
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            ask(port, path, body)
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing answers on port {port} within {limit:g} s")


@contextlib.contextmanager
def running(command: Sequence[str], folder: pathlib.Path) -> Iterator[psutil.Process]:
    """A process for the time of the block; what it prints goes to a file in ``folder``."""
    with (folder / f"{time.monotonic_ns()}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT.parent)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process and its children."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
    return total


def resident(process: psutil.Process) -> float:
    """Megabytes of a process and its children."""
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e6


def drive(case: Case, system: System, engine: int, seconds: float) -> Sample:
    """One round of ``case`` against ``system``."""
    before = int(ask(engine, "/sent")) if case.stream else 0
    spent = cpu_seconds(system.process) if system.process else 0.0
    threads = ("-t1", f"-c{case.connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(LOAD / case.script))
    out = subprocess.run(
        ["wrk", *threads, f"http://127.0.0.1:{system.port}"], check=True, capture_output=True, text=True
    ).stdout
    found = json.loads(out.splitlines()[-1])
    units = int(ask(engine, "/sent")) - before if case.stream else found["requests"]
    cpu = (cpu_seconds(system.process) - spent) * 1e6 / max(1, units) if system.process else None
    return Sample(
        cpu,
        units * 1e6 / found["duration"],
        found["p50"] / 1000,
        found["p99"] / 1000,
        resident(system.process) if system.process else 0.0,
        found["errors"],
    )


@contextlib.contextmanager
def engines(folder: pathlib.Path) -> Iterator[tuple[int, int]]:
    """The ports of an engine that answers at once and of one that streams."""
    quick, slow = free_port(), free_port()
    text = (LOAD / "nginx.conf").read_text().replace("PORT", str(quick)).replace("FOLDER", str(folder))
    (folder / "nginx.conf").write_text(text)
    nginx = ["nginx", "-e", str(folder / "nginx.log"), "-c", str(folder / "nginx.conf")]
    with running(nginx, folder), running([sys.executable, "-m", "bench.gateway_sse", str(slow), *STREAM], folder):
        wait_until_up(quick, "/health")
        wait_until_up(slow, "/sent")
        yield quick, slow


@contextlib.contextmanager
def systems(names: Sequence[str], target: int, folder: pathlib.Path) -> Iterator[list[System]]:
    """Everything that is compared, in front of the engine on port ``target``."""
    made = [System(DIRECT, target, None)]
    with contextlib.ExitStack() as stack:
        for name in (FLOOR, OURS, *names):
            port = free_port()
            made.append(System(name, port, stack.enter_context(running(_command(name, port, target), folder))))
        for system in made:
            wait_until_up(system.port, "/v1/chat/completions", _PROBE)
        yield made


def _command(name: str, port: int, target: int) -> list[str]:
    if name == FLOOR:
        return [sys.executable, "-m", "bench.gateway_bare", str(port), str(target)]
    if name == OURS:
        return [sys.executable, "-m", "bench.gateway_process", str(port), str(target), str(ENDPOINTS)]
    return peers.PEERS[name].command(port, target, free_port())


_PROBE = b'{"model":"tiny","messages":[{"role":"user","content":"hello"}]}'


def measure(names: Sequence[str], rounds: int, seconds: float) -> dict[str, dict[str, list[Sample]]]:
    """Samples by case and system."""
    results: dict[str, dict[str, list[Sample]]] = {}
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="brickyard-bench-") as name:
        folder = pathlib.Path(name)
        with engines(folder) as (quick, slow):
            for streaming, target in ((False, quick), (True, slow)):
                with systems(names, target, folder) as made:
                    for case in (each for each in CASES if each.stream is streaming):
                        console.print(f"[dim]{case.name}[/dim]")
                        results[case.name] = _rounds(case, made, target, rounds, seconds)
    return results


def _rounds(case: Case, made: list[System], engine: int, rounds: int, seconds: float) -> dict[str, list[Sample]]:
    samples: dict[str, list[Sample]] = {system.name: [] for system in made}
    for system in made:
        drive(case, system, engine, 1)  # warm: connections, caches, lazily imported modules
    for turn in range(rounds):
        for system in made if turn % 2 == 0 else made[::-1]:
            samples[system.name].append(drive(case, system, engine, seconds))
    return samples


def median(samples: Sequence[Sample]) -> Sample:
    """Field by field; errors are summed."""
    cpus = [sample.cpu for sample in samples if sample.cpu is not None]
    return Sample(
        statistics.median(cpus) if cpus else None,
        statistics.median(sample.rate for sample in samples),
        statistics.median(sample.p50 for sample in samples),
        statistics.median(sample.p99 for sample in samples),
        max(sample.resident for sample in samples),
        sum(sample.errors for sample in samples),
    )


def table(case: Case, rows: Mapping[str, Sample]) -> Table:
    """One case, for people."""
    ours = rows[OURS].cpu or 0.0
    drawn = Table(title=case.name, title_justify="left")
    heads = ("system", f"CPU µs/{case.unit}", "ours ÷ it", f"{case.unit}s/s", "p50 ms", "p99 ms", "RSS MB", "errors")
    for at, head in enumerate(heads):
        drawn.add_column(head, justify="left" if at == 0 else "right", no_wrap=True)
    for name, row in rows.items():
        cpu = f"{row.cpu:.1f}" if row.cpu is not None else ""
        ratio = f"{ours / row.cpu:.2f}" if row.cpu else ""
        size = f"{row.resident:.0f}" if row.resident else ""
        figures = (cpu, ratio, f"{row.rate:.0f}", f"{row.p50:.2f}", f"{row.p99:.2f}", size, str(row.errors or ""))
        drawn.add_row(name, *figures, style="bold" if name == OURS else "")
    return drawn


def machine() -> dict[str, object]:
    """Where it was measured. Which interpreter matters: one built without profile-guided optimisation is a fifth slower."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model,
        "cores": psutil.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "interpreter": str(pathlib.Path(sys.executable).resolve()),
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "load_before": psutil.getloadavg()[0],
    }


def main(arguments: Sequence[str] = ()) -> None:
    """Measure, print, write ``bench/results/gateway-<date>.json``."""
    options = argparse.ArgumentParser(prog="python -m bench.gateway", description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--peers", nargs="*", default=["smg"], choices=list(peers.PEERS))
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=int, default=6)
    given = options.parse_args(arguments)
    missing = [tool for tool in ("wrk", "nginx") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"{' and '.join(missing)} not found: apt-get install {' '.join(missing)}")
    peers.install(given.peers)
    where = machine()
    results = measure(given.peers, given.rounds, given.seconds)
    console = Console(width=None if sys.stdout.isatty() else 110)
    for case in CASES:
        console.print(table(case, {name: median(samples) for name, samples in results[case.name].items()}))
    console.print(
        f"[dim]{where['cores']} cores, {where['cpu']}, Python {where['python']}"
        f" ({where['interpreter']}), {where['when']}[/dim]"
    )
    folder = ROOT / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"gateway-{str(where['when'])[:19].replace(':', '')}.json"
    document = {
        "machine": where,
        "rounds": given.rounds,
        "seconds": given.seconds,
        "cases": {
            case: {name: [dataclasses.asdict(sample) for sample in samples] for name, samples in rows.items()}
            for case, rows in results.items()
        },
    }
    path.write_text(json.dumps(document, indent=1))
    console.print(f"[dim]{path}[/dim]")


if __name__ == "__main__":
    main(sys.argv[1:])
