"""The logs of our own parts, read and followed as containers' logs are: what was rotated first, then what is yet to come."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import AsyncIterator

from brickyard.embedded import home
from brickyard.embedded.kubelet import podlogs
from brickyard.lib import errors

PARTS = ("machine", "gateway", "up")


class NoLog(errors.UsageError):
    """The part has never said anything here."""


async def read(place: home.Home, part: str, *, follow: bool, tail: int | None) -> AsyncIterator[bytes]:
    """The log of ``part``; with ``follow`` it goes on until nothing runs in ``place`` any more.

    Raises:
        NoLog: there is none.
    """
    path = path_of(place, part)
    if not await asyncio.to_thread(path.exists):
        raise NoLog(f"no log at {path}", hint="start Brickyard with `brickyard up --detach`")
    run = podlogs.Run(path, lambda: place.running() is None)
    async for chunk in podlogs.read(run, follow=follow, tail=tail, limit=None):
        yield chunk


def path_of(place: home.Home, part: str) -> pathlib.Path:
    """Where ``part`` writes to."""
    return place.logs / f"{part}.log"
