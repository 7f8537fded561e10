"""The ``brickyard`` command: its subcommands, and how an error becomes a message and an exit code.

Exit codes: 0 fine, 1 it failed, 2 it was asked for something that cannot be, 130 interrupted.
"""

from __future__ import annotations

import os
import sys

import typer

from brickyard.cli import (
    apiserver,
    apply,
    autoscaler,
    chat,
    controllers,
    delete,
    doctor,
    down,
    environment,
    events,
    fetch,
    gateway,
    get,
    logs,
    machine,
    serve,
    services,
    status,
    up,
    users,
    version,
    why,
)
from brickyard.lib import errors

app = typer.Typer(
    name="brickyard",
    help="Serve language models on this machine or on Kubernetes: one gateway, the AIBrix API, decisions that explain themselves.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts 60 ms sooner
)
app.command()(up.up)
app.command()(down.down)
app.command()(serve.serve)
app.command()(chat.chat)
app.command()(status.status)
app.command()(apply.apply)
app.command()(get.get)
app.command()(delete.delete)
app.command()(events.events)
app.command()(logs.logs)
app.command()(why.why)
app.add_typer(autoscaler.app, name="autoscaler")
app.command()(doctor.doctor)
app.command("env")(environment.env)
app.add_typer(users.app, name="user")
app.command()(fetch.fetch)
app.command()(gateway.gateway)
app.command()(services.services)
app.command()(controllers.controllers)
app.command()(apiserver.apiserver)
app.command(hidden=True)(machine.machine)
app.command()(version.version)


def run() -> None:
    """The console script."""
    try:
        app()
    except errors.BrickyardError as error:
        print(f"error: {error}", file=sys.stderr)
        if error.hint:
            print(f"  → {error.hint}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader has seen enough (`brickyard logs | head`); what is still buffered must not be written at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    run()
