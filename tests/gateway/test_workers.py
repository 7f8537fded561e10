"""Real processes behind one port: started, killed, drained, refused. The worker here is a small program; the gateway's own is below."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable

import pytest

from brickyard.gateway import errors, workers
from brickyard.lib import errors as root
from brickyard.lib import settings

PROGRAM = """
import os, pathlib, signal, socket, sys, time
from brickyard.lib import process
process.die_with_supervisor(os.environ)
from brickyard.gateway import workers
seat = workers.seat(os.environ)
note = pathlib.Path(sys.argv[1])
with socket.socket() as listener:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((os.environ["BRICKYARD_GATEWAY_HOST"], int(os.environ["BRICKYARD_GATEWAY_PORT"])))
    listener.listen()
    def end(*_):
        (note / f"end-{seat.number}").touch()
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGUSR1, lambda *_: (note / f"heard-{seat.number}").touch())
    assert seat.hub.is_socket() and seat.count == 2
    process.announce_ready(os.environ)
    (note / f"pid-{seat.number}").write_text(str(os.getpid()))
    while True:
        time.sleep(60)
"""


async def until(condition: Callable[[], object], deadline: float = 30.0) -> None:
    async with asyncio.timeout(deadline):
        while not condition():
            await asyncio.sleep(0.01)


def pids(folder: pathlib.Path) -> list[int]:
    """Of those that have told theirs; one that is about to has made its note, and not written it."""
    return [int(text) for path in sorted(folder.glob("pid-*")) if (text := path.read_text())]


def plan(folder: pathlib.Path, program: str = PROGRAM, *passed_on: signal.Signals) -> workers.Plan:
    argv = (sys.executable, "-c", program, str(folder))
    return workers.Plan(argv, 2, "127.0.0.1", 0, 10.0, passed_on)


@contextlib.asynccontextmanager
async def running(given: workers.Plan) -> AsyncIterator[tuple[int, asyncio.Event, asyncio.Task[None]]]:
    stop = asyncio.Event()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(workers.run(given, stop, ready=port.set_result))
    try:
        yield await asyncio.wait_for(asyncio.shield(port), 30), stop, task
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


@pytest.mark.slow
async def test_one_that_is_killed_is_back_and_a_stop_ends_all(tmp_path: pathlib.Path) -> None:
    async with running(plan(tmp_path, PROGRAM, signal.SIGUSR1)) as (port, stop, task):
        await until(lambda: len(pids(tmp_path)) == 2)
        first, second = pids(tmp_path)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        os.kill(os.getpid(), signal.SIGUSR1)
        await until(lambda: len(list(tmp_path.glob("heard-*"))) == 2)
        os.kill(first, signal.SIGKILL)
        await until(lambda: len(pids(tmp_path)) == 2 and first not in pids(tmp_path))
        assert pids(tmp_path)[1] == second
        stop.set()
        await asyncio.wait_for(task, 30)
        assert len(list(tmp_path.glob("end-*"))) == 2
        assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids(tmp_path))


@pytest.mark.slow
async def test_one_that_cannot_start_ends_all_with_its_code(tmp_path: pathlib.Path) -> None:
    with pytest.raises(workers.WorkerFailed) as caught:
        await workers.run(plan(tmp_path, "import sys; sys.exit(2)"), asyncio.Event())
    assert caught.value.exit_code == 2


@pytest.mark.slow
async def test_one_that_does_not_end_is_killed(tmp_path: pathlib.Path) -> None:
    stubborn = PROGRAM.replace("sys.exit(0)", "pass")
    given = plan(tmp_path, stubborn)
    async with running(workers.Plan(given.argv, 2, given.host, 0, 0.3)):
        await until(lambda: len(pids(tmp_path)) == 2)
    assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids(tmp_path))


async def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # other workers, say
        other.bind(("127.0.0.1", 0))
        other.listen()
        given = workers.Plan((sys.executable,), 2, "127.0.0.1", other.getsockname()[1], 1.0)
        with pytest.raises(errors.PortInUseError):
            await workers.run(given, asyncio.Event())


@pytest.mark.slow
async def test_connections_that_linger_do_not_hold_the_port(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as before:
        port = before.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            before.accept()[0].close()  # who closes first keeps the connection's end for a minute
            assert client.recv(1) == b""
    given = plan(tmp_path, "import sys; sys.exit(2)")
    with pytest.raises(workers.WorkerFailed):
        await workers.run(workers.Plan(given.argv, 2, given.host, port, 1.0), asyncio.Event())


def test_a_seat_is_read_from_the_environment() -> None:
    assert workers.seat({}) is None
    assert workers.seat({workers.COUNT: "4"}) is None
    found = workers.seat({workers.FOLDER: "/tmp/x", workers.NUMBER: "1", workers.COUNT: "4"})
    assert found == workers.Seat(pathlib.Path("/tmp/x"), 1, 4)
    assert found.hub == pathlib.Path("/tmp/x/hub")


@pytest.mark.parametrize("count", [0, -1, 1000])
def test_numbers_that_cannot_be_are_refused(count: int) -> None:
    with pytest.raises(root.UsageError, match="take 1 to 256"):
        settings.load(workers.WorkerSettings, {}, workers=count)
