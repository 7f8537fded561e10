"""``brickyard env``: what a shell needs to talk to this machine's Brickyard."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from brickyard.cli import options

SHELLS = ("sh", "fish")


def env(
    shell: Annotated[str, typer.Option(help="sh (bash, zsh and the like) or fish.  [default: by $SHELL]")] = "",
    data_dir: options.DataDir = None,
) -> None:
    """Print variables for a shell: eval "$(brickyard env)"; for fish: brickyard env | source."""
    import os

    from brickyard.cli import place
    from brickyard.lib import errors

    shell = shell or os.environ.get("SHELL", "").rpartition("/")[2]
    if shell in {"", "ash", "bash", "dash", "ksh", "zsh"}:
        shell = "sh"
    if shell not in SHELLS:
        raise errors.UsageError(
            f"{shell!r} is no shell that is known here", hint=f"--shell {' or --shell '.join(SHELLS)}"
        )
    home, running = place.running(data_dir)
    variables = {
        "KUBECONFIG": str(home.kubeconfig),
        "OPENAI_BASE_URL": f"{running.gateway_url}/v1",
        "OPENAI_API_KEY": os.environ.get("BRICKYARD_API_KEY") or "unused",
    }
    for name, value in variables.items():
        print(statement(shell, name, value))


def statement(shell: str, name: str, value: str) -> str:
    """What sets and exports ``name`` in ``shell``."""
    if shell == "fish":
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"set -gx {name} '{escaped}'"
    return f"export {name}={shlex.quote(value)}"
