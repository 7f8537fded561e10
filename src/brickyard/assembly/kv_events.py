"""Engines' KV events brought to the gateway's prefix index, where pods publish them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from brickyard.assembly import engines
from brickyard.gateway.endpoints import director
from brickyard.gateway.kvevents import book, follower, settings
from brickyard.lib import clock, tasks


@asynccontextmanager
async def followed(
    given: settings.KvEventSettings, chooser: director.TableDirector, time: clock.Clock
) -> AsyncIterator[book.Book]:
    """Listen to every endpoint that says it publishes, as long as the context lasts; what is known of them."""
    prefixes = chooser.prefixes
    known = book.Book(prefixes.made, prefixes, given, time)
    if not given.wanted:
        yield known
        return
    ears = follower.Follower(chooser.table.endpoints, known, engines.kv_events(), given)
    prefixes.witness = ears
    async with tasks.Scope("kv-events") as scope:
        scope.start(ears.run(), name="follower")
        yield known
