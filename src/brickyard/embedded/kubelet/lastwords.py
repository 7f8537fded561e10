"""What a container says of its end: its termination message, or the end of its log.

    policy                   the file at terminationMessagePath   it is empty, and the container failed
    File                     said as it is                        the last few lines of the log
    FallbackToLogsOnError    said as it is                        the last 80 lines of the log, 2048 bytes at most

Under ``File`` Kubernetes says nothing in the last case. Here a container that is restarted again and again is to explain itself in
its pod's status, whatever its manifest left to the default.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from brickyard.embedded.kubelet import logtext

MESSAGE_LIMIT = 4096
"""Bytes of a termination message. ``POD_LIMIT``: of those of all containers of a pod together."""
POD_LIMIT = 12 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Files:
    """Where a container's last words may be: its termination message and its log."""

    message: pathlib.Path
    log: pathlib.Path


@dataclasses.dataclass(frozen=True, slots=True)
class _Extent:
    lines: int
    size: int


_EXTENTS = {"FallbackToLogsOnError": _Extent(80, 2048)}
_BRIEF = _Extent(10, 1024)


def share(containers: int) -> int:
    """Bytes that each of so many containers may say."""
    return min(MESSAGE_LIMIT, POD_LIMIT // max(1, containers))


def read(files: Files, container: Mapping[str, Any], exit_code: int, limit: int) -> str:
    """A run's last words, ``limit`` bytes at most; "" when there are none, or it succeeded without any. Blocks."""
    said = _head(files.message, limit)
    if said or exit_code == 0:
        return said
    extent = _EXTENTS.get(container.get("terminationMessagePolicy") or "", _BRIEF)
    return logtext.tail(files.log, extent.lines, min(extent.size, limit)).decode(errors="replace").rstrip()


def _head(path: pathlib.Path, limit: int) -> str:
    try:
        with path.open("rb") as file:
            return file.read(limit).decode(errors="replace")
    except OSError:
        return ""
