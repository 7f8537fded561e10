"""Workers of a gateway, from the settings: how many, and the command that each of them is."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from typing import Final

from brickyard.assembly import gateway
from brickyard.gateway import workers
from brickyard.gateway.proxy import server
from brickyard.lib import settings

run = workers.run
MARGIN: Final = 5.0
"""Seconds that a worker may take to end beyond its drain and the cutting of connections after it."""


def plan(
    environ: Mapping[str, str], said: gateway.Said, given: gateway.Settings, count: int | None
) -> workers.Plan | None:
    """What the process that looks after workers is to run; None for a gateway that is one process, or one of the workers.

    Raises:
        SettingError: a variable does not parse.
        UsageError: so many workers cannot be.
    """
    wanted = settings.load(workers.WorkerSettings, environ, workers=count).workers
    if given.seat is not None or wanted == 1:
        return None
    argv = (sys.executable, "-m", "brickyard.cli.main", "gateway", *_arguments(said))
    patience = given.proxy.drain_timeout + 2 * server.FINISH + MARGIN
    # Without an access log in a file, a gateway takes SIGHUP for what it usually means.
    log = given.proxy.access_log not in {"", "-"}
    passed_on = (signal.SIGUSR1, signal.SIGHUP) if log else (signal.SIGUSR1,)
    return workers.Plan(argv, wanted, given.proxy.host, given.proxy.port, patience, passed_on)


def _arguments(said: gateway.Said) -> list[str]:
    """The command line again, less what workers are told by variables."""
    given = {
        "--kubeconfig": said.kubeconfig,
        "--endpoints-config": said.endpoints_file,
        "--store": said.store,
        "--strategy": said.strategy,
    }
    return [f"{flag}={value}" for flag, value in given.items() if value is not None]
