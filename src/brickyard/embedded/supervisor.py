"""Starts the parts of Brickyard as processes, keeps them running, and stops them in order.

A part is ready when it says so on its pipe. A part that ends is started again after a back-off; one that ends before it was ever
ready, with a usage error, ends everything: starting it again would not help, and its last line says why. Parts die with their
supervisor, whatever happens to it. Stopping goes in reverse order, each with its own patience, then SIGKILL. Logs are kept from
growing without end in the way of containers' logs, since parts too write straight to their files.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import signal
import sys
from collections.abc import Sequence

from brickyard.embedded.kubelet import podlogs
from brickyard.lib import backoff, errors, logs, process, tasks

log = logs.get(__name__)

RESTART = backoff.Backoff(0.1, 2, 10)
STEADY_AFTER = 30.0
"""Seconds of running after which a part's earlier failures are forgiven."""
LAST_WORDS = 4096
"""Bytes at the end of a part's log among which the lines are that say why it did not start."""
LOG_LIMIT = 10 * 1024 * 1024
"""Bytes after which a part's log is rotated; one old generation is kept."""
LOOK_EVERY = 10.0
"""Seconds between looks at the sizes of logs."""
USAGE_ERROR = errors.UsageError.exit_code


class PartFailed(errors.BrickyardError):
    """A part did not become ready."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One process. ``patience``: seconds between SIGTERM and SIGKILL; ``log``: the file its output is appended to."""

    name: str
    argv: tuple[str, ...]
    log: pathlib.Path
    ready_within: float = 30.0
    patience: float = 10.0


def part_of_brickyard(name: str, arguments: Sequence[str], folder: pathlib.Path, *, patience: float) -> Part:
    """A part that is a subcommand of our own: ``brickyard <name> <arguments>``, logging to ``<folder>/<name>.log``."""
    argv = (sys.executable, "-m", "brickyard.cli.main", name, *arguments)
    return Part(name, argv, folder / f"{name}.log", patience=patience)


def _environ(ready_fd: int) -> dict[str, str]:
    return {**os.environ, process.READY_FD: str(ready_fd), process.SUPERVISOR_PID: str(os.getpid())}


class Supervisor:
    """``async with Supervisor(parts): …`` runs the body once all parts are ready, and stops them after it.

    ``log_limit`` is in bytes, ``look_every`` in seconds: how large logs may grow, and how often that is looked at.
    """

    def __init__(self, parts: Sequence[Part], *, log_limit: int = LOG_LIMIT, look_every: float = LOOK_EVERY) -> None:
        self._keepers = [_Keeper(part) for part in parts]
        self._log_limit = log_limit
        self._look_every = look_every
        self._scope = tasks.Scope("supervisor")

    async def __aenter__(self) -> None:
        await self._scope.__aenter__()
        try:
            self._scope.start(self._rotate_forever(), name="logs")
            for keeper in self._keepers:
                self._scope.start(keeper.keep(), name=keeper.part.name)
                await keeper.ready()
        except BaseException:
            await self._stop()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _rotate_forever(self) -> None:
        while True:
            for keeper in self._keepers:
                if keeper.part.log.exists():
                    await asyncio.to_thread(podlogs.rotate, keeper.part.log, self._log_limit)
            await asyncio.sleep(self._look_every)

    async def _stop(self) -> None:
        for keeper in reversed(self._keepers):
            await keeper.stop()
        await self._scope.__aexit__(None, None, None)


class _Keeper:
    """Keeps one part running."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._process: asyncio.subprocess.Process | None = None
        self._ready: asyncio.Future[None] | None = None
        self._stopping = asyncio.Event()
        self._log_mark = -1

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
            code = await self._run_once()
            if self._stopping.is_set():
                return
            if code == USAGE_ERROR and not self._first_ready().done():
                self._first_ready().set_exception(self._cannot_start())
                return
            failures = 1 if loop.time() - started > STEADY_AFTER else failures + 1
            delay = RESTART.delay(failures)
            log.warning("part ended", part=self.part.name, code=code, restart_in=delay)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _run_once(self) -> int:
        read_end, write_end = os.pipe()
        self.part.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.part.log.open("ab") as output:
                if self._log_mark < 0:
                    self._log_mark = output.tell()
                self._process = await asyncio.create_subprocess_exec(
                    *self.part.argv, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                    pass_fds=(write_end,), env=_environ(write_end), start_new_session=True,
                )  # fmt: skip
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        log.info("part started", part=self.part.name, pid=self._process.pid)
        listener = asyncio.create_task(self._listen(read_end), name=f"ready/{self.part.name}")
        try:
            return await self._process.wait()
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _listen(self, read_end: int) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        pipe = os.fdopen(read_end, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        try:
            line = await reader.readline()
        finally:
            transport.close()
        if line and not self._first_ready().done():
            self._first_ready().set_result(None)

    def _cannot_start(self) -> PartFailed:
        return PartFailed(f"{self.part.name} cannot start: {self._last_words()}", hint=f"its log: {self.part.log}")

    def _last_words(self) -> str:
        with self.part.log.open("rb") as output:
            size = output.seek(0, os.SEEK_END)
            # A log that is shorter than it was has been rotated: all of it is of this start.
            mark = self._log_mark if self._log_mark <= size else 0
            output.seek(max(mark, size - LAST_WORDS))
            lines = output.read(LAST_WORDS).decode(errors="replace").strip().splitlines()
        words = " ".join(line.strip() for line in lines[-3:]) or "no output"
        return words.removeprefix("error: ")

    async def stop(self) -> None:
        """End the part: SIGTERM, its patience, SIGKILL."""
        self._stopping.set()
        running = self._process
        if running is None or running.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            running.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(running.wait(), self.part.patience)
        except TimeoutError:
            log.warning("part did not end in time, killing it", part=self.part.name, patience=self.part.patience)
            with contextlib.suppress(ProcessLookupError):
                running.kill()
            await running.wait()
