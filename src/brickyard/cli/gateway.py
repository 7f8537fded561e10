"""``brickyard gateway``: the OpenAI API in front of the models of a cluster, or of this machine."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer


def gateway(
    kubeconfig: Annotated[
        pathlib.Path | None,
        typer.Option(help="How to reach the Kubernetes API.  [default: $KUBECONFIG, ~/.kube/config, in-cluster]"),
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.  [default: 8888]")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
) -> None:
    """Run the gateway alone."""
    import os

    import uvloop

    from brickyard.assembly import gateway as assembly
    from brickyard.lib import logs, process, tasks

    logs.setup(os.environ.get("BRICKYARD_LOG_LEVEL", "INFO"))
    process.die_with_supervisor(os.environ)
    settings = assembly.load(os.environ, host=host, port=port, kubeconfig=kubeconfig)

    async def serve() -> None:
        async with tasks.stop_signal() as stop:
            await assembly.serve(settings, stop, ready=lambda _: process.announce_ready(os.environ))

    uvloop.run(serve())
