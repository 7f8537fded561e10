"""``brickyard gateway``: the OpenAI API in front of the models of a cluster, or of this machine."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from brickyard.assembly import gateway as assembly


def gateway(
    kubeconfig: Annotated[
        pathlib.Path | None,
        typer.Option(help="How to reach the Kubernetes API.  [default: $KUBECONFIG, ~/.kube/config, in-cluster]"),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.  [default: 8888]")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    endpoints_config: Annotated[
        pathlib.Path | None,
        typer.Option(help="File that names models and endpoints, followed as it changes; no Kubernetes API is asked."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="Where users and limits are kept: sqlite:///PATH or redis://HOST:PORT/DATABASE.  [default: no users]"
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="Routing strategy of requests that name none, or a mix a:2,b.  [default: least-request]"),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes behind the one port.  [default: 1]")] = None,
    standalone: Annotated[bool, typer.Option(hidden=True, help="AIBrix' way to say --endpoints-config.")] = False,
) -> None:
    """Run the gateway alone, before the models of a cluster or of a file of endpoints.

    \b
    models:                                            # endpoints.yaml
      - name: qwen3-8b
        endpoints: ["10.0.0.1:8000", "10.0.0.2:8000"]

    \b
    brickyard gateway --endpoints-config endpoints.yaml --strategy prefix-and-load

    Everything else is set by variables: see docs/gateway.md and docs/settings.md.
    """
    from brickyard.assembly import gateway as assembly
    from brickyard.lib import errors

    if standalone and endpoints_config is None:
        raise errors.UsageError("--standalone needs a file of endpoints", hint="add --endpoints-config FILE")
    _serve(assembly.Said(host, port, kubeconfig, endpoints_config, strategy, store), workers)


def _serve(said: assembly.Said, workers: int | None) -> None:
    """Serve until the stop signal, in this process or in several."""
    import os

    import uvloop

    from brickyard.assembly import gateway as assembly
    from brickyard.assembly import unread
    from brickyard.assembly import workers as several
    from brickyard.cli import part
    from brickyard.kube.client import errors as kube
    from brickyard.lib import tasks

    part.begin()
    settings = assembly.load(os.environ, said)
    plan = several.plan(os.environ, said, settings, workers)
    if settings.seat is None:
        unread.tell(os.environ)

    async def serve() -> None:
        async with tasks.stop_signal() as stop:
            if plan is None:
                await assembly.serve(settings, stop, ready=part.ready)
            else:
                await several.run(plan, stop, ready=part.ready)

    try:
        uvloop.run(serve())
    except kube.NoCluster as error:
        error.hint += "; or name models and their addresses in a file and give --endpoints-config FILE"
        raise
