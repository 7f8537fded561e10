"""One container's guardian: a process of its own, parent of the container's leader.

    start   read the spec ─► block signals, adopt orphans ─► fork and exec the leader ─► tell the agent its pid
    serve   output ─► log, until the leader ends
    end     write down how ─► kill what it left behind ─► the rest of the output ─► exit

It needs no agent once it has started, reads no more than ``CHUNK`` bytes ahead of the log (a container that writes faster than the disk
waits in its own ``write``), and takes no signal but SIGKILL. When it is killed the kernel kills the leader with it: a container whose log
and end nobody keeps does not go on.
"""

from __future__ import annotations

import os
import select
import time

from brickyard.embedded.kubelet.shim import files, framing, kernel, spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from brickyard.embedded.kubelet.shim.spec import Spec

CHUNK = 64 * 1024
PATIENCE = 10.0
"""Seconds that what SIGKILL does not end at once (uninterruptible sleep), and the last output, are waited for."""


def run() -> None:
    """The whole life of the process."""
    wanted = spec.read(0)
    kernel.block_signals()
    kernel.adopt_orphans()
    try:
        log = files.RotatingFile(wanted["log"], wanted["log_limit"], wanted["log_files"], _lost)
        leader = _Leader(wanted)
    except OSError as error:
        _tell(f"{spec.REFUSED} {error.errno} {error.filename or ''}")
        return
    os.chdir("/")
    try:
        _tell(f"{spec.STARTED} {leader.pid} {start_time(leader.pid)}")
    except BrokenPipeError:
        # The agent died before it knew of the container, so nobody will ever ask for it.
        os.kill(leader.pid, kernel.SIGKILL)
    nowhere = os.open("/dev/null", os.O_RDWR)
    for each in range(3):
        os.dup2(nowhere, each)
    guardian = _Guardian(wanted, leader, log)
    try:
        guardian.serve()
    except Exception as error:
        guardian.say(f"the container is ended, for the process that serves it failed: {error!r}")
        raise


def _tell(text: str) -> None:
    os.write(1, text.encode() + b"\n")


def start_time(pid: int) -> int:
    """Clock ticks since boot at which ``pid`` was started: the 22nd field of its ``stat``."""
    return int(_stat(pid)[19])


def _stat(pid: int) -> list[bytes]:
    """The fields of ``/proc/<pid>/stat`` from the state on."""
    descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    try:
        text = os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
    return text[text.rindex(b")") + 2 :].split()


class _Leader:
    """The container's first process, and the ends of its pipes that are read here.

    Raises:
        OSError: it cannot be started; ``filename`` says what was in the way.
    """

    def __init__(self, wanted: Spec) -> None:
        self.stdout, out = os.pipe()
        self.stderr, err = os.pipe()
        told, tell = os.pipe()
        shim = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _become(wanted, (out, err), tell, shim)
        for each in (out, err, tell):
            os.close(each)
        number, _, what = os.read(told, 4096).decode(errors="replace").partition(" ")
        os.close(told)
        if number:
            os.waitpid(self.pid, 0)
            raise OSError(int(number), os.strerror(int(number)), what or None)


def _become(wanted: Spec, output: tuple[int, int], tell: int, shim: int) -> None:
    """In the forked child: turn into the leader. Never returns."""
    try:
        os.setsid()
        kernel.die_with_parent()
        if os.getppid() != shim:
            os._exit(1)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(output[0], 1)
        os.dup2(output[1], 2)
        kernel.restore_signals()
        os.execve(wanted["argv"][0], wanted["argv"], wanted["env"])  # noqa: S606 - a list, no shell
    except OSError as error:
        named = error.filename
        os.write(tell, b"%d %s" % (error.errno or 0, named if isinstance(named, bytes) else str(named or "").encode()))
    finally:
        os._exit(127)


class _Guardian:
    """Serves one leader to its end."""

    def __init__(self, wanted: Spec, leader: _Leader, log: files.RotatingFile) -> None:
        self._exit = wanted["exit"]
        self._pid = leader.pid
        self._streams = {leader.stdout: framing.STDOUT, leader.stderr: framing.STDERR}
        self._log = log
        self._children = kernel.children_descriptor()
        self._poll = select.poll()
        for each in (*self._streams, self._children):
            os.set_blocking(each, False)
            self._poll.register(each, select.POLLIN)

    def serve(self) -> None:
        while not self._ended():
            self._copy(None)
        deadline = time.monotonic() + PATIENCE
        self._clear(deadline)
        while self._copy(0) and time.monotonic() < deadline:
            pass
        self._log.close()

    def say(self, text: str) -> None:
        """A line of our own in the container's log."""
        self._log.write(framing.frame(text.encode() + b"\n", framing.STDERR, time.time_ns()))

    def _copy(self, patience: int | None) -> bool:
        """Wait for output or an end, and log what output there is; whether there was any."""
        found = False
        for descriptor, _ in self._poll.poll(patience):
            if descriptor == self._children:
                _emptied(descriptor)
                continue
            found = True
            chunk = os.read(descriptor, CHUNK)
            if chunk:
                self._log.write(framing.frame(chunk, self._streams[descriptor], time.time_ns()))
            else:
                self._poll.unregister(descriptor)
                os.close(descriptor)
        return found

    def _ended(self) -> bool:
        """Whether the leader has ended; if so that is written down before it is reaped. Orphans are reaped on the way."""
        while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            if found.si_pid == self._pid:
                code, number = (found.si_status, 0) if found.si_code == os.CLD_EXITED else (0, found.si_status)
                try:
                    _write_durably(self._exit, end_text(code, number, time.time()))
                except OSError as error:
                    self.say(f"how the container ended cannot be written down: {error}")
                os.waitpid(self._pid, 0)
                return True
            os.waitpid(found.si_pid, 0)
        return False

    def _clear(self, deadline: float) -> None:
        """Kill what the leader left behind, generation by generation: whoever loses its parent becomes a child of this process."""
        while (left := _children()) and time.monotonic() < deadline:
            for pid in left:
                os.kill(pid, kernel.SIGKILL)
            self._copy(100)
            _reap()


def end_text(code: int, number: int, now: float) -> bytes:
    """How a leader ended: its exit code, or the signal that ended it; ``now`` in Unix seconds."""
    return b'{"exitCode": %d, "signal": %d, "finishedAt": %.6f}\n' % (code, number, now)


def _children() -> list[int]:
    """Children that are not dead yet: they cannot be reaped by anybody else, so their pids are theirs."""
    own, found = os.getpid(), []
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib is too heavy here
        if not name.isdecimal():
            continue
        try:
            fields = _stat(int(name))
        except OSError:
            continue
        if int(fields[1]) == own and fields[0] not in b"ZX":
            found.append(int(name))
    return found


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _emptied(descriptor: int) -> None:
    try:
        while os.read(descriptor, 4096):
            pass
    except BlockingIOError:
        pass


def _lost(count: int, reason: str) -> bytes:
    text = b"%d bytes of output were lost: %s\n" % (count, reason.encode())
    return framing.frame(text, framing.STDERR, time.time_ns())


def _write_durably(path: str, text: bytes) -> None:
    """Replace the file at ``path`` so that it is there after a power failure."""
    fresh = path + ".new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(fresh, path)  # noqa: PTH105 - pathlib is too heavy here
    folder = os.open(os.path.dirname(path), os.O_RDONLY)  # noqa: PTH120 - as above
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
