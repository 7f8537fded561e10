"""``brickyard autoscaler``: why an autoscaler does what it does, what it did, and what other settings would do."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from brickyard.cli import helping, options

if TYPE_CHECKING:
    from rich.console import Console

    from brickyard.sim.scaling import outcome

app = helping.App(help="See why autoscalers decide as they do, and try settings on a trace.", no_args_is_help=True)

Out = Annotated[
    pathlib.Path | None, typer.Option("--out", help="Draw it into this file too: .svg or .png (needs brickyard[plot]).")
]

Name = Annotated[str, typer.Argument(help="The PodAutoscaler.")]
Controllers = Annotated[
    str,
    typer.Option(
        "--controllers", metavar="URL", help="URL of the controllers' metrics.  [default: those of this machine]"
    ),
]


@app.command(short_help="Show what was measured, and what that asks for.")
def explain(
    name: Name,
    namespace: options.Namespace = "default",
    output: Annotated[str, typer.Option("--output", "-o", help="text or json")] = "text",
    controllers: Controllers = "",
    data_dir: options.DataDir = None,
) -> None:
    """Show what was measured, what each metric asks for, what limited it, and what happens next."""
    import orjson

    from brickyard.cli import autoscalerpages
    from brickyard.lib import errors

    if output not in {"text", "json"}:
        raise errors.UsageError(f"unknown output {output!r}", hint="text or json")
    page = _page(name, namespace, controllers, data_dir)
    if output == "json":
        print(orjson.dumps(page, option=orjson.OPT_INDENT_2).decode())
        return
    first, *rest = autoscalerpages.words(page)
    console = _console()
    say(console, f"{page['namespace']}/{page['name']}  {first}", "bold")
    for line in rest:
        say(console, line)


@app.command(short_help="Draw demand, replicas and bounds.")
def plot(
    name: Name,
    namespace: options.Namespace = "default",
    out: Out = None,
    controllers: Controllers = "",
    data_dir: options.DataDir = None,
) -> None:
    """Draw demand, desired and actual replicas and bounds over the last hours."""
    from brickyard.cli import autoscalerpages, curvefile, curvescreen

    if out is not None:
        curvefile.check(out)
    chart = autoscalerpages.chart(_page(name, namespace, controllers, data_dir))
    console = _console()
    console.print(curvescreen.draw(chart, console.width, 14))
    if out is not None:
        curvefile.write(chart, out)
        console.print(f"drawn into {out}", style="dim", markup=False)


def _page(name: str, namespace: str, controllers: str, data_dir: pathlib.Path | None) -> dict[str, Any]:
    from brickyard.cli import autoscalerpages, place

    return autoscalerpages.fetch(autoscalerpages.address(controllers, place.at(data_dir)), namespace, name)


@app.command(short_help="Compare settings on a trace, in virtual time.")
def replay(
    trace: Annotated[
        pathlib.Path | None, typer.Option("--trace", help="Requests: Azure's CSV, or JSON lines of Mooncake or AIBrix.")
    ] = None,
    load: Annotated[
        str, typer.Option("--load", help="Or made up, per second: constant:5, step:2,10,600 or sine:2,10,1200.")
    ] = "",
    factor: Annotated[float, typer.Option("--factor", help="So many times the requests.")] = 1.0,
    duration: Annotated[str, typer.Option("--duration", help="Of a load that is made up.")] = "1h",
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy", help="KPA, APA or HPA, settings of its own behind commas; may be repeated.  [default: all]"
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value for all of them; may be repeated.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="NAME=TARGET to scale by.  [default: num_requests_running=10]")
    ] = None,
    filename: Annotated[
        pathlib.Path | None, typer.Option("--filename", "-f", help="Or the PodAutoscaler of this manifest.")
    ] = None,
    engine: Annotated[str, typer.Option("--engine", help="What replicas are: GPU/MODEL.")] = "a10/llama-3.1-8b",
    cold_start: Annotated[str, typer.Option("--cold-start", help="From a replica's order to its readiness.")] = "120s",
    limit: Annotated[str, typer.Option("--limit", help="A first token later than this is late.")] = "5s",
    replicas: Annotated[
        int | None, typer.Option("--replicas", min=0, help="At the beginning.  [default: what its first minutes need]")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Of all chance. With a trace, 0 is the trace itself, others days like it.")
    ] = 0,
    output: Annotated[str, typer.Option("--output", "-o", help="table, plot or json")] = "plot",
    out: Out = None,
) -> None:
    """Compare settings on a trace: the controller's own decisions, simulated engines, virtual time."""
    from brickyard.cli import curvefile, replaying
    from brickyard.lib import errors

    if output not in {"table", "plot", "json"}:
        raise errors.UsageError(f"unknown output {output!r}", hint="table, plot or json")
    if out is not None:
        curvefile.check(out)
    source = replaying.Source(trace, load, factor, replaying.seconds(duration), seed)
    like = replaying.Like(engine, replaying.seconds(cold_start), replaying.seconds(limit), replicas)
    ways = replaying.Ways(filename, tuple(metric or ()), tuple(strategy or ()), tuple(settings or ()))
    title, found = replaying.run(source, like, ways)
    _show(title, found, output, out)


def _show(title: str, found: list[outcome.Outcome], output: str, out: pathlib.Path | None) -> None:
    import orjson

    from brickyard.cli import curvefile, curvescreen, replaying

    chart = replaying.chart(title, found)
    if out is not None:
        curvefile.write(chart, out)
    if output == "json":
        print(orjson.dumps(replaying.document(found), option=orjson.OPT_INDENT_2).decode())
        return
    console = _console()
    if output == "plot":
        console.print(curvescreen.draw(chart, console.width, 8))
        console.print()
    else:
        console.print(title, style="bold", markup=False)
    console.print(replaying.table(found))
    if out is not None:
        console.print(f"drawn into {out}", style="dim", markup=False)


def _console() -> Console:
    import sys

    from rich.console import Console

    # A pipe has no width of its own; 80 columns would cut names short, and 120 the table of a replay.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 140)


def say(console: Console, line: str, style: str = "") -> None:
    """A line of an explanation: on a terminal, what does not fit goes on further in; elsewhere it is whole."""
    import textwrap

    if console.is_terminal:
        further = " " * (len(line) - len(line.lstrip()) + 4)
        line = textwrap.fill(line, console.width, subsequent_indent=further, break_on_hyphens=False)
    console.print(line, style=style, markup=False, soft_wrap=True)
