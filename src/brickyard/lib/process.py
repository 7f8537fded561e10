"""What a process of ours owes the one that started it, and how to name another process safely.

A supervised child says when it is ready (a line on the pipe whose number stands in ``BRICKYARD_READY_FD``) and does not outlive its
supervisor, ``BRICKYARD_SUPERVISOR_PID`` (the kernel sends it SIGHUP when the parent dies). A process id alone is no name, since
numbers are used again: with the start time it is one.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import signal
from collections.abc import Mapping

READY_FD = "BRICKYARD_READY_FD"
SUPERVISOR_PID = "BRICKYARD_SUPERVISOR_PID"

_PR_SET_PDEATHSIG = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """A process that was seen: ``start_time`` is in clock ticks since boot, from ``/proc/<pid>/stat``."""

    pid: int
    start_time: int

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        return identity(self.pid) == self

    def signal(self, number: signal.Signals) -> bool:
        """Send ``number`` to this very process; False when it is gone."""
        if not self.alive():
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False


def identity(pid: int) -> Identity | None:
    """Who ``pid`` is now; None when there is no such process or it is only a zombie."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name stands in brackets and may itself hold blanks and brackets: fields count from the last one.
    fields = stat[stat.rindex(b")") + 2 :].split()
    state, start_time = fields[0], fields[19]
    return None if state in (b"Z", b"X") else Identity(pid, int(start_time))


def me() -> Identity:
    """This process."""
    mine = identity(os.getpid())
    if mine is None:
        raise RuntimeError("/proc is not mounted: processes cannot be told apart on this system")
    return mine


def announce_ready(environ: Mapping[str, str]) -> None:
    """Tell the supervisor, if there is one, that this process now serves. Later calls do nothing."""
    number = environ.get(READY_FD, "")
    if not number.isdigit():
        return
    with contextlib.suppress(OSError):
        os.write(int(number), b"ready\n")
        os.close(int(number))


def die_with_supervisor(environ: Mapping[str, str]) -> None:
    """Receive SIGHUP when the supervisor dies; at once when it is dead already. Without a supervisor nothing happens."""
    supervisor = environ.get(SUPERVISOR_PID, "")
    if not supervisor:
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGHUP, 0, 0, 0)
    if os.getppid() != int(supervisor):
        os.kill(os.getpid(), signal.SIGHUP)
