"""What an operator may tell a running gateway: open the access log again (SIGHUP), say more or less in the log (SIGUSR1).

Whoever may send a process a signal owns it already; a page for the same would need somebody to say who may ask it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Final

from brickyard.lib import logs, process

log = logs.get(__name__)

ROOT: Final = "brickyard"


class Verbosity:
    """The level of our own log lines: as it was set, or DEBUG; INFO where it was set to DEBUG."""

    def __init__(self) -> None:
        self._logger = logging.getLogger(ROOT)
        self._usual = self._logger.level

    def toggle(self) -> None:
        """Say more, or as much as before."""
        other = logging.INFO if self._usual == logging.DEBUG else logging.DEBUG
        self._logger.setLevel(other if self._logger.level == self._usual else self._usual)
        level = logging.getLevelName(self._logger.level)
        log.warning("log level changed", level=level)  # a warning, so that it is read at any level

    def restore(self) -> None:
        """As it was."""
        self._logger.setLevel(self._usual)


@contextlib.contextmanager
def heard(reopen: Callable[[], None] | None) -> Iterator[None]:
    """Listen while the context lasts. ``reopen`` None: SIGHUP keeps its meaning. Does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, verbosity = asyncio.get_running_loop(), Verbosity()
    actions = {signal.SIGUSR1: verbosity.toggle}
    if reopen is not None:
        actions[signal.SIGHUP] = functools.partial(_hung_up, reopen)
    for number, action in actions.items():
        loop.add_signal_handler(number, action)
    try:
        yield
    finally:
        for number in actions:
            loop.remove_signal_handler(number)
        verbosity.restore()


def _hung_up(reopen: Callable[[], None]) -> None:
    """Somebody wants the log opened again; or the supervisor is dead, which comes as the same signal and means the end."""
    if process.orphaned(os.environ):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGHUP)
    else:
        reopen()
