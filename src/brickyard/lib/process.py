"""What a process of ours owes the one that started it, and how to name another process safely.

A supervised child says when it is ready (a line on the pipe whose number stands in ``BRICKYARD_READY_FD``) and does not outlive its
supervisor, ``BRICKYARD_SUPERVISOR_PID`` (the kernel sends it SIGHUP when the parent dies, or SIGKILL where SIGHUP is ignored). A
process id alone is no name, since numbers are used again: with the start time it is one.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import select
import signal
from collections.abc import Iterator, Mapping

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
        """Send ``number`` to this very process; False when it is gone.

        Raises:
            PermissionError: it is another user's.
        """
        with self._held() as descriptor:
            if descriptor is None:
                return False
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
                return True
        return False

    def wait(self, seconds: float) -> bool:
        """Block until this very process has ended, ``seconds`` at most; whether it has."""
        with self._held() as descriptor:
            if descriptor is None:
                return True
            ended = select.poll()
            ended.register(descriptor, select.POLLIN)
            return bool(ended.poll(max(0.0, seconds) * 1000))

    @contextlib.contextmanager
    def _held(self) -> Iterator[int | None]:
        """A descriptor of this very process, None when it is gone. While it is held, nobody else can be meant."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            yield None
            return
        try:
            # It was opened by number: only if the start time fits now is it the right one.
            yield descriptor if self.alive() else None
        finally:
            os.close(descriptor)


def identity(pid: int) -> Identity | None:
    """Who ``pid`` is now; None when there is no such process or it is only a zombie."""
    fields = stat(pid)
    return None if fields is None or fields[0] in "ZXx" else Identity(pid, int(fields[19]))


def stat(pid: int) -> list[str] | None:
    """The fields of ``/proc/<pid>/stat`` from the state on (the third, which is 0 here); None when there is no such process."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The command name stands in brackets and may itself hold blanks and brackets: fields count from the last one.
    return text[text.rindex(")") + 2 :].split()


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
    """Receive SIGHUP when the supervisor dies; at once when it is dead already. Without a supervisor nothing happens.

    What ``nohup`` starts ignores SIGHUP, and so do its children: they are killed.
    """
    supervisor = environ.get(SUPERVISOR_PID, "")
    if not supervisor:
        return
    deadly = signal.SIGKILL if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else signal.SIGHUP
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, deadly, 0, 0, 0)
    if os.getppid() != int(supervisor):
        os.kill(os.getpid(), deadly)


def orphaned(environ: Mapping[str, str]) -> bool:
    """Whether there was a supervisor and it is dead. Who uses SIGHUP for something else asks this first."""
    supervisor = environ.get(SUPERVISOR_PID, "")
    return bool(supervisor) and os.getppid() != int(supervisor)
