"""One JSON line per request, off by default.

Lines are gathered and written once per sweep, or earlier when many wait: a request pays for a dict and its rendering, not for a
write. What cannot be written is dropped and said once; requests go on.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import BinaryIO, Final

import orjson

from brickyard.gateway import errors
from brickyard.lib import logs

log = logs.get(__name__)

_FLUSH_AT: Final = 512


class AccessLog:
    """Writes to ``path``; ``-`` is standard output."""

    def __init__(self, path: str) -> None:
        self._lines: list[bytes] = []
        self._owned = path != "-"
        self._failed = False
        try:
            self._file: BinaryIO = open(path, "ab", buffering=0) if self._owned else sys.stdout.buffer  # noqa: SIM115, PTH123 - lives as long as the gateway; a path as given
        except OSError as error:
            raise errors.GatewayError(
                f"the access log {path} cannot be written: {error.strerror}",
                hint="set BRICKYARD_GATEWAY_ACCESS_LOG to a file in a writable folder, or to - for standard output",
            ) from error

    def write(self, record: Mapping[str, object]) -> None:
        """Add a line."""
        self._lines.append(orjson.dumps(record))
        if len(self._lines) >= _FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Write what has gathered."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        try:
            self._file.write(b"\n".join((*lines, b"")))
            self._file.flush()
        except OSError as error:
            if not self._failed:
                self._failed = True
                log.warning("access log cannot be written, lines are lost", error=error.strerror)

    def close(self) -> None:
        """Write the rest."""
        self.flush()
        if self._owned:
            self._file.close()
