"""``brickyard doctor``: what this machine lacks, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from brickyard.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from brickyard.cli import diagnosis

COLOURS = {"ok": "green", "note": "dim", "warning": "yellow", "fault": "red"}


def doctor(data_dir: options.DataDir = None) -> None:
    """Look at this machine: versions, ports, limits, disk, engines, GPUs. Fails when something will not work."""
    import os
    import sys

    from brickyard.cli import diagnosis, examination, place
    from brickyard.embedded import up as life
    from brickyard.lib import settings

    found = diagnosis.findings(examination.examine(place.at(data_dir), settings.load(life.UpSettings, os.environ)))
    if sys.stdout.isatty():
        _show(found)
    else:
        _write(found)
    if diagnosis.worst(found) is diagnosis.Level.FAULT:
        raise typer.Exit(1)


def _write(found: Sequence[diagnosis.Finding]) -> None:
    width = max(len(each.about) for each in found)
    for each in found:
        print(f"{each.level.value:<8} {each.about:<{width}}  {each.text}")
        if each.remedy:
            print(f"{'':<8} {'':<{width}}  → {each.remedy}")


def _show(found: Sequence[diagnosis.Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    for wraps in (False, False, True):
        table.add_column(no_wrap=not wraps, overflow="fold" if wraps else "ellipsis")
    for each in found:
        table.add_row(Text(each.level.value, COLOURS[each.level.value]), Text(each.about), Text(each.text))
        if each.remedy:
            table.add_row("", "", Text(f"→ {each.remedy}"))
    Console(highlight=False).print(table)
