"""Starts the parts of Brickyard as processes, keeps them running, and stops them in order.

A part is ready when it says so on its pipe. A part that ends is started again after a back-off; one that ends before it was ever
ready, with a usage error, ends everything: starting it again would not help, and its last line says why. Parts die with their
supervisor, whatever happens to it. Stopping goes in reverse order, each with its own patience, then SIGKILL. What parts say is written to
their logs here, by a writer that rotates them: nothing is lost, and nobody has to reopen anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import sys
from collections.abc import AsyncIterator, Sequence
from typing import IO

from brickyard.embedded.kubelet.shim import files
from brickyard.lib import backoff, children, errors, logs, process, tasks

log = logs.get(__name__)

RESTART = backoff.Backoff(0.1, 2, 3)
"""Never longer: a part is to be back within five seconds, however often it was killed."""
STEADY_AFTER = 30.0
"""Seconds of running after which a part's earlier failures are forgiven."""
LAST_WORDS = 4096
"""Bytes at the end of a part's output among which the lines are that say why it did not start."""
LOG_LIMIT = 10 * 1024 * 1024
"""Bytes after which a part's log is rotated. ``LOG_FILES``: how many files of it are kept in all."""
LOG_FILES = 3
OUTPUT_PATIENCE = 1.0
"""Seconds that the last output of a part that has ended is waited for, if somebody else holds the other end."""
USAGE_ERROR = errors.UsageError.exit_code


class PartFailed(errors.BrickyardError):
    """A part did not become ready."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One process.

    Attributes:
        log: the file its output is appended to.
        ready_within: seconds until it must have said that it is ready.
        patience: seconds between SIGTERM and SIGKILL.
        after: an earlier part that must be ready before this one starts; "" for none.
    """

    name: str
    argv: tuple[str, ...]
    log: pathlib.Path
    ready_within: float = 30.0
    patience: float = 10.0
    after: str = ""


def part_of_brickyard(
    name: str, arguments: Sequence[str], folder: pathlib.Path, *, patience: float, after: str = ""
) -> Part:
    """A part that is a subcommand of our own: ``brickyard <name> <arguments>``, logging to ``<folder>/<name>.log``."""
    argv = (sys.executable, "-m", "brickyard.cli.main", name, *arguments)
    return Part(name, argv, folder / f"{name}.log", patience=patience, after=after)


def _environ(ready_fd: int) -> dict[str, str]:
    return {**os.environ, process.READY_FD: str(ready_fd), process.SUPERVISOR_PID: str(os.getpid())}


class Supervisor:
    """``async with Supervisor(parts): …`` runs the body once all parts are ready, and stops them after it.

    ``log_limit``: bytes after which a log is rotated.
    """

    def __init__(self, parts: Sequence[Part], *, log_limit: int = LOG_LIMIT) -> None:
        self._keepers = [_Keeper(part, log_limit) for part in parts]
        self._scope = tasks.Scope("supervisor")

    async def __aenter__(self) -> None:
        await self._scope.__aenter__()
        try:
            started: dict[str, _Keeper] = {}
            for keeper in self._keepers:
                if keeper.part.after:
                    await started[keeper.part.after].ready()
                started[keeper.part.name] = keeper
                self._scope.start(keeper.keep(), name=keeper.part.name)
            for keeper in self._keepers:
                await keeper.ready()
        except BaseException:
            await self._stop()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _stop(self) -> None:
        for keeper in reversed(self._keepers):
            await keeper.stop()
        await self._scope.__aexit__(None, None, None)


class _Output(asyncio.Protocol):
    """Writes what arrives to a log, and remembers the end of it: ``tail``, which begins with that of an earlier run."""

    def __init__(self, log: files.RotatingFile, tail: bytes) -> None:
        self.tail = tail
        self.over = asyncio.Event()
        self._log = log

    def data_received(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-LAST_WORDS:]
        self._log.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.over.set()


class _Readiness(asyncio.Protocol):
    """Waits for the line that says that a part is ready."""

    def __init__(self, ready: asyncio.Future[None]) -> None:
        self._ready = ready

    def data_received(self, data: bytes) -> None:
        if b"\n" in data and not self._ready.done():
            self._ready.set_result(None)


@contextlib.asynccontextmanager
async def _inlet(protocol: asyncio.Protocol) -> AsyncIterator[IO[bytes]]:
    """The end of a pipe to give to a child; what comes out of the other goes to ``protocol``. The caller closes it."""
    read_end, write_end = (
        os.fdopen(each, mode, buffering=0) for each, mode in zip(os.pipe(), ("rb", "wb"), strict=True)
    )
    with write_end:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, read_end)
        with contextlib.closing(transport):
            yield write_end


def _lost(count: int, why: str) -> bytes:
    return f"{count} bytes of output were lost: {why}\n".encode()


class _Keeper:
    """Keeps one part running."""

    def __init__(self, part: Part, log_limit: int) -> None:
        self.part = part
        self._log_limit = log_limit
        self._process: asyncio.subprocess.Process | None = None
        self._ready: asyncio.Future[None] | None = None
        self._stopping = asyncio.Event()
        self._starting = asyncio.Lock()
        self._output: _Output | None = None

    async def ready(self) -> None:
        """Wait until the part first says that it is ready.

        Raises:
            PartFailed: it ended instead, or took too long; the text carries the last lines of its log.
        """
        future = self._first_ready()
        try:
            await asyncio.wait_for(asyncio.shield(future), self.part.ready_within)
        except TimeoutError:
            text = f"{self.part.name} was not ready within {self.part.ready_within:.0f} s: {self._last_words()}"
            raise PartFailed(text, hint=f"its log: {self.part.log}") from None

    def _first_ready(self) -> asyncio.Future[None]:
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
        return self._ready

    async def keep(self) -> None:
        """Run the part again and again until told to stop."""
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stopping.is_set():
            started = loop.time()
            try:
                code, why = await self._run_once(), ""
            except OSError as error:
                # No room on the disk, no process numbers, a program that is just being replaced: it may pass.
                code, why = USAGE_ERROR, str(error)
            if self._stopping.is_set():
                return
            if code == USAGE_ERROR and not self._first_ready().done():
                self._first_ready().set_exception(self._cannot_start(why))
                return
            failures = 1 if loop.time() - started > STEADY_AFTER else failures + 1
            delay = RESTART.delay(failures)
            log.warning("part ended", part=self.part.name, code=code, error=why, restart_in=delay)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _run_once(self) -> int:
        self.part.log.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(files.RotatingFile(str(self.part.log), self._log_limit, LOG_FILES, _lost)) as log:
            self._output = output = _Output(log, self._output.tail if self._output else b"")
            async with _inlet(output) as said, _inlet(_Readiness(self._first_ready())) as ready:
                return await self._run_into(output, said, ready)

    async def _run_into(self, output: _Output, said: IO[bytes], ready: IO[bytes]) -> int:
        with said, ready:
            async with self._starting:
                if self._stopping.is_set():
                    return 0
                self._process = await asyncio.create_subprocess_exec(
                    *self.part.argv, stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said,
                    pass_fds=(ready.fileno(),), env=_environ(ready.fileno()), start_new_session=True,
                )  # fmt: skip
        log.info("part started", part=self.part.name, pid=self._process.pid)
        code = await self._process.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(output.over.wait(), OUTPUT_PATIENCE)
        return code

    def _cannot_start(self, why: str) -> PartFailed:
        text = f"{self.part.name} cannot start: {why or self._last_words()}"
        return PartFailed(text, hint=f"its log: {self.part.log}")

    def _last_words(self) -> str:
        said = self._output.tail if self._output else b""
        lines = said.decode(errors="replace").strip().splitlines()
        words = " ".join(line.strip() for line in lines[-3:]) or "no output"
        return words.removeprefix("error: ")

    async def stop(self) -> None:
        """End the part: SIGTERM, its patience, SIGKILL."""
        self._stopping.set()
        async with self._starting:
            running = self._process
        if running is not None and not await children.end(running, self.part.patience):
            log.warning("part did not end in time and was killed", part=self.part.name, patience=self.part.patience)
