"""``brickyard machine``: the process of API server, node agent and built-in controllers. `up` starts it; people rarely do."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer


def machine(
    data_dir: Annotated[pathlib.Path, typer.Option(help="Where state is kept.")],
    port: Annotated[int, typer.Option(help="Port of the Kubernetes API.")] = 6443,
) -> None:
    """Run the API server, the node agent and the built-in controllers."""
    import os

    from brickyard.cli import part
    from brickyard.embedded import machine as room
    from brickyard.lib import process

    part.begin()
    room.run(room.MachineSettings(data_dir=data_dir, port=port), ready=lambda: process.announce_ready(os.environ))
