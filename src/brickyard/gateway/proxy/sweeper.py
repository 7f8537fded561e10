"""The data plane's one timer: looks at every deadline, at a grain that the shortest of them asks for.

A timer per request would cost as much as parsing one; a walk over ten thousand connections once a second costs a thousandth of that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from brickyard.gateway import settings
from brickyard.gateway.proxy import plane
from brickyard.lib import logs

log = logs.get(__name__)

_FINEST: Final = 0.01
_COARSEST: Final = 1.0
_PART: Final = 8


def grain(options: settings.GatewaySettings) -> float:
    """Seconds between two sweeps: an eighth of the shortest deadline, within 10 ms and 1 s."""
    shortest = min(
        options.head_timeout,
        options.body_timeout,
        options.keepalive_timeout,
        options.client_stall_timeout,
        options.connect_timeout,
        options.first_byte_timeout,
        options.idle_timeout,
        options.total_timeout,
        options.pool_idle_timeout,
    )
    return min(_COARSEST, max(_FINEST, shortest / _PART))


def sweep(shared: plane.Plane) -> None:
    """Look at every deadline once."""
    shared.tick = now = shared.now()
    for client in tuple(shared.clients):
        _look(client.sweep, now, client.abort)
    _look(shared.queue.sweep, now)
    _look(shared.pools.reap, now)
    if shared.access is not None:
        shared.access.flush()


def _look(at: Callable[[float], None], now: float, otherwise: Callable[[], None] | None = None) -> None:
    try:
        at(now)
    except Exception as fault:  # noqa: BLE001 - what is wrong with one connection must not take the deadlines of all others along
        _failed(fault)
        if otherwise is not None:
            otherwise()


def _failed(fault: Exception) -> None:
    log.error("a deadline could not be looked at", exc=fault)


async def run(shared: plane.Plane) -> None:
    """Sweep until cancelled."""
    pause = grain(shared.settings)
    while True:
        await asyncio.sleep(pause)
        sweep(shared)
