"""Structured concurrency with names and a clean end.

A ``Scope`` owns the background tasks of a component. Leaving it cancels what still runs and waits for it; a task that fails
ends the scope with its error instead of dying in silence. ``stop_signal`` turns SIGTERM and SIGINT into an event.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Self

from brickyard.lib import logs

log = logs.get(__name__)


class Scope:
    """``async with Scope("kubelet") as scope: scope.start(work(), name="probe")``.

    A failing task cancels its siblings and the body; the first error is raised from the ``async with``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[None]] = set()
        self._owner: asyncio.Task[Any] | None = None
        self._failure: BaseException | None = None
        self._interrupted = False
        self._closing = False

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run ``work`` until it ends or the scope does. Its task is called ``<scope>/<name>``."""
        task = asyncio.create_task(work, name=f"{self._name}/{name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.error("task failed", task=task.get_name(), error=error)
        if self._failure is None:
            self._failure = error
            if self._owner is not None and not self._closing:
                self._interrupted = True
                self._owner.cancel()

    async def __aenter__(self) -> Self:
        self._owner = asyncio.current_task()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._closing = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._failure is None:
            return
        if self._interrupted and self._owner is not None:
            self._owner.uncancel()
        if error is None or isinstance(error, asyncio.CancelledError):
            raise self._failure


@contextlib.asynccontextmanager
async def stop_signal() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM or SIGINT sets; the handlers are removed on exit. Main thread only."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
