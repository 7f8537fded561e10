"""What a command does that runs as a part of the product: how it begins, and what it does once it serves."""

from __future__ import annotations

import os


def begin(level: str = "INFO") -> None:
    """Log, from ``level`` on where nobody wants another one, and do not outlive the supervisor."""
    from brickyard.lib import logs, process

    logs.setup(os.environ.get("BRICKYARD_LOG_LEVEL", level))
    process.die_with_supervisor(os.environ)
    if process.SUPERVISOR_PID not in os.environ:  # else the supervisor has told it
        for each in unread():
            logs.get(__name__).warning(each)


def unread() -> list[str]:
    """What is to be told of variables that look like Brickyard's and that nobody reads."""
    from brickyard.lib import settings

    if not any(name.startswith(settings.PREFIX) for name in os.environ):
        return []  # to know all names takes a fifth of a second
    from brickyard.cli import variables

    return [variables.words(*each) for each in variables.unread(os.environ).items()]


def ready(*_what: object) -> None:
    """It serves: keep the garbage collector's pauses short, and tell the supervisor."""
    from brickyard.lib import garbage, process

    garbage.settle()
    process.announce_ready(os.environ)
