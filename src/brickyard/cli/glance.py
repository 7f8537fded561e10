"""What ``brickyard status`` knows at one moment, as JSON or as a screen. Pure; ``status`` asks the API and the gateway.

On a screen, a column that would say the same in every row is left out; in a pipe every column is there, always.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from rich import console, table, text

from brickyard.embedded import overview
from brickyard.embedded.apiserver.columns import cells

UNKNOWN = "-"


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A door of this Brickyard. ``trouble``: why it does not answer, "" when it does; ``log``: the command that shows why."""

    url: str
    trouble: str = ""
    log: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Glance:
    """One look.

    Attributes:
        services: None where none are known.
        serve, why: the commands that serve a first model and explain a decision.
        now: Unix seconds.
    """

    gateway: Part
    api: Part
    services: Part | None
    kubeconfig: str
    models: Sequence[overview.Model]
    serve: str
    why: str
    now: float


def document(seen: Glance) -> dict[str, Any]:
    """``seen`` as JSON-ready data."""
    return {
        "gateway": _part(seen.gateway),
        "api": _part(seen.api) | {"kubeconfig": seen.kubeconfig},
        "services": None if seen.services is None else _part(seen.services),
        "models": [dataclasses.asdict(each) for each in seen.models],
    }


def _part(part: Part) -> dict[str, Any]:
    return {"url": part.url, "answers": not part.trouble, "trouble": part.trouble}


def screen(seen: Glance, *, terminal: bool) -> console.Group:
    """``seen`` for people."""
    lines: list[console.RenderableType] = [
        _door("gateway", seen.gateway),
        _door("kubernetes", seen.api, f"  (KUBECONFIG={seen.kubeconfig})"),
        *([] if seen.services is None else [_door("services", seen.services)]),
        text.Text(),
    ]
    if not seen.models:
        if not seen.api.trouble:
            lines.append(text.Text(f"No model is served yet: {seen.serve} MODEL"))
        return console.Group(*lines)
    lines.append(_models(seen.models, every_column=not terminal))
    if any(model.trouble for model in seen.models):
        lines += [text.Text("\nNot ready", "dim"), _troubles(seen.models)]
    if any(model.traffic.decision for model in seen.models):
        lines += [text.Text(f"\nLatest decisions ({seen.why} ID)", "dim"), _decisions(seen.models, seen.now)]
    return console.Group(*lines)


def _door(name: str, part: Part, more: str = "") -> text.Text:
    line = text.Text(f"{name:<11} {part.url}{more}")
    if part.trouble:
        line.append(f"\n{'':<11} {part.trouble}; see `{part.log}`", "red")
    return line


# The table of models: header, right-aligned or not, and each model's cell.


def _columns(models: Sequence[overview.Model], *, every_column: bool) -> Iterator[tuple[str, str, list[text.Text]]]:
    """Header, alignment and cells of each column to show."""
    yield "MODEL", "left", [text.Text(each.name) for each in models]
    yield "READY", "left", [_ready(each) for each in models]
    yield "ENGINE", "left", [text.Text(each.engine) for each in models]
    yield "REQ/S", "right", [_number(each.traffic.requests_per_second, 1) for each in models]
    yield "OPEN", "right", [_number(each.traffic.in_flight) for each in models]
    yield "WAITING", "right", [_number(each.traffic.waiting) for each in models]
    yield "KV", "right", [_share(each.traffic.kv_cache_usage) for each in models]
    if every_column or any(each.restarts for each in models):
        yield "RESTARTS", "right", [text.Text(str(each.restarts)) for each in models]
    if every_column or {each.namespace for each in models} != {"default"}:
        yield "NAMESPACE", "left", [text.Text(each.namespace) for each in models]


def _ready(model: overview.Model) -> text.Text:
    if model.held is not None:
        return text.Text(f"waking ({model.held} wait)", "yellow") if model.held else text.Text("asleep", "dim")
    return text.Text(f"{model.ready}/{model.replicas}", "green" if model.ready == model.replicas else "yellow")


def _models(models: Sequence[overview.Model], *, every_column: bool) -> table.Table:
    shown = table.Table(box=None, header_style="dim", pad_edge=False)
    columns = list(_columns(models, every_column=every_column))
    for name, side, _ in columns:
        shown.add_column(name, justify="right" if side == "right" else "left", no_wrap=name != "MODEL", overflow="fold")
    for row in zip(*(cells_ for _, _, cells_ in columns), strict=True):
        shown.add_row(*row)
    return shown


def _number(value: float | None, places: int = 0) -> text.Text:
    return text.Text(UNKNOWN, "dim") if value is None else text.Text(f"{value:.{places}f}")


def _share(value: float | None) -> text.Text:
    return text.Text(UNKNOWN, "dim") if value is None else text.Text(f"{value:.0%}", "yellow" if value > 0.9 else "")


# What is under it.


def _troubles(models: Sequence[overview.Model]) -> table.Table:
    shown = _lines()
    for model in models:
        for each in model.trouble:
            many = f"{len(each.pods)} pods, such as " if len(each.pods) > 1 else ""
            shown.add_row(f"  {model.name}", text.Text(f"{many}{each.pods[0]}: {each.text}", "yellow"))
    return shown


def _decisions(models: Sequence[overview.Model], now: float) -> table.Table:
    shown = _lines()
    for model in models:
        told = model.traffic
        if told.decision:
            when = f"{cells.age_of(told.decided_at, now)} ago, {told.request_id}: "
            shown.add_row(f"  {model.name}", text.Text.assemble((when, "dim"), told.decision))
    return shown


def _lines() -> table.Table:
    """A name and what there is to say of it, however long."""
    shown = table.Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    return shown
