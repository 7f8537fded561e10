"""Options that several commands share, worded once."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

DataDir = Annotated[
    pathlib.Path | None,
    typer.Option("--data-dir", help="Where state is kept.  [default: $BRICKYARD_DATA_DIR or ~/.local/share/brickyard]"),
]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="The namespace to look in.")]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Look in every namespace.")]
Filenames = Annotated[
    list[str], typer.Option("--filename", "-f", help="File, folder, URL, or - for standard input; may be repeated.")
]
Recursive = Annotated[bool, typer.Option("--recursive", "-R", help="Read the folders below a folder too.")]
