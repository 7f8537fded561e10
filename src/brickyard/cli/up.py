"""``brickyard up``: everything on this machine, in the foreground or behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    from brickyard.embedded import home

MOMENT = 2.0
"""Seconds that the screen waits for the models there are."""


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Run in the background.")] = False,
    api_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the Kubernetes API.  [default: 6443]")
    ] = None,
    gateway_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the OpenAI API.  [default: 8888]")
    ] = None,
    services_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the services: users, limits.  [default: 8090]")
    ] = None,
    data_dir: options.DataDir = None,
) -> None:
    """Start the Kubernetes API, the node agent, the gateway and the services on this machine."""
    import asyncio
    import os
    import sys

    from brickyard.cli import part, place
    from brickyard.embedded import up as life
    from brickyard.lib import logs, process, settings, tasks

    at = place.at(data_dir)
    for each in part.unread():
        print(f"warning: {each}", file=sys.stderr)
    wanted = settings.load(
        life.UpSettings, os.environ, api_port=api_port, gateway_port=gateway_port, services_port=services_port
    )
    again = at.kubeconfig.exists()  # so that there may be models already
    if detach:
        running = life.detach(at, wanted)
        models = asyncio.run(_models(at)) if again else ""
        _screen(at, running, models, f"stop it with: brickyard down{place.option(at)}")
        return
    logs.setup("WARNING")

    async def serving(running: home.Running) -> None:
        process.announce_ready(os.environ)
        _screen(at, running, await _models(at) if again else "", "stop it with Ctrl-C")

    async def live() -> None:
        async with tasks.stop_signal() as stop:
            await life.run(at, wanted, serving, stop)

    asyncio.run(live())


async def _models(at: home.Home) -> str:
    """The models that were served here before and come up again, in one line; "" where none is known in a moment."""
    from brickyard.api.kinds import resources
    from brickyard.embedded import overview
    from brickyard.kube.client import errors, rest

    try:
        async with rest.RestClient.from_kubeconfig(at.kubeconfig, deadline=MOMENT) as client:
            pods = (await client.list(resources.POD)).items
    except (errors.KubeError, errors.KubeconfigError):
        return ""
    return ", ".join(f"{each.name} ({each.ready}/{each.replicas} ready)" for each in overview.models(pods))


def _screen(at: home.Home, running: home.Running, models: str, end: str) -> None:
    from brickyard.cli import place

    where = place.option(at)
    rows = {
        "OpenAI API": f"{running.gateway_url}/v1",
        "Kubernetes API": running.api_url,
        "users, limits": running.services_url,
        "kubeconfig": str(at.kubeconfig),
        "logs": str(at.logs),
        **({"models": models} if models else {}),
    }
    print("Brickyard is up.")
    for name, value in rows.items():
        print(f"  {name:<15} {value}")
    steps = {
        f'eval "$(brickyard env{where})"': "point kubectl and OpenAI clients here",
        f"brickyard serve{where} MODEL": "serve a .gguf file, a model that vLLM knows, a reference",
        f"brickyard chat{where} NAME": "talk to it",
        f"brickyard status{where} --watch": "what runs",
    }
    width = max(map(len, steps))
    print("\nNext:")
    for command, meaning in steps.items():
        print(f"  {command:<{width}}  {meaning}")
    print(f"  ({end})", flush=True)
