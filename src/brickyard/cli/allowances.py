"""What this process and its children are allowed to use: memory by the control group, descriptors and processes by ``ulimit``.

A container or a systemd slice may hold less memory than the machine shows; who goes beyond is killed without a word. Both
hierarchies of control groups are read, since machines have either, and a limit anywhere on the way up counts.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import resource
import sys
from collections.abc import Iterator

import psutil

GROUPS = pathlib.Path("/sys/fs/cgroup")
OWN = pathlib.Path("/proc/self/cgroup")
_VERSION_2 = ("memory.max", "memory.current")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that can still be had, and the control group's limit where that is what holds them down; 0 where it is the machine."""

    free: int
    limit: int = 0


def memory(groups: pathlib.Path = GROUPS, own: pathlib.Path = OWN) -> Memory:
    """What is left to us, of the machine's memory or of our control group's."""
    machine = psutil.virtual_memory()
    found = [Memory(max(0, limit - used), limit) for limit, used in _limits(groups, own) if limit < machine.total]
    return min([Memory(machine.available), *found], key=lambda each: each.free)


def _limits(groups: pathlib.Path, own: pathlib.Path) -> Iterator[tuple[int, int]]:
    """Limit and use of each control group that holds us, in bytes."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _upwards(groups, path, _VERSION_2)
        elif "memory" in controllers.split(","):
            yield from _upwards(groups / "memory", path, _VERSION_1)


def _upwards(root: pathlib.Path, path: str, files: tuple[str, str]) -> Iterator[tuple[int, int]]:
    place = pathlib.PurePosixPath(path)
    for each in (place, *place.parents):
        limit, used = (_number(root / str(each).lstrip("/") / name) for name in files)
        if limit is not None and used is not None:
            yield limit, used


def _number(file: pathlib.Path) -> int | None:
    """What stands in ``file``; None for ``max`` and where there is none."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def open_files() -> tuple[int, int]:
    """Descriptors that a process may hold: soft and hard limit."""
    return _ulimit(resource.RLIMIT_NOFILE)


def processes() -> tuple[int, int]:
    """Processes and threads that our user may have: soft and hard limit; root's is not held to."""
    return (sys.maxsize, sys.maxsize) if os.geteuid() == 0 else _ulimit(resource.RLIMIT_NPROC)


def _ulimit(which: int) -> tuple[int, int]:
    soft, hard = (sys.maxsize if each == resource.RLIM_INFINITY else each for each in resource.getrlimit(which))
    return soft, hard
