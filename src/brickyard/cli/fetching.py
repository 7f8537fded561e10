"""Fetches a model into the model cache of this machine, with a bar that shows how far it is."""

from __future__ import annotations

import asyncio
import os
import pathlib

from rich import console, progress

from brickyard.sidecar.downloads import cache


def fetch(reference: str) -> pathlib.Path:
    """The local path of ``reference``, fetched unless it is there. The bar is on standard error, and gone at the end.

    Raises:
        BrickyardError: it cannot be had; the text says why.
    """
    columns = (
        progress.TextColumn("  {task.description}", markup=False), progress.BarColumn(), progress.DownloadColumn(),
        progress.TransferSpeedColumn(), progress.TimeRemainingColumn(),
    )  # fmt: skip
    with progress.Progress(*columns, console=console.Console(stderr=True), transient=True) as bar:
        task = bar.add_task(_short(reference), total=None)
        store = cache.ModelCache.configured(os.environ)
        return asyncio.run(
            store.fetch(reference, progress=lambda done, total: bar.update(task, completed=done, total=total))
        )


def _short(reference: str) -> str:
    """The last part of a reference, without what may be secret in it."""
    return reference.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2]
