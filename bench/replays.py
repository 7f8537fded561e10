"""What settings of autoscaling do: an hour of Azure's conversations and loads that do not change, in virtual time.

    python -m bench autoscaler --trace …/azure_llm_2023_conv.csv [--engine a10/llama-3.1-8b] [--factors 1 3] [--cold-start 120]

Three ways to scale, each by HPA's formula, KPA and APA: by arrivals and by running requests with defaults, and by running requests with
settings that are slower to change their mind. Without a trace, only the loads that do not change are replayed. Figures do not depend on
the machine, and equal arguments give equal figures.
"""

from __future__ import annotations

import argparse
import base64
import concurrent.futures
import dataclasses
import functools
import html
import multiprocessing
import os
import pathlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from bench import page, record
from brickyard.cli import curvefile, replaying
from brickyard.sim.engine.core import presets
from brickyard.sim.scaling import fleet, outcome, replay, workload

STRATEGIES: Final = ("HPA", "KPA", "APA")
WAYS: Final[Mapping[str, replaying.Ways]] = {
    "arrivals, 1/s each": replaying.Ways(metrics=("gateway_request_total=1",)),
    "running, 10 each": replaying.Ways(metrics=("num_requests_running=10",)),
    "running, 10 each, calm": replaying.Ways(
        metrics=("num_requests_running=10",), shared=("scale-up-tolerance=0.2", "scale-down-cooldown-window=15m")
    ),
}
RATES: Final = (3, 4, 5)
SETTLED: Final = 1800.0
"""Seconds of a constant load that are not counted: whoever begins finds its level first."""
HOURS: Final = 2.5


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One replay: ``load`` is a factor of the trace, or a rate where there is none."""

    way: str
    strategy: str
    trace: str
    load: float


@functools.cache
def arrivals(trace: str, load: float) -> workload.Load:
    """Read or made up once in each process."""
    if not trace:
        return workload.make(f"constant:{load:g}", workload.Shape(seconds=HOURS * 3600))
    with pathlib.Path(trace).open() as lines:
        return workload.read(lines, pathlib.Path(trace).name).times(load)


def run(case: Case, build: fleet.Build) -> outcome.Outcome:
    """Replay it."""
    ((_, scaled),) = dataclasses.replace(WAYS[case.way], strategies=(case.strategy,)).settings()
    return replay.run(arrivals(case.trace, case.load), replay.Plan(case.strategy, scaled, build))


def hourly(found: outcome.Outcome) -> float:
    """Changes per hour once it has settled."""
    last = found.start + SETTLED
    return sum(each.at > last for each in found.moves) / (HOURS - SETTLED / 3600)


HEADS: Final = ("load", "scaled by", "", "late or lost", "p99 s", "replica-hours", "changes", "oscillations")
CONSTANT: Final = ("scaled by", "", *(f"{rate}/s" for rate in RATES))


def trace_rows(found: Mapping[Case, outcome.Outcome]) -> list[tuple[str, ...]]:
    """Of the replays of the trace."""
    return [
        (
            f"×{case.load:g}",  # noqa: RUF001 - a multiplication sign
            case.way,
            case.strategy,
            f"{round(each.figures.missed * each.figures.requests)} of {each.figures.requests}",
            f"{each.figures.p99:.2f}",
            f"{each.figures.replica_hours:.1f}",
            str(each.figures.events),
            str(each.figures.oscillations),
        )
        for case, each in found.items()
        if case.trace
    ]


def constant_rows(found: Mapping[Case, outcome.Outcome]) -> list[tuple[str, ...]]:
    """Changes per hour under loads that do not change."""
    return [
        (way, strategy, *(f"{hourly(found[Case(way, strategy, '', rate)]):.1f}" for rate in RATES))
        for way in WAYS
        for strategy in STRATEGIES
    ]


def drawn(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> Table:
    """For the terminal; the first ``words`` columns are words."""
    made = Table(title=title, title_justify="left")
    for place, head in enumerate(heads):
        made.add_column(head, justify="left" if place < words else "right", no_wrap=True)
    for row in rows:
        made.add_row(*row)
    return made


def picture(title: str, found: Sequence[outcome.Outcome]) -> str:
    """As an image: several SVG elements on one page would share their names."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "replay.svg")
        curvefile.write(replaying.chart(title, found), path)
        data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(title)}" style="width:100%;background:#fff" src="data:image/svg+xml;base64,{data}">'


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench autoscaler", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trace", default="", help="requests, in a form that `brickyard autoscaler replay` reads")
    parser.add_argument("--engine", default="a10/llama-3.1-8b", help="a preset of the engine double")
    parser.add_argument("--factors", type=float, nargs="+", default=[1.0, 3.0], help="times the trace's requests")
    parser.add_argument("--cold-start", type=float, default=120.0, help="seconds")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    return parser.parse_args(arguments)


def cases(trace: str, factors: Sequence[float]) -> list[Case]:
    """All of them; the trace's first."""
    loads = [(trace, factor) for factor in factors if trace] + [("", float(rate)) for rate in RATES]
    return [Case(way, strategy, name, load) for name, load in loads for way in WAYS for strategy in STRATEGIES]


def measure(wanted: Sequence[Case], build: fleet.Build, jobs: int) -> dict[Case, outcome.Outcome]:
    """``jobs`` at a time."""
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(max_workers=jobs, mp_context=spawn) as pool:
        return dict(zip(wanted, pool.map(run, wanted, [build] * len(wanted)), strict=True))


def main(arguments: Sequence[str] = ()) -> None:
    """Run, print, write ``bench/results/autoscaler-<date>.json`` and ``.html``."""
    given = options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 130)
    where = record.machine()
    build = fleet.Build(presets.preset(given.engine), given.cold_start)
    found = measure(cases(given.trace, given.factors), build, given.jobs)
    name, what = pathlib.Path(given.trace).name, f"engines {given.engine}, cold start {given.cold_start:g} s"
    sections: list[tuple[str, list[str]]] = []
    if rows := trace_rows(found):
        console.print(drawn(f"{name}, {what}", HEADS, rows, 3))
        shown = [
            (
                way,
                [
                    each
                    for case, each in found.items()
                    if (case.trace, case.way, case.load) == (given.trace, way, given.factors[0])
                ],
            )
            for way in WAYS
        ]
        sections.append(
            (f"{name}, {what}", [page.table(HEADS, rows), *(picture(f"{name}: {way}", each) for way, each in shown)])
        )
    steady = "Changes per hour under a load that does not change (Poisson arrivals, exponential lengths)"
    console.print(drawn(f"{steady}, {what}", CONSTANT, constant_rows(found), 2))
    sections.append((steady, [page.table(CONSTANT, constant_rows(found))]))
    cells = [
        dataclasses.asdict(case) | {"trace": pathlib.Path(case.trace).name, "figures": dataclasses.asdict(each.figures)}
        for case, each in found.items()
    ]
    about = f"Virtual time; the controller's own decisions. {record.told(where)}"
    document = page.document("What settings of autoscaling do", sections, about)
    for path in record.write("autoscaler", {"machine": where, "what": what, "replays": cells}, document):
        console.print(f"[dim]{path}[/dim]")


if __name__ == "__main__":
    main(sys.argv[1:])
