"""Whether requests are written down for the optimizer, and where."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from brickyard.accounts import errors
from brickyard.accounts import settings as accounts
from brickyard.assembly import stores
from brickyard.gateway.optimizer import settings, traces, writer
from brickyard.lib import clock, logs, tasks

log = logs.get(__name__)


@contextlib.asynccontextmanager
async def records(
    given: settings.OptimizerSettings, store: accounts.AccountSettings, time: clock.Clock
) -> AsyncIterator[traces.Traces | None]:
    """Counts that are written while the context lasts, to the Redis that accounts lie in; None where nothing is to be written.

    Raises:
        StoreUnusableError: Redis' client is not installed.
    """
    if not given.records:
        yield None
        return
    if not stores.is_redis(store.store):
        log.warning("no requests are written down: records for the optimizer need a store in Redis")
        yield None
        return
    try:
        from brickyard.gateway.optimizer import redis  # noqa: PLC0415 - its client is an extra
    except ImportError as error:
        raise errors.StoreUnusableError(
            "Redis' client is not installed", hint="pip install 'brickyard[redis]'"
        ) from error
    counted = traces.Traces()
    async with contextlib.aclosing(redis.RedisRecords(store.store)) as kept, tasks.Scope("optimizer") as scope:
        scope.start(writer.run(counted, kept, time), name="records")
        yield counted
