"""``brickyard status``: what runs, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, Group
    from rich.table import Table

    from brickyard.embedded import home, overview
    from brickyard.kube.client import rest

LOOK_EVERY = 1.0
"""Seconds between looks with ``--watch``."""


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep it current until Ctrl-C.")] = False,
    data_dir: options.DataDir = None,
) -> None:
    """Show the models that are served, their replicas and what is wrong with them."""
    import sys

    from rich.console import Console

    from brickyard.cli import api, place
    from brickyard.lib import errors

    here, running = place.running(data_dir)
    terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if terminal else 200)
    if not watch:
        models = api.talk(here.path, _models)
        console.print(_screen(here, running, models), soft_wrap=not terminal)
        return
    if not terminal:
        raise errors.UsageError(
            "--watch paints a screen, and this is none", hint="leave it out, or run it in a terminal"
        )
    api.talk(here.path, lambda client: _watch(client, console, here, running))


async def _models(client: rest.RestClient) -> list[overview.Model]:
    from brickyard.api.kinds import resources
    from brickyard.embedded import overview

    return overview.models((await client.list(resources.POD)).items)


async def _watch(client: rest.RestClient, console: Console, here: home.Home, running: home.Running) -> None:
    import asyncio

    from rich.live import Live
    from rich.text import Text

    from brickyard.kube.client import errors

    with Live(console=console, auto_refresh=False) as live:
        while True:
            try:
                live.update(_screen(here, running, await _models(client)), refresh=True)
            except errors.Unreachable as error:
                # The API is started again when it ends; until then that is what there is to see.
                live.update(Text(str(error), "yellow"), refresh=True)
            await asyncio.sleep(LOOK_EVERY)


def _screen(here: home.Home, running: home.Running, models: Sequence[overview.Model]) -> Group:
    from rich.console import Group
    from rich.text import Text

    from brickyard.cli import place

    lines = [
        Text(f"gateway     {running.gateway_url}/v1"),
        Text(f"kubernetes  {running.api_url}  (KUBECONFIG={here.kubeconfig})"),
        Text(),
    ]
    if not models:
        return Group(*lines, Text(f"No model is served yet: brickyard serve{place.option(here)} MODEL"))
    trouble = [Text(f"{model.name}: {each}", "yellow") for model in models for each in model.trouble]
    return Group(*lines, _table(models), *trouble)


def _table(models: Sequence[overview.Model]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in ("MODEL", "READY", "ENGINE", "RESTARTS", "NAMESPACE"):
        table.add_column(name)
    for model in models:
        ready = Text(f"{model.ready}/{model.replicas}", "green" if model.ready == model.replicas else "yellow")
        table.add_row(model.name, ready, model.engine, str(model.restarts), model.namespace)
    return table
