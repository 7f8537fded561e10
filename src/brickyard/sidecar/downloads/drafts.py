"""A file in the making that a later process can take up where an earlier one stopped. Blocking.

<name>         the bytes so far
<name>.state   the validator of the content they belong to, and its size; without it the bytes are worth nothing
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import threading
from typing import IO, Any, Final

import orjson

from brickyard.sidecar.downloads import errors, wheels

_CHUNK: Final = 1 << 20


@dataclasses.dataclass(slots=True)
class Draft:
    """The file at ``path``, its ``size`` so far, the content's ``validator`` and ``total`` size (None while untold)."""

    path: pathlib.Path
    size: int = 0
    validator: str = ""
    total: int | None = None
    _file: IO[bytes] | None = None
    _digest: Any = None

    @property
    def _state(self) -> pathlib.Path:
        return self.path.with_name(f"{self.path.name}.state")

    @property
    def complete(self) -> bool:
        """All bytes are there."""
        return self.total is not None and self.size == self.total

    def take_up(self, abandon: threading.Event) -> None:
        """Open it with what an earlier process left. ``abandon`` ends reading that.

        Raises:
            Abandoned: ``abandon`` was set.
            OSError: it cannot be opened or read.
        """
        self._file = self.path.open("a+b")
        validator, total = self._read_state()
        if not validator:
            self.restart("", None)
            return
        self.validator, self.total = validator, total
        self._digest = hashlib.sha256()
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            if abandon.is_set():
                raise wheels.Abandoned
            self._digest.update(chunk)
            self.size += len(chunk)
        if total is not None and self.size > total:
            self.restart("", None)

    def restart(self, validator: str, total: int | None) -> None:
        """Throw the bytes away and begin with content that is called ``validator``."""
        self._open.truncate(0)
        self.size, self.validator, self.total, self._digest = 0, validator, total, hashlib.sha256()
        # The state of the bytes that were is gone before that of the bytes to come is there.
        self._state.unlink(missing_ok=True)
        if validator:
            self._state.write_bytes(orjson.dumps({"validator": validator, "total": total}))

    def write(self, data: bytes) -> None:
        """Add ``data``.

        Raises:
            OSError: the disk is full or broken.
        """
        self._open.write(data)
        self._digest.update(data)
        self.size += len(data)

    def finish(self) -> wheels.Extracted:
        """The file, synced."""
        self._open.flush()
        os.fsync(self._open.fileno())
        return wheels.Extracted(self.path, self.size, self._digest.hexdigest())

    def git_oid(self) -> str:
        """The SHA-1 by which git knows the content."""
        self._open.flush()
        digest = hashlib.sha1(f"blob {self.size}\0".encode(), usedforsecurity=False)
        with self.path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def close(self) -> None:
        """Close the file; what is in it stays."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def _open(self) -> IO[bytes]:
        if self._file is None:
            raise errors.CacheUnusableError(f"{self.path} was not opened")
        return self._file

    def _read_state(self) -> tuple[str, int | None]:
        try:
            state = orjson.loads(self._state.read_bytes())
            validator, total = state["validator"], state["total"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return "", None
        good = isinstance(validator, str) and (total is None or isinstance(total, int))
        return (validator, total) if good else ("", None)
