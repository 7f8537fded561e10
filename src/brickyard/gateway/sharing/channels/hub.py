"""The hub of one machine: whoever connects to its socket hears what the others say. It understands nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from typing import Self

from brickyard.gateway.sharing.channels import frames
from brickyard.lib import logs

log = logs.get(__name__)


class Hub:
    """``async with Hub(path): …`` listens on the Unix socket ``path``, which only its owner may open; the folder must exist."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._pipes: set[frames.Pipe] = set()
        self._members: dict[str, frames.Pipe] = {}
        self._server: asyncio.Server | None = None
        self._emptied = asyncio.Event()
        self._emptied.set()

    @property
    def members(self) -> tuple[str, ...]:
        """Names of those who are there."""
        return tuple(self._members)

    async def __aenter__(self) -> Self:
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._pipe, str(self._path))
        self._path.chmod(0o600)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for pipe in tuple(self._pipes):
            pipe.abort()
        await self._emptied.wait()

    def _pipe(self) -> frames.Pipe:
        pipe = frames.Pipe(self._heard, self._lost)
        self._pipes.add(pipe)
        self._emptied.clear()
        return pipe

    def _heard(self, pipe: frames.Pipe, frame: frames.Frame) -> None:
        if frame.kind is frames.Kind.JOIN:
            pipe.name = frame.name
            self._members[frame.name] = pipe
        elif frame.kind is frames.Kind.DATA and pipe.name:
            data = frames.encode(frames.Frame(frames.Kind.DATA, pipe.name, frame.payload))
            to = self._members.get(frame.name)
            if to is not None:
                to.write(data)
            elif not frame.name:
                self._to_others(pipe, data)

    def _lost(self, pipe: frames.Pipe) -> None:
        self._pipes.discard(pipe)
        if not self._pipes:
            self._emptied.set()
        if self._members.get(pipe.name) is pipe:
            del self._members[pipe.name]
            self._to_others(pipe, frames.encode(frames.Frame(frames.Kind.LEFT, pipe.name)))

    def _to_others(self, pipe: frames.Pipe, data: bytes) -> None:
        for other in self._members.values():
            if other is not pipe:
                other.write(data)
