"""Rotated logs read back: the generations of one log in order, from a line on, while it grows and is rotated.

A generation that is open can be renamed or deleted, and is read to its end all the same; the next one is found by asking which file comes
after it. Everything here blocks, briefly.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterator

from brickyard.embedded.kubelet.shim import files

CHUNK = 64 * 1024
_TRIES = 20
"""Rotations that may happen while a file is looked for."""


def exists(path: pathlib.Path) -> bool:
    """Whether there is anything of the log at ``path``."""
    return path.exists() or bool(files.generations(str(path)))


class Reader:
    """Reads the log at ``path`` from its oldest byte, or from the last ``tail`` lines on. To be closed.

    ``ends`` says whether a record, given with its line break, ends a line of the text that is meant.

    Raises:
        FileNotFoundError: there is nothing of it.
    """

    def __init__(self, path: pathlib.Path, tail: int | None = None, ends: Callable[[bytes], bool] = bool) -> None:
        self._path = str(path)
        held = [_Generation(each) for each in _open_all(self._path)]
        try:
            place, offset = (0, 0) if tail is None else _tail(held, tail, ends)
            self._file = held.pop(place)
            self._file.seek(offset)
        finally:
            for each in held:
                each.close()

    def close(self) -> None:
        self._file.close()

    def next(self) -> bytes:
        """The next bytes; b"" when there are none at present."""
        while not (chunk := self._file.read()):
            following = self._following()
            if following is None:
                return b""
            # It was closed before it was renamed: what is in it now is all.
            if chunk := self._file.read():
                following.close()
                return chunk
            self._file.close()
            self._file = following
        return chunk

    def _following(self) -> _Generation | None:
        """The generation after the one that is read, opened; None when that is the one being written, or all are deleted."""
        try:
            if os.stat(self._path).st_ino == self._file.inode:  # noqa: PTH116 - asked ten times a second
                return None
            found = _open_all(self._path)
        except FileNotFoundError:
            return None
        inodes = [os.fstat(each).st_ino for each in found]
        # One that was deleted meanwhile had what is now the oldest after it, or something that is gone as well.
        place = inodes.index(self._file.inode) + 1 if self._file.inode in inodes else 0
        wanted = found.pop(place) if place < len(found) else -1
        for each in found:
            os.close(each)
        return _Generation(wanted) if wanted >= 0 else None


class _Generation:
    """One open file of a log."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.inode = os.fstat(descriptor).st_ino

    def close(self) -> None:
        os.close(self._descriptor)

    def seek(self, offset: int) -> None:
        os.lseek(self._descriptor, offset, os.SEEK_SET)

    def read(self) -> bytes:
        return os.read(self._descriptor, CHUNK)

    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def backwards(self) -> Iterator[tuple[int, bytes]]:
        """Its records with their line breaks, last first, each with the offset where it begins. The last one may lack its break."""
        start, rest = self.size(), b""
        while start > 0:
            end, start = start, max(0, start - CHUNK)
            block = os.pread(self._descriptor, end - start, start) + rest
            # What stands before the first break may have begun earlier.
            whole = block.find(b"\n") + 1 if start else 0
            rest = block[:whole] if whole or not start else block
            offset = start + len(block)
            for record in reversed(_records(block[whole:]) if whole or not start else ()):
                offset -= len(record)
                yield offset, record


def _records(block: bytes) -> list[bytes]:
    *whole, last = block.split(b"\n")
    return [each + b"\n" for each in whole] + ([last] if last else [])


def _open_all(path: str) -> list[int]:
    """Descriptors of all that is there of the log, oldest first.

    Raises:
        FileNotFoundError: nothing is.
    """
    for _ in range(_TRIES):
        # The current one first: if it is rotated before the others are listed, it is among them, and known by its inode.
        current = _open(path)
        old = [each for each in (_open(name) for _, name in files.generations(path)) if each >= 0]
        if current < 0:
            if old:
                return old
            continue
        inode = os.fstat(current).st_ino
        doubled = next((place for place, each in enumerate(old) if os.fstat(each).st_ino == inode), None)
        if doubled is None:
            return [*old, current]
        os.close(current)
        return old
    raise FileNotFoundError(path)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1


def _tail(held: list[_Generation], lines: int, ends: Callable[[bytes], bool]) -> tuple[int, int]:
    """Where the last ``lines`` lines begin: place of the generation, offset in it. A last line without end counts."""
    found, seen = (len(held) - 1, held[-1].size()), 0
    for place in reversed(range(len(held))):
        for offset, record in held[place].backwards():
            if seen == 0 or ends(record):
                seen += 1
            if seen > lines:
                return found
            found = (place, offset)
    return found
