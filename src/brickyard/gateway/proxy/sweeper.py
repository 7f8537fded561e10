"""The data plane's one timer: looks at every deadline, at a grain that the shortest of them asks for.

A timer per request would cost as much as parsing one; a walk over ten thousand connections once a second costs a thousandth of that.
"""

from __future__ import annotations

import asyncio
from typing import Final

from brickyard.gateway import settings
from brickyard.gateway.proxy import plane

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
        client.sweep(now)
    shared.queue.sweep(now)
    shared.pools.reap(now)
    if shared.access is not None:
        shared.access.flush()


async def run(shared: plane.Plane) -> None:
    """Sweep until cancelled."""
    pause = grain(shared.settings)
    while True:
        await asyncio.sleep(pause)
        sweep(shared)
