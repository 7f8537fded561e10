"""Several gateway processes behind one port, and the small one that looks after them.

    supervisor ── holds the port (bound, never listening), the hub, and nothing of any request
       ├─ worker 0 ──┐
       ├─ worker 1 ──┼─ each listens on the port by itself (SO_REUSEPORT): the kernel deals connections out
       └─ worker …  ─┘

A worker that ends is started again at once, and a little later each time that it ends again; one that cannot start because of what it was
told ends everything with its own exit code. Workers die with their supervisor. A stop signal drains all of them at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from brickyard.gateway import errors
from brickyard.gateway.sharing.channels import hub
from brickyard.lib import backoff, children, logs, process, settings, tasks
from brickyard.lib import errors as root

log = logs.get(__name__)

AGAIN: Final = backoff.Backoff(0.05, 2, 1.0)
STEADY_AFTER: Final = 30.0
"""Seconds of running after which earlier ends are forgiven."""
READY_WITHIN: Final = 60.0
"""Seconds after which a worker that has not said that it listens is killed and started again."""
FOLDER: Final = "BRICKYARD_GATEWAY_WORKERS_FOLDER"
NUMBER: Final = "BRICKYARD_GATEWAY_WORKER"
COUNT: Final = "BRICKYARD_GATEWAY_WORKERS"
MOST: Final = 256


@dataclasses.dataclass(frozen=True)
class WorkerSettings:
    """How many processes a gateway is."""

    workers: int = settings.field(
        1,
        env=COUNT,
        help="Gateway processes behind the one port; more than one when a core is not enough. They act as one gateway.",
    )

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= MOST:
            raise root.UsageError(f"{self.workers} workers cannot be: take 1 to {MOST}", hint="give --workers a number")


@dataclasses.dataclass(frozen=True, slots=True)
class Seat:
    """A worker's place: what it shares with the others lies in ``folder``, which is gone when they are."""

    folder: pathlib.Path
    number: int
    count: int

    @property
    def hub(self) -> pathlib.Path:
        """The socket over which workers reach each other."""
        return self.folder / "hub"


def seat(environ: Mapping[str, str]) -> Seat | None:
    """This process's place among workers; None when it is none of them."""
    folder, number = environ.get(FOLDER, ""), environ.get(NUMBER, "")
    if not folder or not number.isdecimal():
        return None
    return Seat(pathlib.Path(folder), int(number), int(environ.get(COUNT) or 1))


class WorkerFailed(errors.GatewayError):
    """A worker cannot start: it has said why. ``exit_code`` is its own."""

    def __init__(self, number: int, code: int) -> None:
        super().__init__(f"gateway worker {number} cannot start: see what it says above")
        self.exit_code = code


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        argv: the command of a worker; what it listens on it is told by variables.
        patience: seconds between SIGTERM and SIGKILL.
        passed_on: signals that every worker is to get when the one that looks after them does.
    """

    argv: tuple[str, ...]
    count: int
    host: str
    port: int
    patience: float
    passed_on: tuple[signal.Signals, ...] = ()


async def run(plan: Plan, stop: asyncio.Event, *, ready: Callable[[int], None] | None = None) -> None:
    """Keep workers running until ``stop`` is set, then drain them. ``ready`` hears the port once all of them listen.

    Raises:
        PortInUseError: somebody else listens on the port.
        WorkerFailed: a worker cannot start.
    """
    with _reserved(plan.host, plan.port) as port, tempfile.TemporaryDirectory(prefix="brickyard-gateway-") as folder:
        seats = [Seat(pathlib.Path(folder), number, plan.count) for number in range(plan.count)]
        keepers = [_Keeper(plan, each, port) for each in seats]
        async with hub.Hub(seats[0].hub):
            try:
                async with tasks.Scope("workers") as scope:
                    for keeper in keepers:
                        scope.start(keeper.keep(), name=str(keeper.seat.number))
                    scope.start(_when_ready(keepers, port, ready), name="ready")
                    with _passing_on(keepers, plan.passed_on):
                        await stop.wait()
                    await asyncio.gather(*(keeper.stop() for keeper in keepers))
            finally:
                await asyncio.gather(*(keeper.stop() for keeper in keepers))


async def _when_ready(keepers: list[_Keeper], port: int, ready: Callable[[int], None] | None) -> None:
    for keeper in keepers:
        await keeper.listens.wait()
    log.info("gateway workers listen", port=port, workers=len(keepers))
    if ready is not None:
        ready(port)


@contextlib.contextmanager
def _passing_on(keepers: list[_Keeper], numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def pass_on(number: signal.Signals) -> None:
        if number is signal.SIGHUP and process.orphaned(
            os.environ
        ):  # the same signal says that our own supervisor is dead
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        for keeper in keepers:
            keeper.pass_on(number)

    for number in numbers:
        loop.add_signal_handler(number, pass_on, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _reserved(host: str, port: int) -> Iterator[int]:
    """A port that nobody else can take while workers come and go: bound, so that it is ours; not listening, so that it gets nothing."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as alone:
            # Bound without sharing first: another set of workers on the same port would go unnoticed.
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
            found = int(alone.getsockname()[1])
        held = _shared(family, kind, (address[0], found, *address[2:]))
    except OSError as error:
        raise errors.PortInUseError(host, port) from error
    with held:
        yield found


def _shared(family: int, kind: int, address: tuple[Any, ...]) -> socket.socket:
    held = socket.socket(family, kind)
    try:
        # Connections of the gateway before this one may linger for a minute.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
    except OSError:
        held.close()
        raise
    return held


class _Keeper:
    """Keeps one worker running."""

    def __init__(self, plan: Plan, mine: Seat, port: int) -> None:
        self.seat = mine
        self.listens = asyncio.Event()
        self._plan = plan
        self._port = port
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._said = asyncio.Event()

    async def keep(self) -> None:
        """Run the worker again and again until told to stop.

        Raises:
            WorkerFailed: it will never start.
        """
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stopping.is_set():
            started = loop.time()
            code = await self._run_once()
            if self._stopping.is_set():
                return
            if code == root.UsageError.exit_code and not self.listens.is_set():
                raise WorkerFailed(self.seat.number, code)
            failures = 1 if loop.time() - started > STEADY_AFTER else failures + 1
            delay = AGAIN.delay(failures)
            log.warning("gateway worker ended", worker=self.seat.number, code=code, restart_in=delay)
            await asyncio.sleep(delay)

    async def _run_once(self) -> int:
        hears, says = os.pipe()
        loop = asyncio.get_running_loop()
        said = self._said = asyncio.Event()
        try:
            try:
                running = await asyncio.create_subprocess_exec(
                    *self._plan.argv, stdin=asyncio.subprocess.DEVNULL, pass_fds=(says,), env=self._environ(says)
                )
            finally:
                os.close(says)
            self._process = running
            if self._stopping.is_set():  # asked to while it was being started
                await self.stop()
            loop.add_reader(hears, self._hear, hears, said)
            late = loop.call_later(READY_WITHIN, self._give_up, running, said)
            try:
                return await running.wait()
            finally:
                late.cancel()
                loop.remove_reader(hears)
        finally:
            os.close(hears)

    def _hear(self, hears: int, said: asyncio.Event) -> None:
        asyncio.get_running_loop().remove_reader(hears)
        if os.read(hears, 64):
            said.set()
            self.listens.set()

    def _give_up(self, running: asyncio.subprocess.Process, said: asyncio.Event) -> None:
        if not said.is_set() and running.returncode is None:
            log.warning("gateway worker does not listen, killing it", worker=self.seat.number, after=READY_WITHIN)
            running.kill()

    def _environ(self, says: int) -> dict[str, str]:
        own = {
            process.READY_FD: str(says),
            process.SUPERVISOR_PID: str(os.getpid()),
            FOLDER: str(self.seat.folder),
            NUMBER: str(self.seat.number),
            COUNT: str(self.seat.count),
            "BRICKYARD_GATEWAY_HOST": self._plan.host,
            "BRICKYARD_GATEWAY_PORT": str(self._port),
            "BRICKYARD_GATEWAY_REUSE_PORT": "true",
        }
        return {**os.environ, **own}

    def pass_on(self, number: signal.Signals) -> None:
        """Send the worker a signal, unless it is still starting: it would die of it."""
        if self._process is not None and self._process.returncode is None and self._said.is_set():
            self._process.send_signal(number)

    async def stop(self) -> None:
        """End the worker: SIGTERM, patience, SIGKILL."""
        self._stopping.set()
        running = self._process
        if running is not None and not await children.end(running, self._plan.patience):
            log.warning("gateway worker did not end in time and was killed", worker=self.seat.number)
