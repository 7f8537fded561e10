"""A command's process: started beside a container as part of it, waited for, ended when its client goes.

It leads a session of its own and carries the container's mark, so that it ends with the container whatever becomes of us.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from brickyard.api.kinds import podstreams
from brickyard.embedded.kubelet import errors, processes, procfs
from brickyard.embedded.kubelet.streams import descriptors
from brickyard.lib import logs, process

GRACE = 2.0
"""Seconds between the hang-up and the end of a command whose client has gone."""
_TERMINAL = pathlib.Path(__file__).with_name("terminal.py")
_TERM = "xterm"

log = logs.get(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """What to run and what of it to connect. ``env`` holds the container's mark."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: pathlib.Path
    query: podstreams.CommandQuery


@dataclasses.dataclass(frozen=True, slots=True)
class _Ends:
    """Descriptors of one command: the child's three, and ours."""

    child: tuple[int, int, int]
    stdin: int | None
    outputs: Mapping[podstreams.Output, int]
    terminal: bool = False

    def close_child(self) -> None:
        for each in set(self.child):
            os.close(each)

    def close_ours(self) -> None:
        for each in (self.stdin, *self.outputs.values()):
            if each is not None:
                os.close(each)


class Child:
    """A running command. To be closed with ``close``, whatever happens."""

    def __init__(self, identity: process.Identity, pidfd: int, ends: _Ends) -> None:
        self._identity = identity
        self._pidfd = pidfd
        self.terminal = ends.terminal
        self.stdin = None if ends.stdin is None else descriptors.Sink(ends.stdin)
        self.outputs = {name: descriptors.Source(each) for name, each in ends.outputs.items()}
        self._exit_code: int | None = None

    async def wait(self) -> int:
        """Wait for the process itself to end: its exit code, 128 + n after signal n."""
        if self._exit_code is None:
            loop = asyncio.get_running_loop()
            ended = asyncio.Event()
            loop.add_reader(self._pidfd, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(self._pidfd)
            self._exit_code = _reap(self._pidfd)
        return self._exit_code

    async def kill(self) -> None:
        """SIGKILL to all of it."""
        await asyncio.to_thread(_kill, self._identity)

    async def close(self) -> None:
        """End what still runs of it: a hang-up, then a kill. What a finished command left behind is the container's."""
        if self.stdin is not None:
            self.stdin.close()
        for each in self.outputs.values():
            each.close()
        try:
            if self._exit_code is None:
                await self._end()
        finally:
            os.close(self._pidfd)

    async def _end(self) -> None:
        for number in (signal.SIGHUP, signal.SIGTERM):
            procfs.send_group(self._identity, number)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    await self.wait()
        finally:
            # Also where this very waiting is cancelled: a thread that has begun goes on.
            await self.kill()
        await self.wait()


async def start(command: Command) -> Child:
    """Start ``command``.

    Raises:
        StreamFailed: it cannot be started; the text says why.
    """
    ends = _terminal() if command.query.tty else _pipes(command.query)
    work = asyncio.ensure_future(asyncio.to_thread(_spawn, command, ends))
    try:
        identity, pidfd = await asyncio.shield(work)
    except asyncio.CancelledError:
        # The thread goes on: what it started is nobody's unless it is ended here.
        with contextlib.suppress(podstreams.StreamFailed):
            await Child(*await work, ends).close()
        raise
    except podstreams.StreamFailed:
        ends.close_ours()
        raise
    return Child(identity, pidfd, ends)


def _terminal() -> _Ends:
    ours, theirs = os.openpty()
    return _Ends((theirs, theirs, theirs), os.dup(ours), {podstreams.Output.STDOUT: ours}, terminal=True)


def _pipes(query: podstreams.CommandQuery) -> _Ends:
    """A pipe for whatever the client wants connected, /dev/null for the rest."""
    child, outputs = [os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC) for _ in range(3)], {}
    stdin = None
    if query.stdin:
        os.close(child[0])
        child[0], stdin = os.pipe()
    wanted = {podstreams.Output.STDOUT: query.stdout, podstreams.Output.STDERR: query.stderr}
    for number, (name, connected) in enumerate(wanted.items(), 1):
        if connected:
            os.close(child[number])
            outputs[name], child[number] = os.pipe()
    return _Ends((child[0], child[1], child[2]), stdin, outputs)


def _spawn(command: Command, ends: _Ends) -> tuple[process.Identity, int]:
    env = {"TERM": _TERM, **command.env} if command.query.tty else dict(command.env)
    stdin, stdout, stderr = ends.child
    try:
        argv = processes.resolve(command.argv, env, command.cwd)
        if command.query.tty:
            argv = [sys.executable, "-I", "-S", str(_TERMINAL), *argv]
        child = subprocess.Popen(
            argv, env=env, cwd=command.cwd, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
        )
    except errors.NotStarted as error:
        raise podstreams.StreamFailed(str(error)) from error
    except (OSError, ValueError) as error:  # ValueError: a word holds a NUL
        raise podstreams.StreamFailed(f"exec: {command.argv[0]!r} cannot be run: {error}") from error
    finally:
        ends.close_child()
    # It is reaped through its pidfd: Popen must not do it a second time, nor complain that nobody did.
    child.returncode = 0
    found = procfs.entry(child.pid)
    if found is None:  # pragma: no cover - an unreaped child has an entry
        raise podstreams.StreamFailed("/proc does not show the process that was started")
    return found.identity, os.pidfd_open(child.pid)


def _reap(pidfd: int) -> int:
    """Collect our child that has ended."""
    result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    if result is None:  # pragma: no cover - without WNOHANG there is always one
        return processes.UNKNOWN_EXIT
    return result.si_status if result.si_code == os.CLD_EXITED else 128 + result.si_status


def _kill(leader: process.Identity) -> None:
    for each in procfs.family(leader, ""):
        procfs.send(each.identity, signal.SIGKILL)
