"""Blocking calls in a thread that has ended when the await has, also when that is cancelled.

``asyncio.to_thread`` leaves its thread behind on cancellation. A thread that still writes to a file, after the lock on it was given
back, would write into the next holder's work.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def run(call: Callable[[], T], abandon: threading.Event | None = None) -> T:
    """The result of ``call``. On cancellation ``abandon`` is set, the end of ``call`` is awaited and its result thrown away."""
    work = asyncio.create_task(asyncio.to_thread(call), name="model/thread")
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        if abandon is not None:
            abandon.set()
        await asyncio.wait([work])
        with contextlib.suppress(Exception):
            work.result()
        raise
