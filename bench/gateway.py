"""What a request and a streamed event cost the gateway, beside other proxies, in one run on one machine.

    python -m bench gateway [--peers smg envoy …] [--rounds 3] [--seconds 6] [--cases short stream …]

The unit is CPU time of the measured process, user and system, divided by what it did: it is steadier than throughput, and ratios
within one run say more than any figure alone. Systems take turns, round by round; the table shows the median of the rounds.

The gateway runs as users run it, with strategy ``prefix-cache``, scrapes, usage accounting, metrics and decision records on; the peers
as ``peers`` says. What cannot be installed or started is left out and says why. Needs wrk and nginx.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from bench import cores, page, peers, record, systems

ENDPOINTS = 8
RATE = 500.0
STREAM = (100, 0.02)
"""Events, and seconds between two."""
PLAIN = "prefix-cache"
ALL = "prefix-cache:2,least-request:1,least-kv-cache:1,least-latency:1,least-tokens:1"
"""Scorers over every kind of input."""


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One kind of load, of ``connections`` that ``script`` drives; "" is a fixed ``rate``, and 0 none at all.

    ``unit``: what CPU time is divided by.
    """

    key: str
    name: str
    script: str
    connections: int
    unit: str = "request"
    stream: bool = False
    endpoints: int = ENDPOINTS
    strategy: str = PLAIN
    rate: float = 0.0


CASES = (
    Case("short", "1 KB prompt, 32 connections", "short.lua", 32),
    Case("long", "400 KB prompt, each a new one, 4 connections", "long.lua", 4),
    Case("one", "1 KB prompt, 1 connection", "short.lua", 1),
    Case("stream", "streams, 200 at once, an event every 20 ms each", "stream.lua", 200, "event", stream=True),
    Case("rate", f"{RATE:g} requests/s, 100 endpoints, all scorers", "", 0, endpoints=100, strategy=ALL, rate=RATE),
    Case("idle", "no requests, 100 endpoints read once a second", "", 0, "second", endpoints=100, strategy=ALL),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One round: microseconds of CPU per unit (None without a proxy), units per second, latencies in ms, MB resident."""

    cpu: float | None
    rate: float
    p50: float
    p99: float
    resident: float
    errors: int


def drive(case: Case, system: systems.System, engine: int, seconds: float) -> Sample:
    """One round of ``case`` against ``system``."""
    before = int(systems.ask(engine, "/sent")) if case.stream else 0
    spent = systems.cpu_seconds(system.process) if system.process else 0.0
    with cores.on(cores.others()), cores.first() if case.rate else contextlib.nullcontext():
        found = _wrk(case, system.port, seconds) if case.script else _paced(case, system.port, seconds)
    units = int(systems.ask(engine, "/sent")) - before if case.stream else int(found["requests"])
    cpu = (systems.cpu_seconds(system.process) - spent) * 1e6 / max(1, units) if system.process else None
    resident = systems.resident(system.process) if system.process else 0.0
    return Sample(cpu, units / found["duration"], found["p50"], found["p99"], resident, int(found["errors"]))


def _wrk(case: Case, port: int, seconds: float) -> dict[str, float]:
    threads = (
        "-t1",
        f"-c{case.connections}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        "-s",
        str(systems.LOAD / case.script),
    )
    out = subprocess.run(
        ["wrk", *threads, f"http://127.0.0.1:{port}"], check=True, capture_output=True, text=True
    ).stdout
    found = json.loads(out.splitlines()[-1])
    scaled = {"duration": found["duration"] / 1e6, "p50": found["p50"] / 1000, "p99": found["p99"] / 1000}
    return {**found, **scaled}


def _paced(case: Case, port: int, seconds: float) -> dict[str, float]:
    if not case.rate:
        time.sleep(seconds)
        return {"duration": seconds, "requests": seconds, "p50": 0.0, "p99": 0.0, "errors": 0}
    command = [sys.executable, "-m", "bench.gateway_rate", str(port), str(case.rate), str(seconds)]
    out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=systems.ROOT.parent).stdout
    return {**json.loads(out), "duration": float(seconds)}


Samples = dict[str, list[Sample]]


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """Samples by case and system, and why systems were left out."""

    cases: dict[str, Samples]
    left_out: dict[str, str]


def measure(names: Sequence[str], cases: Sequence[Case], rounds: int, seconds: float) -> Measured:
    """Cases of equal surroundings share their processes."""
    done = Measured({}, {})
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="brickyard-bench-") as name,
        systems.engines(pathlib.Path(name), *STREAM) as (quick, slow),
    ):
        for stream, endpoints, strategy in dict.fromkeys(
            (each.stream, each.endpoints, each.strategy) for each in cases
        ):
            target = slow if stream else quick
            fleet = systems.Fleet(target, endpoints, strategy, stream)
            with systems.systems(names, fleet, pathlib.Path(name)) as (made, failed):
                done.left_out.update(failed)
                for case in cases:
                    if (case.stream, case.endpoints, case.strategy) == (stream, endpoints, strategy):
                        console.print(f"[dim]{case.name}: {', '.join(each.name for each in made)}[/dim]")
                        done.cases[case.key] = _rounds(case, made, target, rounds, seconds)
    return done


def _rounds(case: Case, made: list[systems.System], engine: int, rounds: int, seconds: float) -> Samples:
    samples: Samples = {system.name: [] for system in made}
    for system in made:
        drive(case, system, engine, 1)  # warm: connections, caches, lazily imported modules
    for turn in range(rounds):
        for system in made if turn % 2 == 0 else made[::-1]:
            samples[system.name].append(drive(case, system, engine, seconds))
    return samples


def median(samples: Sequence[Sample]) -> Sample:
    """Field by field; errors are summed, memory is the most."""
    cpus = [sample.cpu for sample in samples if sample.cpu is not None]
    return Sample(
        statistics.median(cpus) if cpus else None,
        statistics.median(sample.rate for sample in samples),
        statistics.median(sample.p50 for sample in samples),
        statistics.median(sample.p99 for sample in samples),
        max(sample.resident for sample in samples),
        sum(sample.errors for sample in samples),
    )


def heads(case: Case) -> tuple[str, ...]:
    """Of the table's columns."""
    added = ("added p50 ms", "added p99 ms") if case.rate else ()
    return (
        "system",
        f"CPU µs/{case.unit}",
        "ours ÷ it",
        f"{case.unit}s/s",
        "p50 ms",
        "p99 ms",
        *added,
        "RSS MB",
        "errors",
    )


def rows(case: Case, found: Mapping[str, Sample]) -> list[tuple[str, ...]]:
    """The table's cells. What a proxy adds is its wait less that without a proxy, and shown where all are driven alike: at a fixed rate."""
    ours, direct = found[systems.OURS].cpu or 0.0, found[systems.DIRECT]
    drawn = []
    for name, row in found.items():
        added = (f"{row.p50 - direct.p50:.2f}", f"{row.p99 - direct.p99:.2f}") if case.rate else ()
        cpu = (f"{row.cpu:.1f}", f"{ours / row.cpu:.2f}") if row.cpu else ("", "")
        size = f"{row.resident:.0f}" if row.resident else ""
        drawn.append(
            (name, *cpu, f"{row.rate:.0f}", f"{row.p50:.2f}", f"{row.p99:.2f}", *added, size, str(row.errors or ""))
        )
    return drawn


def table(case: Case, found: Mapping[str, Sample]) -> Table:
    """One case, for the terminal."""
    drawn = Table(title=case.name, title_justify="left")
    for at, head in enumerate(heads(case)):
        drawn.add_column(head, justify="left" if at == 0 else "right", no_wrap=True)
    for row in rows(case, found):
        drawn.add_row(*row, style="bold" if row[0] == systems.OURS else "")
    return drawn


def section(case: Case, found: Mapping[str, Sample]) -> tuple[str, list[str]]:
    """One case, for the page."""
    proxies = {name: row for name, row in found.items() if row.cpu is not None}
    cost = [
        page.Bar(name, row.cpu or math.nan, f"{row.cpu:.1f} µs", name == systems.OURS) for name, row in proxies.items()
    ]
    size = [
        page.Bar(name, row.resident, f"{row.resident:.0f} MB", name == systems.OURS) for name, row in proxies.items()
    ]
    wait = [page.Bar(name, row.p99, f"{row.p99:.2f} ms", name == systems.OURS) for name, row in found.items()]
    return case.name, [
        page.bars(f"CPU per {case.unit}", cost, logarithmic=True),
        page.bars("Memory, the most", size, logarithmic=True),
        page.bars("Latency, p99", wait, logarithmic=True),
        page.table(heads(case), rows(case, found), systems.OURS),
    ]


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench gateway", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--peers", nargs="*", default=list(peers.PEERS), choices=list(peers.PEERS))
    parser.add_argument(
        "--cases", nargs="+", default=[case.key for case in CASES], choices=[case.key for case in CASES]
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] = ()) -> None:
    """Measure, print, write ``bench/results/gateway-<date>.json`` and ``.html``."""
    given = options(arguments)
    if missing := [tool for tool in ("wrk", "nginx") if shutil.which(tool) is None]:
        sys.exit(f"{' and '.join(missing)} not found: apt-get install {' '.join(missing)}")
    absent = peers.install(given.peers)
    where = record.machine()
    cases = [case for case in CASES if case.key in given.cases]
    names = [*systems.compiled(), *(name for name in given.peers if name not in absent)]
    done = measure(names, cases, given.rounds, given.seconds)
    console = Console(width=None if sys.stdout.isatty() else 130)
    medians = {case: {name: median(samples) for name, samples in rows.items()} for case, rows in done.cases.items()}
    for case in cases:
        console.print(table(case, medians[case.key]))
    left_out = [f"{name} {why}" for name, why in {**absent, **done.left_out}.items()]
    for line in (*left_out, record.told(where)):
        console.print(f"[dim]{line}[/dim]")
    document = {
        "machine": where,
        "rounds": given.rounds,
        "seconds": given.seconds,
        "left_out": {**absent, **done.left_out},
        "cases": {
            key: {name: [dataclasses.asdict(sample) for sample in samples] for name, samples in found.items()}
            for key, found in done.cases.items()
        },
    }
    sections = [section(case, medians[case.key]) for case in cases]
    if left_out:
        sections.append(("Left out", [page.note(line) for line in left_out]))
    for path in record.write(
        "gateway", document, page.document("The gateway beside other proxies", sections, record.told(where))
    ):
        console.print(f"[dim]{path}[/dim]")


if __name__ == "__main__":
    main(sys.argv[1:])
