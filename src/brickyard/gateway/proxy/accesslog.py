"""One JSON line per request, off by default.

Lines are gathered and handed over once per sweep, or earlier when many wait; a thread writes them. A request pays for a dict and its
rendering, never for a disk or for whoever reads a pipe: when ``_WAITING`` batches wait to be written, further lines are lost, and counted.
What cannot be written is dropped and said once; requests go on.

Whoever rotates the file moves it away and sends SIGHUP: the next batch goes to a new one under the old name.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Mapping
from typing import BinaryIO, Final

import orjson

from brickyard.gateway import errors
from brickyard.lib import logs

log = logs.get(__name__)

_FLUSH_AT: Final = 512
_WAITING: Final = 64
CLOSES_WITHIN: Final = 2.0
"""Seconds that the last lines have to be written; a pipe that nobody reads would hold up the end for ever."""


class AccessLog:
    """Writes to ``path``; ``-`` is standard output. ``lost`` counts lines that found no room."""

    def __init__(self, path: str) -> None:
        self.lost = 0
        self._path = path
        self._lines: list[bytes] = []
        self._owned = path != "-"
        self._failed = False
        self._stale = False
        self._file: BinaryIO = self._open() if self._owned else sys.stdout.buffer
        self._batches: queue.Queue[list[bytes] | None] = queue.Queue(_WAITING)
        self._writer = threading.Thread(target=self._run, name="access log", daemon=True)
        self._writer.start()

    @property
    def rotates(self) -> bool:
        """There is a file that somebody may move away."""
        return self._owned

    def write(self, record: Mapping[str, object]) -> None:
        """Add a line."""
        self._lines.append(orjson.dumps(record))
        if len(self._lines) >= _FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Hand over what has gathered."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            self._batches.put_nowait(lines)
        except queue.Full:
            if not self.lost:
                log.warning("access log is not written fast enough, lines are lost", path=self._path)
            self.lost += len(lines)

    def reopen(self) -> None:
        """The file was moved away: whatever is handed over from now on goes to a new one under its name."""
        self.flush()
        self._stale = self._owned
        log.info("access log is opened again", path=self._path)

    def close(self) -> None:
        """Write the rest, as far as it can be written within ``CLOSES_WITHIN`` seconds."""
        self.flush()
        try:
            self._batches.put(None, timeout=CLOSES_WITHIN)
        except queue.Full:
            return
        self._writer.join(CLOSES_WITHIN)

    # In the thread.

    def _run(self) -> None:
        while (lines := self._batches.get()) is not None:
            if self._stale:
                self._renew()
            try:
                self._file.write(b"\n".join((*lines, b"")))
                self._file.flush()
            except OSError as error:
                if not self._failed:
                    self._failed = True
                    log.warning("access log cannot be written, lines are lost", error=error.strerror)
        if self._owned:
            self._file.close()

    def _renew(self) -> None:
        self._stale = False
        try:
            fresh = self._open()
        except errors.GatewayError as error:
            log.warning("access log stays where it was", error=error)
            return
        self._file.close()
        self._file = fresh

    def _open(self) -> BinaryIO:
        try:
            return open(self._path, "ab", buffering=0)  # noqa: PTH123 - lives as long as the gateway; a path as given
        except OSError as error:
            raise errors.GatewayError(
                f"the access log {self._path} cannot be written: {error.strerror}",
                hint="set BRICKYARD_GATEWAY_ACCESS_LOG to a file in a writable folder, or to - for standard output",
            ) from error
