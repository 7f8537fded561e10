"""Whether the gateway reads the optimizer's profiles, and from where."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from brickyard.accounts import errors
from brickyard.gateway.endpoints import gpuprofiles
from brickyard.lib import tasks
from brickyard.routing.policies.slo import objectives

_REDIS = ("redis://", "rediss://", "unix://")


@contextlib.asynccontextmanager
async def followed(store: str, known: objectives.SloLedger, *, wanted: bool) -> AsyncIterator[None]:
    """``known`` is kept as the Redis at ``store`` says while the context lasts; left alone where that is none, or nobody wants it.

    Raises:
        StoreUnusableError: Redis' client is not installed.
    """
    if not wanted or not store.startswith(_REDIS):
        yield
        return
    try:
        from brickyard.gateway.endpoints import redisprofiles  # noqa: PLC0415 - its client is an extra
    except ImportError as error:
        raise errors.StoreUnusableError(
            "Redis' client is not installed", hint="pip install 'brickyard[redis]'"
        ) from error
    async with contextlib.aclosing(redisprofiles.RedisProfiles(store)) as source, tasks.Scope("profiles") as scope:
        scope.start(gpuprofiles.GpuProfiles(source, known).follow(), name="profiles")
        yield
