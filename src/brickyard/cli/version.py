"""``brickyard version`` and ``brickyard --version``."""

from __future__ import annotations

from typing import Annotated

import typer

import brickyard
from brickyard.lib import compilation


def version() -> None:
    """Print the version."""
    print(f"brickyard {brickyard.__version__}{' (compiled)' if compilation.compiled() else ''}")


def _end(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit


def asked(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_end)
    ] = False,
) -> None:
    """Serve language models on this machine or on Kubernetes: one gateway, the AIBrix API, decisions that explain themselves."""
