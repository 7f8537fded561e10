"""What Linux says about processes: who is who, and who belongs to whom.

A pid alone names nobody: it is reused. A process is named by its pid and its start time (clock ticks since boot), and on disk also
by the boot. Whatever a container starts is found again by three marks: its session, its ancestors, and a variable in its
environment that children inherit even when they leave both.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import signal
from collections.abc import Collection, Iterator

from brickyard.lib import logs, process

COOKIE = "BRICKYARD_CONTAINER_ID"
"""Environment variable ``<pod uid>/<container>/<attempt>`` of everything a container runs."""
SHIM_COOKIE = "BRICKYARD_SHIM_OF"
"""The same of a container's shim, which is no part of the container."""

_PROC = pathlib.Path("/proc")

log = logs.get(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A line of the process table."""

    identity: process.Identity
    state: str
    parent: int
    session: int

    @property
    def dead(self) -> bool:
        """A zombie, or on its way to be none."""
        return self.state in "ZXx"


def boot_id() -> str:
    """Changes with every boot: pids and start times of another one mean nothing."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def entry(pid: int) -> Entry | None:
    """The process ``pid`` now, or None."""
    fields = process.stat(pid)
    if fields is None:
        return None
    return Entry(process.Identity(pid, int(fields[19])), fields[0], int(fields[1]), int(fields[3]))


def cookie(pid: int, name: str = COOKIE) -> str:
    """The container mark in the environment of ``pid``, in the variable ``name``; "" when it has none or may not be read."""
    try:
        environment = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return ""
    mark = name.encode() + b"="
    found = next((each for each in environment.split(b"\0") if each.startswith(mark)), b"")
    return found.removeprefix(mark).decode(errors="replace")


def table() -> Iterator[Entry]:
    """Every process but this one."""
    own = os.getpid()
    for name in os.listdir(_PROC):  # noqa: PTH208 - names are all that is needed, of hundreds of entries
        if name.isdecimal() and int(name) != own and (found := entry(int(name))) is not None:
            yield found


def family(leader: process.Identity, mark: str, shim: process.Identity | None = None) -> list[Entry]:
    """What lives of a container: ``leader``, its session, its descendants, what its ``shim`` adopted, whatever carries its ``mark``.

    The session counts only while it can be the leader's: not when the pid has gone to another process. The shim itself is no member.
    """
    entries = [each for each in table() if not each.dead]
    holder = entry(leader.pid)
    session = leader.pid if holder is None or holder.identity == leader else -1
    known = {leader.pid} if session != -1 else set()
    if shim is not None and shim.alive():
        known.add(shim.pid)
    members: dict[int, Entry] = {}
    for each in entries:
        if each.identity == leader or each.session == session or (mark and cookie(each.identity.pid) == mark):
            members[each.identity.pid] = each
            known.add(each.identity.pid)
    # Children are found from parents: at most one more round per generation.
    while grown := [each for each in entries if each.parent in known and each.identity.pid not in members]:
        for each in grown:
            members[each.identity.pid] = each
            known.add(each.identity.pid)
    return list(members.values())


def strays(uids: Collection[str], known: Collection[str]) -> list[Entry]:
    """Processes that carry the mark of one of these pods, but none of the known ones.

    An agent that is killed between starting a process and writing it down leaves such a one behind; so does a leader that dies
    while nobody watches.
    """
    marked = [(each, cookie(each.identity.pid)) for each in table() if not each.dead]
    return [each for each, mark in marked if mark.partition("/")[0] in uids and mark not in known]


def shims(uids: Collection[str]) -> list[Entry]:
    """The shims of the containers of these pods."""
    marked = [(each, cookie(each.identity.pid, SHIM_COOKIE)) for each in table() if not each.dead]
    return [each for each, mark in marked if mark.partition("/")[0] in uids]


def send(identity: process.Identity, number: signal.Signals) -> bool:
    """Signal the very process; False when it is gone, or not ours to signal."""
    try:
        return identity.signal(number)
    except PermissionError:
        log.warning("process may not be signalled", pid=identity.pid)
        return False


def send_group(leader: process.Identity, number: signal.Signals) -> bool:
    """Signal the process group of ``leader``; False when it is not its leader any more."""
    found = entry(leader.pid)
    if found is None or found.identity != leader:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, number)
        return True
    return False
