"""Containers' processes: started, watched, ended, and taken over from an agent that died.

A container is a session of its own. Its output goes straight into its log file, so that it neither stops nor is lost when the agent
is gone. Its end is learned from a pidfd, which works for children and adopted processes alike; by then nothing of it is left, for
whatever the leader leaves behind is killed first.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence

from brickyard.embedded.kubelet import errors, procfs
from brickyard.lib import logs, process

INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "CUDA_VISIBLE_DEVICES"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
"""What a container gets of the agent's environment; everything else is the manifest's."""

SWEEPS = 40
SWEEP_PAUSE = 0.05
STATUS_TRIES = 20
UNKNOWN_EXIT = 137
"""Exit code Kubernetes gives to an end that nobody saw."""

log = logs.get(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """What to run. ``log`` is appended to; ``mark`` is the container's cookie (see ``procfs``)."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: pathlib.Path
    log: pathlib.Path
    mark: str


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """How a process ended; ``known`` is False when nobody could tell and the code is a stand-in."""

    exit_code: int
    known: bool = True


def container_id(identity: process.Identity) -> str:
    """How Kubernetes names a container: its runtime, and what the runtime knows it by."""
    return f"process://{identity.pid}-{identity.start_time}"


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of the agent's own environment that containers see."""
    return {name: environ[name] for name in INHERITED if name in environ}


def resolve(argv: Sequence[str], env: Mapping[str, str], cwd: pathlib.Path) -> list[str]:
    """``argv`` with its program's full path.

    Raises:
        NoProgram: it is not there, or not executable.
    """
    program = argv[0]
    if "/" in program:
        path = cwd / program
        if not path.is_file():
            raise errors.NoProgram(f"exec: {program!r}: no such file or directory on this machine")
        if not os.access(path, os.X_OK):
            raise errors.NoProgram(f"exec: {program!r}: permission denied: the file is not executable")
        return [str(path), *argv[1:]]
    found = shutil.which(program, path=env.get("PATH", os.defpath))
    if found is None:
        raise errors.NoProgram(f"exec: {program!r}: executable file not found in $PATH of this machine")
    return [found, *argv[1:]]


class Process:
    """A container's leader and what it started. Made by ``start`` and ``adopt``; closed by ``wait`` or ``release``."""

    def __init__(self, identity: process.Identity, descriptor: int, mark: str) -> None:
        self.identity = identity
        self._mark = mark
        self._descriptor = descriptor

    @property
    def container_id(self) -> str:
        return container_id(self.identity)

    async def wait(self) -> End:
        """Wait for the leader to end, kill what it left behind, and tell how it ended. To be called once."""
        try:
            await self._ended()
            # Before it is reaped its pid cannot be given away: the session number still means this container.
            await self.sweep()
            return await self._reap()
        finally:
            self.release()

    async def terminate(self) -> None:
        """SIGTERM to the process group."""
        await asyncio.to_thread(procfs.send_group, self.identity, signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL to everything that belongs to the container."""
        await asyncio.to_thread(_kill_family, self.identity, self._mark)

    async def sweep(self) -> None:
        """Kill until nothing is left, for two seconds at most."""
        for _ in range(SWEEPS):
            left = await asyncio.to_thread(_kill_family, self.identity, self._mark)
            if not left:
                return
            await asyncio.sleep(SWEEP_PAUSE)
        log.warning("processes outlive SIGKILL", container=self._mark, pids=left)

    def release(self) -> None:
        """Let go of the process without ending it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    async def _ended(self) -> None:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._descriptor, _resolve_once, ended)
        try:
            await ended
        finally:
            loop.remove_reader(self._descriptor)

    async def _reap(self) -> End:
        try:
            result = _reaped(self._descriptor)
        except ChildProcessError:
            return await self._foreign_end()
        if result is None:
            return End(UNKNOWN_EXIT, known=False)
        return End(result.si_status if result.si_code == os.CLD_EXITED else 128 + result.si_status)

    async def _foreign_end(self) -> End:
        """The end of an adopted process: told by the kernel once its new parent has reaped it, if the kernel is new enough."""
        for _ in range(STATUS_TRIES):
            status = procfs.exit_status(self._descriptor, self.identity)
            if status is not None:
                return End(procfs.exit_code(status))
            await asyncio.sleep(SWEEP_PAUSE)
        return End(UNKNOWN_EXIT, known=False)


async def start(command: Command) -> Process:
    """Start a container's process in a session of its own.

    Raises:
        NoProgram: the program cannot be run.
        NotStarted: anything else the system refuses; the message is its own.
    """
    work = asyncio.ensure_future(asyncio.to_thread(_spawn, command))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        # The thread goes on: what it started is nobody's unless it is ended here.
        process = await work
        await process.kill()
        await process.wait()
        raise


def adopt(identity: process.Identity, mark: str) -> Process | None:
    """Take over a running process; None when it is gone, or its pid is another's now."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return None
    if not identity.alive():
        os.close(descriptor)
        return None
    return Process(identity, descriptor, mark)


def _reaped(descriptor: int) -> os.waitid_result | None:
    """Collect our own child, without waiting; ChildProcessError when it is not ours."""
    return os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOHANG)


def _resolve_once(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _spawn(command: Command) -> Process:
    env = {**command.env, procfs.COOKIE: command.mark}
    argv = resolve(command.argv, env, command.cwd)
    command.log.parent.mkdir(parents=True, exist_ok=True)
    output = os.open(command.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            argv,
            env=env,
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise errors.NoProgram(f"exec: {command.argv[0]!r}: {error.strerror}: {error.filename}") from error
    except PermissionError as error:
        raise errors.NoProgram(f"exec: {command.argv[0]!r}: permission denied") from error
    except (OSError, ValueError) as error:  # ValueError: a word holds a NUL
        raise errors.NotStarted("CreateContainerError", f"{command.argv[0]!r} cannot be run: {error}") from error
    finally:
        os.close(output)
    # It is reaped through its pidfd: Popen must not do it a second time, nor complain that nobody did.
    child.returncode = 0
    found = procfs.entry(child.pid)
    if found is None:  # pragma: no cover - an unreaped child has an entry
        raise errors.NotStarted("CreateContainerError", "/proc does not show the process that was started")
    return Process(found.identity, os.pidfd_open(child.pid), command.mark)


def _kill_family(leader: process.Identity, mark: str) -> list[int]:
    return [each.identity.pid for each in procfs.family(leader, mark) if procfs.send(each.identity, signal.SIGKILL)]
