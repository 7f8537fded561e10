"""Writes records on the grid of ten seconds. A record that comes late, or that the store does not take, is not made up for."""

from __future__ import annotations

import asyncio
import math
from typing import Final

from brickyard.gateway.optimizer import contract, traces
from brickyard.lib import clock, logs

log = logs.get(__name__)

LATENESS: Final = 0.5
"""Seconds around the window's end within which a record must be on its way; else its counts go into the next one."""


async def run(counted: traces.Traces, records: contract.Records, time: clock.Clock) -> None:
    """Write until cancelled."""
    at = await _border(0, time)
    counted.begin()
    away = False
    while True:
        at = await _border(at, time)
        if abs(time.wall() - at) > LATENESS:  # late, or the clock was set meanwhile
            continue
        taken = {traces.key(model, at): record for model, record in counted.take().items()}
        if not taken:
            continue
        try:
            await records.add(taken)
        except contract.RecordsAwayError as error:
            if not away:
                log.warning("records for the optimizer are lost", error=error)
            away = True
        else:
            if away:
                log.info("records for the optimizer are written again")
            away = False


async def _border(last: int, time: clock.Clock) -> int:
    """Sleep until the next multiple of the interval other than ``last``; which one it is, in Unix seconds."""
    now = time.wall()
    at = (math.floor(now / contract.INTERVAL) + 1) * contract.INTERVAL
    if at == last:  # woken a hair before it
        at += contract.INTERVAL
    await asyncio.sleep(at - now)
    return at
