"""One JSON line per request: when, who, what, how it ended, how long it took. What cannot be written is dropped and said once."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import BinaryIO

import orjson

from brickyard.lib import logs
from brickyard.services import errors

log = logs.get(__name__)


class AccessLog:
    """Writes to ``path``; ``-`` is standard output, "" nowhere."""

    def __init__(self, path: str) -> None:
        self._file: BinaryIO | None = None
        self._owned = path not in ("", "-")
        self._failed = False
        if path == "-":
            self._file = sys.stdout.buffer
        elif path:
            try:
                self._file = open(path, "ab", buffering=0)  # noqa: SIM115, PTH123 - lives as long as the services; a path as given
            except OSError as error:
                raise errors.ServicesError(
                    f"the access log {path} cannot be written: {error.strerror}",
                    hint="set BRICKYARD_SERVICES_ACCESS_LOG to a file in a writable folder, or to - for standard output",
                ) from error

    def write(self, record: Mapping[str, object]) -> None:
        """Add a line."""
        if self._file is None:
            return
        try:
            self._file.write(orjson.dumps(record) + b"\n")
            self._file.flush()
        except OSError as error:
            if not self._failed:
                self._failed = True
                log.warning("access log cannot be written, lines are lost", error=error.strerror)

    def close(self) -> None:
        """Let go of the file."""
        if self._owned and self._file is not None:
            self._file.close()
