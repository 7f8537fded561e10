"""``brickyard status``: what runs, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    from typing import Any

    from rich.console import Console, Group

    from brickyard.cli import glance
    from brickyard.embedded import home
    from brickyard.kube.client import rest

LOOK_EVERY = 1.0
"""Seconds between looks with ``--watch``."""
PATIENCE = 3.0
"""Seconds that the gateway and the API each get for an answer: a screen that hangs says less than one that says who does."""
WIDTH = 2000
"""Columns of a pipe, which has none of its own: a line there is never broken."""


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep it current until Ctrl-C.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="table or json")] = "table",
    data_dir: options.DataDir = None,
) -> None:
    """Show the models that are served, their replicas and load, and what is wrong with them. Fails when a part is down."""
    import asyncio
    import sys

    import orjson
    from rich.console import Console

    from brickyard.cli import glance, place
    from brickyard.lib import errors

    if output not in {"table", "json"}:
        raise errors.UsageError(f"unknown output {output!r}", hint="table or json")
    terminal = sys.stdout.isatty()
    if watch and (not terminal or output == "json"):
        hint = "leave it out, or run it in a terminal without --output"
        raise errors.UsageError("--watch paints a screen, and this is none", hint=hint)
    here, running = place.running(data_dir)
    console = Console(highlight=False, width=None if terminal else WIDTH)
    if watch:
        asyncio.run(_watch(console, here, running))
        return
    seen = asyncio.run(_once(here, running))
    if output == "json":
        print(orjson.dumps(glance.document(seen), option=orjson.OPT_INDENT_2).decode())
    else:
        _print(console, glance.screen(seen, terminal=terminal))
    if any(part is not None and part.trouble for part in (seen.gateway, seen.api, seen.services)):
        raise typer.Exit(1)


def _print(console: Console, screen: Group) -> None:
    """``screen`` as it is on a terminal; in a pipe without the blanks that fill its tables up."""
    if console.is_terminal:
        console.print(screen)
        return
    with console.capture() as captured:
        console.print(screen, soft_wrap=True)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


async def _once(here: home.Home, running: home.Running) -> glance.Glance:
    from brickyard.kube.client import rest

    async with rest.RestClient.from_kubeconfig(here.kubeconfig, deadline=PATIENCE) as client:
        return await _look(client, here, running)


async def _watch(console: Console, here: home.Home, running: home.Running) -> None:
    import asyncio

    from rich.live import Live

    from brickyard.cli import glance
    from brickyard.kube.client import rest

    async with rest.RestClient.from_kubeconfig(here.kubeconfig, deadline=PATIENCE) as client:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                # A part that ends is started again; until then, that it is away is what there is to see.
                live.update(glance.screen(await _look(client, here, running), terminal=True), refresh=True)
                await asyncio.sleep(LOOK_EVERY)


async def _look(client: rest.RestClient, here: home.Home, running: home.Running) -> glance.Glance:
    """Ask every door at the same time."""
    import asyncio
    import time

    from brickyard.cli import gatewaypages, glance, place
    from brickyard.embedded import overview

    (pods, api), (page, gateway), services = await asyncio.gather(
        _pods(client),
        asyncio.to_thread(_page, running.gateway_url),
        asyncio.to_thread(gatewaypages.ask, running.services_url, "/healthz", deadline=PATIENCE),
    )
    at = place.option(here)
    return glance.Glance(
        gateway=glance.Part(f"{running.gateway_url}/v1", gateway, f"brickyard logs{at} gateway"),
        api=glance.Part(running.api_url, api, f"brickyard logs{at} machine"),
        services=glance.Part(running.services_url, services, f"brickyard logs{at} services"),
        kubeconfig=str(here.kubeconfig),
        models=overview.models(pods, page),
        serve=f"brickyard serve{at}",
        why=f"brickyard why{at}",
        now=time.time(),
    )


async def _pods(client: rest.RestClient) -> tuple[list[dict[str, Any]], str]:
    """Every pod, or why there is none to see."""
    from brickyard.api.kinds import resources
    from brickyard.kube.client import errors

    try:
        return list((await client.list(resources.POD)).items), ""
    except errors.KubeError as error:
        return [], str(error)


def _page(url: str) -> tuple[list[dict[str, Any]], str]:
    """The gateway's rows, or why there is none to see."""
    from brickyard.cli import gatewaypages

    try:
        return gatewaypages.document(url, "/debug/models", deadline=PATIENCE)["models"], ""
    except gatewaypages.PageRefused:
        return [], ""  # its debug pages are switched off: it works, and tells nothing
    except gatewaypages.GatewayUnreachable as error:
        return [], str(error)
