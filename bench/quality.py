"""What strategies do for the cache and for waiting: one trace through a fleet of engine doubles in virtual time, strategy by strategy.

    python -m bench quality [--trace FILE] [--engine h200/qwen2.5-7b] [--paces 1 2 3] [--strategies random …] [--kv-events]

FILE is a trace in Mooncake's form (its authors publish some under Apache-2.0); without one, conversations are made up from a seed.
With ``--kv-events`` engines tell what they hold, and the gateway's index is corrected by it.
Figures are of virtual seconds: they do not depend on the machine, and equal arguments give equal figures.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from bench import page, record
from brickyard.assembly import engines, routing_policies
from brickyard.sim.engine.core import params, presets
from brickyard.sim.fleet import fleet, outcome, trace

CHANCE = "random"
CLAIMED = 0.45
"""The share of the mean time to the first token that AIBrix says its prefix routing saves over chance."""
STRATEGIES = (
    *(CHANCE, "least-request", "power-of-two", "least-tokens", "least-busy-time", "least-kv-cache", "least-latency"),
    *("throughput", "consistent-hash", "prefix-cache", "prefix-cache-preble", "prefix-and-load"),
    "prefix-cache:2,least-request:1",
)
BLOCK = 64
"""Tokens of a KV block here: coarser than engines' 16 to be quick, and finer than the trace's 512."""
MADE_UP = trace.Conversations(number=600, every=0.7, think=12.0, turns=6.0, systems=8, system_blocks=6, said=4.0)


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One cell of the table."""

    strategy: str
    pace: float
    engine: str
    endpoints: int
    trace: str
    limit: int | None
    kv_events: bool = False


def engine(name: str) -> params.Params:
    """The preset ``name``, for prompts as long as its memory holds."""
    given = presets.preset(name)
    return dataclasses.replace(
        given, block_size=BLOCK, blocks=given.capacity // BLOCK, max_model_len=given.capacity // BLOCK * BLOCK
    )


def arrivals(path: str, limit: int | None) -> list[trace.Arrival]:
    """The trace of a file, or the one that is made up where there is no file."""
    if not path:
        return MADE_UP.arrivals()[:limit]
    with pathlib.Path(path).open() as lines:
        return trace.read(lines, limit)


def figures(run: Run) -> outcome.Figures:
    """One trace through one fleet."""
    setup = fleet.Setup(run.strategy, engine(run.engine), run.endpoints, kv_events=run.kv_events)
    made = fleet.Fleet(setup, routing_policies.make(), engines.readers())
    return made.run(trace.paced(arrivals(run.trace, run.limit), run.pace)).figures()


def measure(runs: Sequence[Run], jobs: int) -> Mapping[Run, outcome.Figures]:
    """All of them, ``jobs`` at a time."""
    with concurrent.futures.ProcessPoolExecutor(max_workers=jobs) as pool:
        return dict(zip(runs, pool.map(figures, runs), strict=True))


HEADS = ("strategy", "cached", "TTFT mean s", "against random", "p50 s", "p99 s", "whole mean s", "busiest", "refused")


def rows(found: Mapping[str, outcome.Figures]) -> list[tuple[str, ...]]:
    """The table's cells; a strategy that waits less than chance has a negative share."""
    chance = found[CHANCE].mean if CHANCE in found else None
    return [
        (
            name,
            f"{each.hit_rate:.1%}",
            f"{each.mean:.3f}",
            f"{each.mean / chance - 1:+.0%}" if chance else "",
            f"{each.p50:.3f}",
            f"{each.p99:.2f}",
            f"{each.total_mean:.2f}",
            f"{each.busiest:.2f}",
            str(each.refused or ""),
        )
        for name, each in found.items()
    ]


def drawn(heading: str, found: Mapping[str, outcome.Figures]) -> Table:
    """For the terminal."""
    made = Table(title=heading, title_justify="left")
    for place, head in enumerate(HEADS):
        made.add_column(head, justify="right" if place else "left", no_wrap=True)
    for row in rows(found):
        made.add_row(*row)
    return made


def section(heading: str, found: Mapping[str, outcome.Figures]) -> tuple[str, list[str]]:
    """For the page."""
    wait = [page.Bar(name, each.mean, f"{each.mean:.3f} s", "prefix" in name) for name, each in found.items()]
    hits = [page.Bar(name, each.hit_rate, f"{each.hit_rate:.0%}", "prefix" in name) for name, each in found.items()]
    late = [page.Bar(name, each.p99, f"{each.p99:.2f} s", "prefix" in name) for name, each in found.items()]
    return heading, [
        page.bars("Mean time to the first token", wait, logarithmic=True),
        page.bars("Prompt tokens found cached", hits),
        page.bars("Time to the first token, p99", late, logarithmic=True),
        page.table(HEADS, rows(found)),
    ]


def picture(heading: str, found: Mapping[str, outcome.Figures]) -> str:
    """Waiting and hits of each strategy in one SVG."""
    rows = [
        page.Bar(name, each.mean, f"{each.mean:.2f} s, {each.hit_rate:.0%}", "prefix" in name)
        for name, each in found.items()
    ]
    return page.picture(page.bars(f"Mean time to the first token, and hits: {heading}", rows, logarithmic=True))


def verdict(found: Mapping[str, outcome.Figures]) -> str:
    """Whether prefix strategies save what AIBrix claims."""
    chance = found.get(CHANCE)
    told = [
        f"{name} {each.mean / chance.mean - 1:+.0%}"
        for name, each in found.items()
        if chance is not None and "prefix" in name
    ]
    kept = all(chance is None or each.mean <= (1 - CLAIMED) * chance.mean for n, each in found.items() if "prefix" in n)
    return (
        f"mean TTFT against {CHANCE}: {', '.join(told)}; at least -{CLAIMED:.0%} {'everywhere' if kept else 'NOT everywhere'}"
        if told
        else ""
    )


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench quality", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trace", default="", help="a file in Mooncake's form; made-up conversations without it")
    parser.add_argument("--limit", type=int, help="the first so many requests of it")
    parser.add_argument("--engine", default="h200/qwen2.5-7b", help="a preset of the engine double")
    parser.add_argument("--endpoints", type=int, default=8)
    parser.add_argument("--paces", type=float, nargs="+", default=[1.0, 2.0, 3.0], help="times as fast as the trace")
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--kv-events", action="store_true", help="engines publish what they hold and drop")
    parser.add_argument("--picture", type=pathlib.Path, help="also draw the first pace into this SVG file")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] = ()) -> None:
    """Run, print, write ``bench/results/quality-<date>.json`` and ``.html``."""
    given = options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 130)
    where = record.machine()
    by_pace = {
        pace: [
            Run(name, pace, given.engine, given.endpoints, given.trace, given.limit, given.kv_events)
            for name in given.strategies
        ]
        for pace in given.paces
    }
    found = measure([run for runs in by_pace.values() for run in runs], given.jobs)
    load = pathlib.Path(given.trace).name if given.trace else "made-up conversations"
    sections: list[tuple[str, list[str]]] = []
    for pace, runs in by_pace.items():
        heading = (
            f"{load} at pace {pace:g}, {given.endpoints} engines {given.engine}{' with KV events' * given.kv_events}"
        )
        mine = {run.strategy: found[run] for run in runs}
        console.print(drawn(heading, mine))
        console.print(f"[dim]{verdict(mine)}[/dim]")
        if given.picture is not None and not sections:
            given.picture.write_text(picture(heading, mine))
        made = section(heading, mine)
        sections.append((made[0], [*made[1], page.note(verdict(mine))]))
    cells = [dataclasses.asdict(run) | {"figures": dataclasses.asdict(each)} for run, each in found.items()]
    about = f"Virtual time; the gateway's own pipeline. {record.told(where)}"
    document = page.document("What routing strategies do for the cache and for waiting", sections, about)
    for path in record.write("quality", {"machine": where, "runs": cells}, document):
        console.print(f"[dim]{path}[/dim]")


if __name__ == "__main__":
    main(sys.argv[1:])
