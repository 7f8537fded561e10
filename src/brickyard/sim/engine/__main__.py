"""``python -m brickyard.sim.engine``: an engine double of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import uvloop

from brickyard.lib import errors, logs, process, tasks
from brickyard.sim.engine import options, server

log = logs.get("brickyard.sim.engine")


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop; the exit code."""
    logs.setup(os.environ.get("BRICKYARD_LOG_LEVEL", "INFO"))
    try:
        chosen = options.read(arguments, os.environ)
        if chosen.ignored:
            log.info("flags that mean nothing without a model are ignored", flags=" ".join(chosen.ignored))
        uvloop.run(_serve(chosen))
    except errors.BrickyardError as error:
        sys.stderr.write(f"error: {error}\n" + (f"  → {error.hint}\n" if error.hint else ""))
        return error.exit_code
    return 0


async def _serve(chosen: options.Options) -> None:
    async with tasks.stop_signal() as stop:
        await server.serve(chosen, stop, ready=lambda _: process.announce_ready(os.environ))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
