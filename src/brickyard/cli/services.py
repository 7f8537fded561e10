"""``brickyard services``: users, limits and API keys of a cluster, or of this machine."""

from __future__ import annotations

from typing import Annotated

import typer


def services(
    store: Annotated[
        str | None,
        typer.Option(
            help="Where they are kept: sqlite:///PATH or redis://HOST:PORT/DATABASE.  [default: $BRICKYARD_STORE]"
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.  [default: 8090]")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
) -> None:
    """Run the services alone: users, their limits and API keys."""
    import os

    import uvloop

    from brickyard.assembly import services as assembly
    from brickyard.cli import part
    from brickyard.lib import process, tasks

    part.begin()
    settings = assembly.load(os.environ, host=host, port=port, store=store)

    async def serve() -> None:
        async with tasks.stop_signal() as stop:
            await assembly.serve(settings, stop, ready=lambda _: process.announce_ready(os.environ))

    uvloop.run(serve())
