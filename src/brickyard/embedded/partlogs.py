"""The logs of our own parts, read back and followed.

A part writes straight to its file, so that its last words are there whatever becomes of us; a rotation moves what is written aside,
``gateway.log.1`` and on, by renaming the file or by copying it and cutting it to nothing. Who follows finds its place again after
either. What is copied may begin with a hole, where older text was: zeros, which are left out.
"""

from __future__ import annotations

import asyncio
import collections
import os
import pathlib
from collections.abc import AsyncIterator
from typing import BinaryIO

from brickyard.embedded import home
from brickyard.lib import errors

PARTS = ("machine", "gateway", "services", "up")
PAUSE = 0.2
"""Seconds between looks at a log that does not grow."""
_CHUNK = 256 * 1024


class NoLog(errors.UsageError):
    """The part has never said anything here."""


async def read(place: home.Home, part: str, *, follow: bool, tail: int | None) -> AsyncIterator[bytes]:
    """The log of ``part``, or its last ``tail`` lines; with ``follow`` it goes on until nothing runs in ``place`` any more.

    Raises:
        NoLog: there is none.
    """
    path = path_of(place, part)
    try:
        reader = _Reader(path)
    except FileNotFoundError:
        raise NoLog(f"no log at {path}", hint="start Brickyard with `brickyard up --detach`") from None
    try:
        yield await asyncio.to_thread(reader.held, tail)
        while follow:
            # Asked before the last look: what is written before the end is not missed.
            over = place.running() is None
            while chunk := await asyncio.to_thread(reader.more):
                yield chunk
            if over:
                return
            await asyncio.sleep(PAUSE)
    finally:
        reader.close()


def path_of(place: home.Home, part: str) -> pathlib.Path:
    """Where ``part`` writes to."""
    return place.logs / f"{part}.log"


def generations(path: pathlib.Path) -> list[pathlib.Path]:
    """What was moved aside of the log at ``path``, oldest first."""
    start = f"{path.name}."
    numbers = (each.name[len(start) :] for each in path.parent.glob(f"{start}*"))
    return [path.with_name(f"{start}{number}") for number in sorted(int(each) for each in numbers if each.isdecimal())]


class _Reader:
    """The file that is written now, and where its reader is. Blocks."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("rb")

    def close(self) -> None:
        self._file.close()

    def held(self, tail: int | None) -> bytes:
        """All there is now, or its last lines."""
        lines: collections.deque[bytes] = collections.deque(maxlen=tail)
        for each in generations(self._path):
            lines.extend(each.read_bytes().lstrip(b"\0").splitlines(keepends=True))
        lines.extend(self._file.read().splitlines(keepends=True))
        return b"".join(lines)

    def more(self) -> bytes:
        """The next bytes; b"" when there are none at present."""
        position = self._file.tell()
        state = os.fstat(self._file.fileno())
        if state.st_size < position:
            return self._cut(position)
        if chunk := self._file.read(_CHUNK):
            return chunk
        try:
            moved = self._path.stat().st_ino != state.st_ino
        except FileNotFoundError:
            return b""
        if moved:
            self._file.close()
            self._file = self._path.open("rb")
            return self._file.read(_CHUNK)
        return b""

    def _cut(self, position: int) -> bytes:
        """The file was copied aside and cut: what was not read yet is the end of the copy."""
        self._file.seek(0)
        missed = b""
        if aside := generations(self._path):
            with aside[-1].open("rb") as copy:
                copy.seek(position)
                missed = copy.read()
        return missed + self._file.read(_CHUNK)
