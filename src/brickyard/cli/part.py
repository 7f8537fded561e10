"""What a command does that runs as a part of the product: how it begins, and what it does once it serves."""

from __future__ import annotations

import os


def begin(level: str = "INFO") -> None:
    """Log, from ``level`` on where nobody wants another one, and do not outlive the supervisor."""
    from brickyard.lib import logs, process

    logs.setup(os.environ.get("BRICKYARD_LOG_LEVEL", level))
    process.die_with_supervisor(os.environ)


def ready(*_what: object) -> None:
    """It serves: keep the garbage collector's pauses short, and tell the supervisor."""
    from brickyard.lib import garbage, process

    garbage.settle()
    process.announce_ready(os.environ)
