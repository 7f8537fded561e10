"""Starts shims, one for each run of a container, and through them the containers (what a shim is: ``shim.main``)."""

from __future__ import annotations

import dataclasses
import errno
import os
import pathlib
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import brickyard
from brickyard.embedded.kubelet import errors, procfs
from brickyard.embedded.kubelet.shim import spec
from brickyard.lib import process

PATIENCE = 30.0
"""Seconds a shim gets to start its container: on a machine that is busy with loading a model even this little takes its time."""
ROOT = pathlib.Path(brickyard.__file__).parents[1]
BOOT = "import sys; sys.path.append(sys.argv[1]); from brickyard.embedded.kubelet.shim import main; main.run()"
"""Imported and not run as a file, so that it is compiled once and not with every container."""
NEEDED = ("LD_LIBRARY_PATH",)
"""What an interpreter may need of the environment to start at all."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rotation:
    """When a log is rotated: beyond ``limit`` bytes; of ``files`` files in all the oldest goes."""

    limit: int = 10 * 1024 * 1024
    files: int = 5


ROTATION = Rotation()


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """What to run.

    Attributes:
        argv, env, cwd: of the container's leader.
        log: its output is appended to it, in the runtimes' format. ``rotation``: how large it may grow.
        mark: the container's cookie (see ``procfs``).
        end: where it is written down how it ended.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: pathlib.Path
    log: pathlib.Path
    mark: str
    end: pathlib.Path
    rotation: Rotation = ROTATION


@dataclasses.dataclass(frozen=True, slots=True)
class Launched:
    """A container's leader and its shim. The shim is a child of this process and must be reaped."""

    leader: process.Identity
    shim: process.Identity


def launch(command: Command, argv: Sequence[str]) -> Launched:
    """Start a shim and its container: ``argv`` is the command's, its program found. Blocks until the program runs.

    Raises:
        NoProgram: the program cannot be run.
        NotStarted: anything else the system refuses; the message is its own.
    """
    wanted = _spec(command, argv)
    for each in (command.log, command.end):
        each.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    env = {procfs.SHIM_COOKIE: command.mark, **{name: os.environ[name] for name in NEEDED if name in os.environ}}
    words = [sys.executable, "-I", "-S", "-c", BOOT, str(ROOT), command.mark]
    memory = os.memfd_create("container")
    try:
        os.write(memory, spec.dump(wanted))
        os.lseek(memory, 0, os.SEEK_SET)
        child = subprocess.Popen(
            words, env=env, cwd=command.cwd, stdin=memory,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise errors.NoProgram(f"exec: {command.argv[0]!r}: {error.strerror}: {error.filename}") from error
    finally:
        os.close(memory)
    return _launched(child, command)


def _spec(command: Command, argv: Sequence[str]) -> spec.Spec:
    env = {**command.env, procfs.COOKIE: command.mark}
    words = [os.fsencode(each) for each in argv]
    encoded = {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
    if any(b"\0" in each for each in (*words, *encoded, *encoded.values())):
        raise _refused(command, "embedded null byte")
    if any(not name or b"=" in name for name in encoded):
        raise _refused(command, "illegal environment variable name")
    return {
        "argv": words,
        "env": encoded,
        "log": str(command.log.absolute()),
        "log_limit": command.rotation.limit,
        "log_files": command.rotation.files,
        "exit": str(command.end.absolute()),
    }


def _launched(child: subprocess.Popen[bytes], command: Command) -> Launched:
    assert child.stdout is not None  # noqa: S101 - asked for with PIPE
    with child.stdout:
        told = _answer(child.stdout.fileno(), time.monotonic() + PATIENCE)
    word, *rest = told.split(maxsplit=2)
    shim = procfs.entry(child.pid)
    if word == spec.STARTED and shim is not None:
        # It is reaped through its pidfd: Popen must not do it a second time, nor complain that nobody did.
        child.returncode = 0
        return Launched(process.Identity(int(rest[0]), int(rest[1])), shim.identity)
    child.kill()
    child.wait()
    raise _refusal(command, rest) if word == spec.REFUSED else _refused(command, told)


def _answer(descriptor: int, deadline: float) -> str:
    """What a shim says of its start: up to the end of its line, or of all it says."""
    told = b""
    # Not ``select``, which refuses descriptors from 1024 on: this process holds everybody's connections, too.
    readable = select.poll()
    readable.register(descriptor, select.POLLIN)
    while not told.startswith(spec.STARTED.encode()) or not told.endswith(b"\n"):
        if not readable.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return f"its shim did not answer within {PATIENCE:.0f} s"
        if not (part := os.read(descriptor, 4096)):
            break
        told += part
    return told.decode(errors="replace").strip() or "its shim ended at once"


def _refusal(command: Command, rest: Sequence[str]) -> errors.NotStarted:
    number, what = int(rest[0]), " ".join(rest[1:])
    text = os.strerror(number)
    if number == errno.ENOENT:
        return errors.NoProgram(f"exec: {command.argv[0]!r}: {text}: {what}")
    if number == errno.EACCES:
        return errors.NoProgram(f"exec: {command.argv[0]!r}: permission denied")
    return _refused(command, f"[Errno {number}] {text}" + (f": {what}" if what else ""))


def _refused(command: Command, why: str) -> errors.NotStarted:
    return errors.NotStarted("CreateContainerError", f"{command.argv[0]!r} cannot be run: {why}")
