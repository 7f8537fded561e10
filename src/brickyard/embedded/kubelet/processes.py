"""Containers' processes: started, watched, ended, and taken over from an agent that died.

A container is a session of its own, child of a shim (``shim``) that keeps its log and writes down how it ended. Both outlive the agent.
That a container has ended is learned from pidfds, which work for children and adopted processes alike; by then nothing of it is left,
for whatever the leader leaves behind is killed first, and its log is complete.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import signal
from collections.abc import Mapping, Sequence

from brickyard.embedded.kubelet import errors, procfs, shims
from brickyard.lib import logs, process

INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "CUDA_VISIBLE_DEVICES"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
"""What a container gets of the agent's environment; everything else is the manifest's."""

SWEEPS = 40
SWEEP_PAUSE = 0.05
SHIM_PATIENCE = 15.0
"""Seconds a shim gets for what is left to do once its container has ended; more than it allows itself."""
UNKNOWN_EXIT = 137
"""Exit code Kubernetes gives to an end that nobody saw."""
UNSERVED = "The container was ended with the process that served it"

log = logs.get(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """How a process ended, and when (Unix seconds; None: just now).

    ``known`` is False when nobody could tell and the code is a stand-in; ``message`` says why.
    """

    exit_code: int
    known: bool = True
    finished_at: float | None = None
    message: str = ""


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
    """A container's leader and what it started. Made by ``start`` and ``adopt``; closed by ``wait`` or ``release``.

    Attributes:
        identity: the leader's. ``shim``: its shim's.
    """

    def __init__(self, identity: process.Identity, shim: process.Identity, mark: str, end: pathlib.Path) -> None:
        """Raises ProcessLookupError when neither is there any more."""
        self.identity = identity
        self.shim = shim
        self._mark = mark
        self._end = end
        self._leader_fd, self._shim_fd = _open(identity), _open(shim)
        if self._leader_fd < 0 and self._shim_fd < 0:
            raise ProcessLookupError(f"container {mark} has ended")

    @property
    def container_id(self) -> str:
        return container_id(self.identity)

    async def wait(self) -> End:
        """Wait for the container to end, kill what is left of it, and tell how it ended. To be called once."""
        try:
            # A shim that is killed takes its container along, here where the kernel did not see to it.
            if self._shim_fd >= 0:
                await _first([each for each in (self._leader_fd, self._shim_fd) if each >= 0])
            await self.sweep()
            await self._shim_ended()
            return await asyncio.to_thread(ended, self._end) or End(UNKNOWN_EXIT, known=False, message=UNSERVED)
        finally:
            self.release()

    async def terminate(self) -> None:
        """SIGTERM to the process group."""
        await asyncio.to_thread(procfs.send_group, self.identity, signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL to everything that belongs to the container."""
        await asyncio.to_thread(self._kill_family)

    async def sweep(self) -> None:
        """Kill until nothing is left, for two seconds at most."""
        for _ in range(SWEEPS):
            left = await asyncio.to_thread(self._kill_family)
            if not left:
                return
            await asyncio.sleep(SWEEP_PAUSE)
        log.warning("processes outlive SIGKILL", container=self._mark, pids=left)

    def release(self) -> None:
        """Let go of the process without ending it."""
        for each in (self._leader_fd, self._shim_fd):
            if each >= 0:
                os.close(each)
        self._leader_fd = self._shim_fd = -1

    async def _shim_ended(self) -> None:
        if self._shim_fd < 0:
            return
        try:
            async with asyncio.timeout(SHIM_PATIENCE):
                await _first([self._shim_fd])
        except TimeoutError:
            log.warning("shim does not end, killing it", container=self._mark, pid=self.shim.pid)
            signal.pidfd_send_signal(self._shim_fd, signal.SIGKILL)
        _reap(self._shim_fd)

    def _kill_family(self) -> list[int]:
        found = procfs.family(self.identity, self._mark, self.shim)
        return [each.identity.pid for each in found if procfs.send(each.identity, signal.SIGKILL)]


async def start(command: shims.Command) -> Process:
    """Start a container's process in a session of its own.

    Raises:
        NoProgram: the program cannot be run.
        NotStarted: anything else the system refuses; the message is its own.
    """
    work = asyncio.ensure_future(asyncio.to_thread(_start, command))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        # The thread goes on: what it started is nobody's unless it is ended here.
        process = await work
        await process.kill()
        await process.wait()
        raise


def adopt(identity: process.Identity, shim: process.Identity, mark: str, end: pathlib.Path) -> Process | None:
    """Take over a container; None when it is gone with its shim, or the pids are others' now."""
    try:
        return Process(identity, shim, mark, end)
    except ProcessLookupError:
        return None


def ended(path: pathlib.Path) -> End | None:
    """How the container ended whose shim wrote ``path``; None when it did not. Blocks."""
    try:
        told = json.loads(path.read_bytes())
        number = int(told["signal"])
        return End(128 + number if number else int(told["exitCode"]), finished_at=float(told["finishedAt"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("how a container ended cannot be read", path=path, error=repr(error))
        return None


def _start(command: shims.Command) -> Process:
    launched = shims.launch(command, resolve(command.argv, command.env, command.cwd))
    try:
        return Process(launched.leader, launched.shim, command.mark, command.end)
    except ProcessLookupError:  # pragma: no cover - the shim is ours and not reaped: it has a pidfd
        raise errors.NotStarted("CreateContainerError", "the container is gone already") from None


def _open(identity: process.Identity) -> int:
    """A pidfd of this very process, a zombie included; -1 when there is none."""
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return -1
    found = procfs.entry(identity.pid)
    if found is not None and found.identity == identity:
        return descriptor
    os.close(descriptor)
    return -1


def _reap(descriptor: int) -> None:
    """Collect a child that has ended; one that was adopted is its new parent's to collect."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOHANG)


async def _first(descriptors: list[int]) -> None:
    """Until one of these pidfds tells of an end."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    for each in descriptors:
        loop.add_reader(each, _resolve_once, ended)
    try:
        await ended
    finally:
        for each in descriptors:
            loop.remove_reader(each)


def _resolve_once(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
