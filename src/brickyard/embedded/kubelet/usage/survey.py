"""Whose each process is and what it uses, for all containers in one pass over the process table.

A process belongs to the container whose cookie it carries. One that hides its environment (some rewrite it to show a title) belongs to
the container of its session's leader, or else of its parent.

    CPU      user and system time of every living process and of the children it has waited for. A child's time moves to its parent when
             it ends, so that the sum only ever grows, unless a parent dies first.
    memory   resident pages. Of several processes each page counts once: they share what was there when they were forked, and counting
             it for each of them would show a multiple of the truth. The kernel knows the shares (PSS) and takes milliseconds to tell,
             so that a single process is asked for its pages alone.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence

from brickyard.embedded.kubelet import procfs
from brickyard.lib import process

_PROC = pathlib.Path("/proc")
_TICK = 1.0 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_KIBI = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A living process. ``cpu`` in seconds, with that of the children it has waited for; ``resident`` in bytes, shared pages included."""

    identity: process.Identity
    parent: int
    session: int
    cpu: float
    resident: int


@dataclasses.dataclass(frozen=True, slots=True)
class Family:
    """The processes of one container."""

    members: Sequence[Member]

    @property
    def cpu(self) -> float:
        """Seconds of CPU since the container started."""
        return sum(each.cpu for each in self.members)

    def resident(self) -> int:
        """Bytes of memory in use, mapped files included. Reads /proc."""
        if len(self.members) == 1:
            return self.members[0].resident
        return sum(_rollup(each, ("Pss",), each.resident) for each in self.members)

    def unreclaimable(self, limit: int) -> int:
        """Bytes that the kernel cannot take back by itself: no mapped files. Exact only above ``limit``; reads /proc.

        What the processes say of themselves counts shared pages several times: where even that is within the limit, it is answer enough.
        """
        plain = sum(_status(each, ("RssAnon", "RssShmem"), each.resident) for each in self.members)
        if plain <= limit or len(self.members) == 1:
            return plain
        return sum(_rollup(each, ("Pss_Anon", "Pss_Shmem"), each.resident) for each in self.members)


class Survey:
    """Reads the process table. Keeps each process's cookie, so that environments are read once. Blocks; for one thread at a time."""

    def __init__(self) -> None:
        self._marks: dict[process.Identity, str] = {}

    def take(self) -> dict[str, Family]:
        """Every container's processes, by its mark."""
        found = {each.identity.pid: each for each in _table()}
        self._marks = {each.identity: self._mark(each.identity) for each in found.values()}
        families: dict[str, list[Member]] = {}
        for each in found.values():
            if mark := _owner(each, found, self._marks):
                families.setdefault(mark, []).append(each)
        return {mark: Family(members) for mark, members in families.items()}

    def _mark(self, identity: process.Identity) -> str:
        """A cookie once seen stays, whatever the process does to its environment; one without may still get it, by exec."""
        return self._marks.get(identity) or procfs.cookie(identity.pid)


def _owner(member: Member, found: Mapping[int, Member], marks: Mapping[process.Identity, str]) -> str:
    seen: set[int] = set()
    at: Member | None = member
    while at is not None and at.identity.pid not in seen:
        seen.add(at.identity.pid)
        leader = found.get(at.session)
        mark = marks[at.identity] or (marks[leader.identity] if leader else "")
        if mark:
            return mark
        at = found.get(at.parent)
    return ""


def _table() -> Iterable[Member]:
    for name in os.listdir(_PROC):  # noqa: PTH208 - names are all that is needed, of hundreds of entries
        fields = process.stat(int(name)) if name.isdecimal() else None
        if fields is not None and fields[0] not in "ZXx":
            identity = process.Identity(int(name), int(fields[19]))
            cpu = sum(map(int, fields[11:15])) * _TICK
            yield Member(identity, int(fields[1]), int(fields[3]), cpu, int(fields[21]) * _PAGE)


def _status(member: Member, names: Sequence[str], default: int) -> int:
    return _sum(f"{member.identity.pid}/status", names, default)


def _rollup(member: Member, names: Sequence[str], default: int) -> int:
    """From a file that the kernel makes by walking the whole address space."""
    return _sum(f"{member.identity.pid}/smaps_rollup", names, default)


def _sum(path: str, names: Sequence[str], default: int) -> int:
    """The sum of lines ``Name:   12 kB``; ``default`` where they may not be read, 0 where the process is gone."""
    try:
        text = (_PROC / path).read_text(errors="replace")
    except PermissionError:
        return default
    except OSError:
        return 0
    values = dict(line.split(":", 1) for line in text.splitlines() if line.endswith(" kB"))
    return sum(int(values[each].split()[0]) for each in names if each in values) * _KIBI
