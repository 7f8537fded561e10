"""The logs of our own parts, read back and followed. The supervisor writes and rotates them as shims do containers' logs."""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import AsyncIterator

from brickyard.embedded import home
from brickyard.embedded.kubelet import logfiles
from brickyard.lib import errors

PARTS = ("machine", "gateway", "services", "up")
PAUSE = 0.2
"""Seconds between looks at a log that does not grow."""


class NoLog(errors.UsageError):
    """The part has never said anything here."""


async def read(place: home.Home, part: str, *, follow: bool, tail: int | None) -> AsyncIterator[bytes]:
    """The log of ``part``, or its last ``tail`` lines; with ``follow`` it goes on until nothing runs in ``place`` any more.

    Raises:
        NoLog: there is none.
    """
    path = path_of(place, part)
    try:
        reader = await asyncio.to_thread(logfiles.Reader, path, tail)
    except FileNotFoundError:
        raise NoLog(f"no log at {path}", hint="start Brickyard with `brickyard up --detach`") from None
    try:
        while True:
            # Asked before the last look: what is written before the end is not missed.
            over = not follow or place.running() is None
            while chunk := await asyncio.to_thread(reader.next):
                yield chunk
            if over:
                return
            await asyncio.sleep(PAUSE)
    finally:
        reader.close()


def path_of(place: home.Home, part: str) -> pathlib.Path:
    """Where ``part`` writes to."""
    return place.logs / f"{part}.log"
