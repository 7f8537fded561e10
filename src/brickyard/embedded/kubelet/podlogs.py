"""Containers' logs: read back, followed, kept from growing without end.

A log is what the process wrote, byte for byte. When it exceeds its limit, it is copied aside and cut to nothing in place, because the
process goes on appending to it; what is written between the copy and the cut is lost. One old generation is kept for each run,
and the log of the run before for ``--previous``.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import io
import os
import pathlib
import shutil
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from brickyard.api.kinds import podlogs
from brickyard.embedded.kubelet.plan import container as containers
from brickyard.embedded.kubelet.plan import machine, spec
from brickyard.lib import logs

CHUNK = 64 * 1024
FOLLOW_PAUSE = 0.1
LAST_WORDS_LINES = 80
LAST_WORDS_BYTES = 2048

log = logs.get(__name__)


def last_words(path: pathlib.Path) -> str:
    """The end of a log, as much of it as a termination message may hold."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(max(0, size - LAST_WORDS_BYTES))
            tail = file.read(LAST_WORDS_BYTES)
    except OSError:
        return ""
    whole = tail if size <= LAST_WORDS_BYTES else tail[tail.find(b"\n") + 1 :]
    lines = whole.decode(errors="replace").rstrip().splitlines()
    return "\n".join(lines[-LAST_WORDS_LINES:])


def old_generation(path: pathlib.Path) -> pathlib.Path:
    """Where the rotated part of a log is."""
    return path.with_name(path.name + ".1")


def rotate(path: pathlib.Path, limit: int) -> bool:
    """Copy a log that exceeds ``limit`` bytes aside and empty it; whether that was needed. Blocks.

    Of a log that has grown far beyond, only the last ``2 * limit`` bytes are kept, at the offsets they had: what is before them is a
    hole, which takes no room. Readers that were somewhere in the middle so find their place again.
    """
    try:
        size = path.stat().st_size
        if size <= limit:
            return False
        fresh = path.with_name(path.name + ".1.new")
        with path.open("rb") as source, fresh.open("wb") as target:
            source.seek(max(0, size - 2 * limit))
            target.seek(source.tell())
            shutil.copyfileobj(source, target, CHUNK)
        os.truncate(path, 0)
        # Last, so that who sees the new generation knows that the log was cut.
        fresh.replace(old_generation(path))
    except OSError as error:
        log.warning("log cannot be rotated", path=path, error=error)
        return False
    return True


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """A run whose log is asked for. ``ended`` says whether the process is gone by now."""

    path: pathlib.Path
    ended: Callable[[], bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Pod:
    """A pod as far as its logs go. ``log`` gives the path of a run's log."""

    name: str
    machine: machine.PodMachine
    log: Callable[[str, int], pathlib.Path]


class KubeletLogs:
    """Fills ``api.kinds.podlogs.PodLogs``. ``find`` gives the pod of a namespace and name, None when it is not here."""

    def __init__(self, find: Callable[[str, str], Pod | None]) -> None:
        self._find = find

    async def open(self, query: podlogs.PodLogQuery) -> AsyncIterator[bytes]:
        pod = self._find(query.namespace, query.pod)
        if pod is None:
            raise podlogs.LogsUnavailable(f'pod "{query.pod}" has not been started on this node (yet)')
        if query.timestamps:
            raise podlogs.LogsUnavailable("log lines carry no time of their own: leave out --timestamps")
        run = choose_run(pod, choose_container(pod, query.container), query.previous)
        return read(run, follow=query.follow, tail=query.tail_lines, limit=query.limit_bytes)


def choose_container(pod: Pod, wanted: str) -> containers.Container:
    """The container named, or the only one.

    Raises:
        LogsUnavailable: there is no such container, or none is named and there are several.
    """
    everyone = list(pod.machine.containers.values())
    main = [each for each in everyone if each.plan.role is spec.Role.MAIN]
    if wanted:
        found = next((each for each in everyone if each.name == wanted), None)
        if found is None:
            raise podlogs.LogsUnavailable(f"container {wanted} is not valid for pod {pod.name}")
        return found
    if len(main) == 1:
        return main[0]
    names = " ".join(each.name for each in main)
    first = [each.name for each in everyone if each.plan.role is not spec.Role.MAIN]
    text = f"a container name must be specified for pod {pod.name}, choose one of: [{names}]"
    raise podlogs.LogsUnavailable(text + (f" or one of the init containers: [{' '.join(first)}]" if first else ""))


def choose_run(pod: Pod, container: containers.Container, previous: bool) -> Run:
    """The current run, or the last one when none runs; with ``previous`` the one before it.

    Raises:
        LogsUnavailable: there was no such run, or its log is not kept any more.
    """
    current = container.runs - 1
    attempt = current - 1 if previous else current
    if previous and attempt < 0:
        text = f'previous terminated container "{container.name}" in pod "{pod.name}" not found'
        raise podlogs.LogsUnavailable(text)
    if attempt < 0:
        waiting = container.waiting or containers.Waiting("PodInitializing")
        text = f'container "{container.name}" in pod "{pod.name}" is waiting to start: {waiting.reason}'
        raise podlogs.LogsUnavailable(f"{text}: {waiting.message}" if waiting.message else text)
    path = pod.log(container.name, attempt)
    if not path.exists():
        text = f'the log of container "{container.name}" in pod "{pod.name}" is not kept any more'
        end = container.before if previous and not container.running else container.last
        if end is not None and not end.container_id:
            text = f'container "{container.name}" in pod "{pod.name}" never ran: {end.message}'
        raise podlogs.LogsUnavailable(text)
    return Run(path, lambda: not (container.running and container.runs - 1 == attempt))


async def read(run: Run, *, follow: bool, tail: int | None, limit: int | None) -> AsyncIterator[bytes]:
    """The bytes of a run's log: the old generation first, then the current one, then, with ``follow``, what is yet to come."""
    left = limit
    async for chunk in _chunks(run, follow, tail):
        if left is None:
            yield chunk
            continue
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return


async def _chunks(run: Run, follow: bool, tail: int | None) -> AsyncIterator[bytes]:
    reader = await asyncio.to_thread(_Reader, run.path)
    try:
        async for chunk in _held(reader, tail):
            yield chunk
        while follow:
            # Asked before the last read: what the process wrote before its end is not missed.
            over = run.ended()
            async for chunk in _rest(reader):
                yield chunk
            if over:
                return
            await asyncio.sleep(FOLLOW_PAUSE)
    finally:
        reader.close()


async def _held(reader: _Reader, tail: int | None) -> AsyncIterator[bytes]:
    if tail is not None:
        if chunk := await asyncio.to_thread(reader.tail, tail):
            yield chunk
        return
    while chunk := await asyncio.to_thread(reader.old):
        yield chunk
    async for chunk in _rest(reader):
        yield chunk


async def _rest(reader: _Reader) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(reader.next):
        yield chunk


class _Reader:
    """Reads a log that may be rotated meanwhile. Blocks."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._generation = _identity(old_generation(path))
        self._shrunk = False
        self._file = path.open("rb")
        self._old: BinaryIO | None = None
        with contextlib.suppress(FileNotFoundError):
            self._old = old_generation(path).open("rb")
            self._old.seek(_first_byte(self._old))

    def close(self) -> None:
        self._file.close()
        if self._old is not None:
            self._old.close()

    def old(self) -> bytes:
        """The next bytes of the old generation."""
        return self._old.read(CHUNK) if self._old is not None else b""

    def next(self) -> bytes:
        """The next bytes of the log; b"" when there are none at present."""
        position = self._file.tell()
        generation = _identity(old_generation(self._path))
        if generation != self._generation:
            # What was not read of the log yet has become the end of the old generation.
            self._generation, self._shrunk = generation, False
            self._file.seek(0)
            return self._missed(position) or self._file.read(CHUNK)
        if os.fstat(self._file.fileno()).st_size < position:
            # Rotation cuts first and then shows the old generation: once more, and it is there, unless somebody else did the cutting.
            if self._shrunk:
                self._file.seek(0)
            self._shrunk = not self._shrunk
            return b""
        return self._file.read(CHUNK)

    def _missed(self, position: int) -> bytes:
        try:
            with old_generation(self._path).open("rb") as old:
                old.seek(max(position, _first_byte(old)))
                return old.read()
        except OSError:
            return b""

    def tail(self, lines: int) -> bytes:
        """The last ``lines`` lines of both generations; the position is at the end of the log after it."""
        kept: collections.deque[bytes] = collections.deque(maxlen=lines)
        for file in (self._old, self._file):
            if file is not None:
                kept.extend(file)
        return b"".join(kept)


def _identity(path: pathlib.Path) -> tuple[int, int] | None:
    """Another one for every file that ever had this name."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _first_byte(file: BinaryIO) -> int:
    """Where the text begins in an old generation: after the hole, and the zeros that fill up its last block."""
    try:
        start = os.lseek(file.fileno(), 0, os.SEEK_DATA)
    except OSError:
        start = 0
    file.seek(start)
    while block := file.read(CHUNK):
        if text := block.lstrip(b"\0"):
            return start + len(block) - len(text)
        start += len(block)
    return start
