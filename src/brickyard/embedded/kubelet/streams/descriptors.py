"""Pipes and terminals as something to wait for. One reader and one writer each; the pipe is the only buffer."""

from __future__ import annotations

import asyncio
import os
import termios

from brickyard.api.kinds import podstreams

CHUNK = 64 * 1024
LINGER = 0.5
"""Seconds of silence after which the output of a command that has ended is taken for complete: what it left running may hold it open."""


class Source:
    """The end of a pipe or terminal that is read. Owns the descriptor."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[bool] | None = None
        self._ended = False

    async def read(self) -> bytes:
        """The next bytes; b"" at the end."""
        while True:
            try:
                return os.read(self._descriptor, CHUNK)
            except BlockingIOError:
                if not await self._readable():
                    return b""
            except OSError:
                # How Linux says that nobody holds the other side of a terminal any more.
                return b""

    def linger(self) -> None:
        """The command has ended: from now on a silence is the end."""
        self._ended = True
        if self._waiting is not None:
            self._loop.call_later(LINGER, _resolve, self._waiting, False)

    async def _readable(self) -> bool:
        waiting: asyncio.Future[bool] = self._loop.create_future()
        self._waiting = waiting
        self._loop.add_reader(self._descriptor, _resolve, waiting, True)
        if self._ended:
            self.linger()
        try:
            return await waiting
        finally:
            self._loop.remove_reader(self._descriptor)
            self._waiting = None

    def close(self) -> None:
        """Let go of the descriptor; a second time does nothing."""
        self._descriptor = _close(self._descriptor)


class Sink:
    """The end of a pipe or terminal that is written. Owns the descriptor."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()

    async def write(self, data: bytes) -> bool:
        """Write all of ``data``, waiting for room; False when nobody reads any more."""
        left = memoryview(data)
        while left and self._descriptor >= 0:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                await self._writable()
            except OSError:
                self.close()
        return self._descriptor >= 0

    async def _writable(self) -> None:
        waiting: asyncio.Future[bool] = self._loop.create_future()
        self._loop.add_writer(self._descriptor, _resolve, waiting, True)
        try:
            await waiting
        finally:
            self._loop.remove_writer(self._descriptor)

    def resize(self, size: podstreams.Size) -> None:
        """Tell a terminal how large it is; whoever runs on it gets SIGWINCH."""
        if self._descriptor >= 0:
            termios.tcsetwinsize(self._descriptor, (min(size.rows, 0xFFFF), min(size.columns, 0xFFFF)))

    def close(self) -> None:
        """Let go of the descriptor: the reader sees the end. A second time does nothing."""
        self._descriptor = _close(self._descriptor)


def _resolve(waiting: asyncio.Future[bool], value: bool) -> None:
    if not waiting.done():
        waiting.set_result(value)


def _close(descriptor: int) -> int:
    if descriptor >= 0:
        os.close(descriptor)
    return -1
