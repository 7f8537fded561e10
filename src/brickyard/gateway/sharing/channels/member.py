"""A gateway's end of a hub."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Final

from brickyard.gateway.sharing import contract
from brickyard.gateway.sharing.channels import frames
from brickyard.lib import backoff

AGAIN: Final = backoff.Backoff(0.05, 2, 1.0)
PATIENCE: Final = 2.0
"""Seconds to connect in."""


class HubChannel:
    """The hub at the Unix socket ``path``, as ``name``; a ``contract.Channel``."""

    def __init__(self, path: pathlib.Path, name: str) -> None:
        self._path = path
        self._name = name
        self._traffic = contract.Traffic()
        self._dropped_before = 0
        self._pipe: frames.Pipe | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def connected(self) -> bool:
        return self._pipe is not None

    @property
    def traffic(self) -> contract.Traffic:
        if self._pipe is not None:
            self._traffic.dropped = self._dropped_before + self._pipe.dropped
        return self._traffic

    def send(self, payload: bytes, to: str = "") -> bool:
        if self._pipe is None:
            return False
        self._pipe.write(frames.encode(frames.Frame(frames.Kind.DATA, to, payload)))
        self._traffic.sent += 1
        return True

    async def run(self, listener: contract.Listener) -> None:
        failures = 0
        while True:
            over = asyncio.Event()

            def heard(_: frames.Pipe, frame: frames.Frame) -> None:
                self._heard(frame, listener)

            def lost(_: frames.Pipe, over: asyncio.Event = over) -> None:
                over.set()

            try:
                pipe = await self._connect(frames.Pipe(heard, lost))
            except (OSError, TimeoutError):
                failures += 1
            else:
                failures = 0
                await self._stay(pipe, over, listener)
            await asyncio.sleep(AGAIN.delay(max(1, failures)))

    async def _connect(self, pipe: frames.Pipe) -> frames.Pipe:
        async with asyncio.timeout(PATIENCE):
            await asyncio.get_running_loop().create_unix_connection(lambda: pipe, str(self._path))
        return pipe

    async def _stay(self, pipe: frames.Pipe, over: asyncio.Event, listener: contract.Listener) -> None:
        pipe.write(frames.encode(frames.Frame(frames.Kind.JOIN, self._name)))
        self._pipe = pipe
        try:
            listener.joined()
            await over.wait()
            self._traffic.losses += 1
        finally:
            self._dropped_before += pipe.dropped
            self._pipe = None
            pipe.close()
        listener.away()

    def _heard(self, frame: frames.Frame, listener: contract.Listener) -> None:
        if frame.kind is frames.Kind.DATA:
            self._traffic.received += 1
            listener.received(frame.payload)
        elif frame.kind is frames.Kind.LEFT:
            listener.left(frame.name)
