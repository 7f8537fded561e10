"""The ``brickyard`` command: its subcommands, and how an error becomes a message and an exit code.

Exit codes: 0 fine, 1 it failed, 2 it was asked for something that cannot be, 130 interrupted.
"""

from __future__ import annotations

import os
import sys

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
    helping,
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

app = helping.App(
    name="brickyard",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts 60 ms sooner
)
app.callback()(version.asked)
app.command(short_help="Start everything on this machine.")(up.up)
app.command()(down.down)
app.command(short_help="Serve a model, and wait until it answers.")(serve.serve)
app.command(short_help="Talk to a model.")(chat.chat)
app.command(short_help="Show what is served, its load, and what is wrong with it.")(status.status)
app.command()(apply.apply)
app.command()(get.get)
app.command()(delete.delete)
app.command()(events.events)
app.command()(logs.logs)
app.command(short_help="Show why an endpoint was chosen for a request.")(why.why)
app.add_typer(autoscaler.app, name="autoscaler", short_help="See why autoscalers decide as they do; try settings.")
app.command(short_help="Look whether this machine has what is needed.")(doctor.doctor)
app.command("env", short_help="Print variables that point kubectl and OpenAI clients here.")(environment.env)
app.add_typer(users.app, name="user")
app.command(short_help="Fetch a model into the model cache.")(fetch.fetch)
app.command(short_help="Run the gateway alone: before a cluster's models, or a file of endpoints.")(gateway.gateway)
app.command(short_help="Run the services alone: users, limits, API keys.")(services.services)
app.command(cls=controllers.Command, short_help="Run the controllers of a cluster.")(controllers.controllers)
app.command(short_help="Serve the Kubernetes API alone.")(apiserver.apiserver)
app.command(hidden=True)(machine.machine)
app.command()(version.version)


def run() -> None:
    """The console script."""
    try:
        app()
    except errors.BrickyardError as error:
        from brickyard.cli import refusals

        print("error:", "\n".join(refusals.lines(error)), file=sys.stderr)
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
