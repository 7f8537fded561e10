"""A log file that is rotated by renaming, so that nothing is lost and readers keep what they hold.

    web.log      what is written now
    web.log.7    older generations, numbered in the order in which they were closed; beyond ``keep`` files in all, the oldest goes

A disk that is full costs lines, never the writer: what could not be written is counted, and told in the log once there is room again.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def generations(path: str) -> list[tuple[int, str]]:
    """The closed generations of the log at ``path``, oldest first: (number, path)."""
    folder, name = os.path.split(path)
    start = name + "."
    try:
        names = os.listdir(folder or ".")  # noqa: PTH208 - pathlib is too heavy here
    except FileNotFoundError:
        return []
    numbers = [each[len(start) :] for each in names if each.startswith(start)]
    return [(number, f"{path}.{number}") for number in sorted(int(each) for each in numbers if each.isdecimal())]


class RotatingFile:
    """Appends to the file at ``path``; when it would exceed ``limit`` bytes, begins a new one. Blocks as the disk does.

    ``keep`` counts all files, the one that is written included; it is two at least. ``lost`` makes the text that tells of lost bytes:
    (how many, why) → text.
    """

    def __init__(self, path: str, limit: int, keep: int, lost: Callable[[int, str], bytes]) -> None:
        self._path = path
        self._limit = max(1, limit)
        self._keep = max(2, keep)
        self._lost = lost
        self._missing, self._reason = 0, ""
        self._descriptor, self._size = -1, 0
        self._open()

    def write(self, data: bytes) -> None:
        """Append ``data`` as a whole: it is never divided between two files. Raises nothing."""
        try:
            if self._missing:
                self._append(self._lost(self._missing, self._reason))
                self._missing = 0
            self._append(data)
        except OSError as error:
            self._missing += len(data)
            self._reason = error.strerror or type(error).__name__

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor, self._size = -1, 0

    def _append(self, data: bytes) -> None:
        if self._size and self._size + len(data) > self._limit:
            self._rotate()
        if self._descriptor < 0:
            self._open()
        view, done = memoryview(data), 0
        try:
            while done < len(data):
                done += os.write(self._descriptor, view[done:])
        except OSError:
            # Half a record would spoil the one after it.
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += done

    def _open(self) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        old = generations(self._path)
        os.rename(self._path, f"{self._path}.{old[-1][0] + 1 if old else 1}")  # noqa: PTH104 - as above
        self.close()
        self._open()
        for _, path in old[: max(0, len(old) + 2 - self._keep)]:
            try:
                os.unlink(path)  # noqa: PTH108 - as above
            except OSError:
                continue  # it is tried again with the next rotation
