"""A gateway's way to the others, from the settings: over Redis between machines, over their hub between workers of one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import AsyncIterator
from typing import Final

from prometheus_client import registry

from brickyard.assembly import stores
from brickyard.gateway import workers
from brickyard.gateway.endpoints import director
from brickyard.gateway.sharing import contract, metrics, neighbours, settings, sharer
from brickyard.gateway.sharing.channels import member
from brickyard.lib import clock, errors, tasks

OFF: Final = "off"
_UNIX: Final = "unix://"
_REDIS: Final = ("redis://", "rediss://")


@dataclasses.dataclass(frozen=True, slots=True)
class Shared:
    """What a data plane sees of it: ``neighbours`` are the other workers of this machine, None without any."""

    neighbours: neighbours.Neighbours | None = None
    collectors: tuple[registry.Collector, ...] = ()


@contextlib.asynccontextmanager
async def shared(
    given: settings.SharingSettings, store: str, seat: workers.Seat | None, chooser: director.TableDirector
) -> AsyncIterator[Shared]:
    """Share what ``chooser`` has open until the end of the block. ``store``: where accounts are kept.

    Raises:
        UsageError: the channel's address names no channel.
        ChannelUnusableError: it cannot be read.
    """
    time = clock.SystemClock()
    name = f"{os.uname().nodename}-{os.getpid()}-{os.urandom(4).hex()}"
    hub = None if seat is None else member.HubChannel(seat.hub, name)
    channel = _channel(given, store, name) or (None if given.channel == OFF else hub)
    near = None if hub is None or seat is None else neighbours.Neighbours(hub, str(seat.number), seat.count)
    async with tasks.Scope("sharing") as scope:
        if channel is None:
            if near is not None:
                scope.start(near.run(), name="neighbours")
            yield Shared(near)
            return
        end = sharer.Sharer(chooser.table, chooser.prefixes, channel, given, time=time)
        if channel is hub and near is not None:
            near.onward = end
            scope.start(end.run(near.run()), name="sharer")
        else:
            scope.start(end.run(), name="sharer")
            if near is not None:
                scope.start(near.run(), name="neighbours")
        yield Shared(near, (metrics.SharingMetrics(end, time.monotonic),))


def _channel(given: settings.SharingSettings, store: str, name: str) -> contract.Channel | None:
    """The channel that is asked for; the Redis of the accounts where nobody asked; none."""
    if given.channel == OFF:
        return None
    if given.channel.startswith(_UNIX):
        return member.HubChannel(pathlib.Path(given.channel.removeprefix(_UNIX)), name)
    if given.channel and not given.channel.startswith(_REDIS):
        raise errors.UsageError(
            f"{given.channel.partition(':')[0]} is no kind of channel between gateways",
            hint="write redis://HOST:PORT/DATABASE, unix:///PATH or off in BRICKYARD_GATEWAY_SHARING",
        )
    if not given.channel and not stores.is_redis(store):
        return None
    try:
        from brickyard.gateway.sharing.channels import redis  # noqa: PLC0415 - its client is an extra
    except ImportError as error:
        raise errors.UsageError(
            "Redis' client is not installed",
            hint="pip install 'brickyard[redis]', or set BRICKYARD_GATEWAY_SHARING=off",
        ) from error
    return redis.RedisChannel(given.channel or store, given.group, name)
