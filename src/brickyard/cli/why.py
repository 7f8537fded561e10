"""``brickyard why``: what a request's endpoint was chosen from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table


def why(
    request_id: Annotated[str, typer.Argument(help="The request's id, from its x-request-id header.")] = "",
    last: Annotated[bool, typer.Option("--last", help="The latest decision.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json")] = "table",
    gateway: Annotated[str, typer.Option(help="URL of a gateway.  [default: the one of this machine]")] = "",
    data_dir: options.DataDir = None,
) -> None:
    """Show why an endpoint was chosen: every candidate, what removed it, each score."""
    import sys

    import orjson
    from rich.console import Console

    from brickyard.cli import decisions, place
    from brickyard.lib import errors

    if bool(request_id) == last:
        raise errors.UsageError("which decision?", hint="give a request id, or --last")
    if output not in {"table", "json"}:
        raise errors.UsageError(f"unknown output {output!r}", hint="table or json")
    url = gateway or place.running(data_dir)[1].gateway_url
    told = decisions.fetch(url, decisions.LAST if last else request_id)
    if output == "json":
        print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    # A pipe has no width of its own; 80 columns would cut names short.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(f"{told['request']['id']}  {told['request']['path']}  model {told['request']['model']}", markup=False)
    console.print(told["sentence"], style="bold", markup=False)
    console.print(_candidates(told))
    for line in ending(told["outcome"]) if told["outcome"] else ():
        console.print(line, markup=False)


def _candidates(told: dict[str, Any]) -> Table:
    from rich.table import Table

    scorers = list(told["candidates"][0]["scores"]) if told["candidates"] else []
    shown = scorers if len(scorers) > 1 else []  # the total says it all when there is but one
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2 if len(shown) < 3 else 1, 0, 0))
    reasons = ("removed because",) if any(row["removed"] for row in told["candidates"]) else ()
    for name in ("", "pod", "in flight", "waiting", "kv use", "load age", *shown, "total", *reasons):
        words = name in {"", "pod", *reasons}
        # Strategies' names have hyphens where a narrow column wants blanks to break at.
        header = name.replace("-", " ")
        narrowest = 4 if name in shown else max((len(word) for word in header.split()), default=1)
        table.add_column(
            header,
            justify="left" if words else "right",
            no_wrap=name == "pod",
            overflow="fold",
            min_width=narrowest,
        )
    for row in told["candidates"]:
        load = row["load"] or {}
        scores = [_number(row["scores"].get(name, {}).get("normalised")) for name in shown]
        table.add_row(
            "→" if row["chosen"] else "", row["endpoint"].split("/", 1)[-1].rsplit(":", 1)[0], str(row["in_flight"]),
            _number(load.get("waiting"), 0), _number(load.get("kv_cache_usage")), _age(row["load_age"]), *scores,
            _number(row["total"]), *(row["removed"] or "" for _ in reasons),
        )  # fmt: skip
    return table


def _number(value: float | None, places: int = 2) -> str:
    return "-" if value is None else f"{value:.{places}f}"


def _age(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"


_STAGES = {
    "admission": "admitted after {}",
    "queue": "queued for {}",
    "waking": "{} of that until the model was awake",
    "connect": "connected within {}",
    "first_byte": "first byte after {}",
    "first_token": "first token after {}",
    "duration": "done after {}",
}
"""What is said of an outcome's times, in the order in which they pass; of those that it has none of, nothing."""


def ending(outcome: dict[str, Any]) -> Iterator[str]:
    """Its status and course, what it used, how its limits stood."""
    tries = () if outcome["attempts"] == 1 else (f"{outcome['attempts']} attempts",)
    stages = (said.format(_span(outcome[key])) for key, said in _STAGES.items() if outcome.get(key) is not None)
    error = f": {outcome['error']}" if outcome["error"] else ""
    yield ", ".join((f"status {outcome['status']}", *stages, *tries)) + error
    if outcome.get("usage"):
        yield _usage(outcome["usage"])
    if outcome.get("limits"):
        yield ", ".join(
            f"{name.removeprefix('x-ratelimit-')} {value}" for name, value in sorted(outcome["limits"].items())
        )


def _usage(used: dict[str, Any]) -> str:
    """``820 prompt tokens (512 from the cache, 540 foreseen), 120 generated``."""
    told, foreseen = used["cached_tokens"], used["cached_tokens_predicted"]
    parts: tuple[str, ...] = () if told is None else (f"{told} from the cache",)
    if foreseen is not None:
        parts += (f"{foreseen} foreseen" if parts else f"{foreseen} foreseen in the cache",)
    cached = f" ({', '.join(parts)})" if parts else ""
    guessed = ", guessed: the engine told nothing" if used["estimated"] else ""
    return f"{used['prompt_tokens']} prompt tokens{cached}, {used['completion_tokens']} generated{guessed}"


def _span(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"
