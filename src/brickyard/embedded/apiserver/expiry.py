"""Events grow old: those past their time, and the oldest beyond a number, are forgotten."""

from __future__ import annotations

import asyncio
from typing import Final

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import records, store
from brickyard.embedded.apiserver.context import Context
from brickyard.lib import errors, logs, timestamps

log = logs.get(__name__)

_EVENTS: Final = records.resource_of(resources.EVENT)
_EVERY = 60.0
_TIMES = ("lastTimestamp", "series.lastObservedTime", "eventTime", "metadata.creationTimestamp")


def last_seen(event: records.Record) -> float:
    """When an event last happened, in Unix seconds; 0.0 where it does not say."""
    for path in _TIMES:
        text = event.field(path)
        if text:
            try:
                return timestamps.parse_rfc3339(text)
            except ValueError:
                continue
    return 0.0


def expired(events: list[records.Record], now: float, ttl: float, limit: int) -> list[records.Record]:
    """Which of ``events`` go: older than ``ttl`` seconds, and the oldest beyond ``limit``."""
    newest_first = sorted(events, key=last_seen, reverse=True)
    return [event for index, event in enumerate(newest_first) if index >= limit or last_seen(event) < now - ttl]


async def run(context: Context, ttl: float, limit: int) -> None:
    """Forget old events until cancelled."""
    while True:
        for event in expired(context.store.list(_EVENTS), context.now(), ttl, limit):
            try:
                await _forget(context.store, event)
            except errors.BrickyardError as error:
                log.warning("an old event could not be forgotten", event=event.key.name, error=error)
        await asyncio.sleep(_EVERY)


async def _forget(objects: store.Store, event: records.Record) -> None:
    if objects.latest(event.key) is event:
        await objects.remove(event)
