"""What is compared: engines that cost next to nothing, and in front of them the gateway, its floor and its peers, each a process."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence

import psutil

from bench import cores, enginepage, peers

ROOT = pathlib.Path(__file__).parent
LOAD = ROOT / "gateway_load"
OURS, FLOOR, DIRECT = "brickyard", "bare proxy", "no proxy"
COMPILED = "brickyard, compiled"
"""The same gateway as ``make compiled`` makes it."""
_PROGRAMS = {
    OURS: pathlib.Path(sys.executable).parent / "brickyard",
    COMPILED: ROOT.parent / ".venv-compiled" / "bin" / "brickyard",
}
PATH = "/v1/chat/completions"
PROBE = b'{"model":"tiny","messages":[{"role":"user","content":"hello"}],"stream":%b}'
MOST = 100
"""Endpoints that engines can stand for."""


@dataclasses.dataclass(frozen=True, slots=True)
class System:
    """Something that listens; ``process`` is what is measured."""

    name: str
    port: int
    process: psutil.Process | None


@dataclasses.dataclass(frozen=True, slots=True)
class Fleet:
    """``endpoints`` addresses of the engine on ``engine``, which streams or not; ``strategy`` is what ours chooses by."""

    engine: int
    endpoints: int
    strategy: str
    stream: bool = False

    @property
    def workers(self) -> list[str]:
        """One address of the loopback net each: the same engine, and for a proxy as many."""
        return [f"{host(number)}:{self.engine}" for number in range(1, self.endpoints + 1)]


def compiled() -> list[str]:
    """``COMPILED`` where it can be measured."""
    return [COMPILED] if _PROGRAMS[COMPILED].exists() else []


def host(number: int) -> str:
    """The address of endpoint ``number``, from 1 on."""
    return f"127.0.1.{number}"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str, body: bytes | None = None) -> bytes:
    """One request, without proxies of the environment."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"content-type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return bytes(answer.read())


def wait_until_up(
    port: int, path: str, process: psutil.Process, body: bytes | None = None, limit: float = 30.0
) -> None:
    """Until ``path`` answers 200.

    Raises:
        TimeoutError: it did not, or ``process`` ended.
    """
    end = time.monotonic() + limit
    why: object = "nothing listens"
    while time.monotonic() < end:
        if process.status() == psutil.STATUS_ZOMBIE:
            raise TimeoutError("it ended at once")
        try:
            ask(port, path, body)
        except OSError as error:
            why = error
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"does not answer within {limit:g} s: {why}")


@contextlib.contextmanager
def running(command: Sequence[str], folder: pathlib.Path, where: frozenset[int]) -> Iterator[psutil.Process]:
    """A process on the cores ``where`` for the time of the block; what it prints goes to a file in ``folder``."""
    with (folder / f"{time.monotonic_ns()}.log").open("wb") as log:
        with cores.on(where):
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT.parent)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


@contextlib.contextmanager
def engines(folder: pathlib.Path, events: int, pause: float) -> Iterator[tuple[int, int]]:
    """The ports of an engine that answers at once and of one that streams ``events``, one every ``pause`` seconds.

    Both listen on 127.0.0.1 and on every ``host``.
    """
    quick, slow = free_port(), free_port()
    listen = "".join(f"listen {host(number)}:{quick}; " for number in range(1, MOST + 1))
    text = (LOAD / "nginx.conf").read_text().replace("PORT", str(quick)).replace("FOLDER", str(folder))
    (folder / "nginx.conf").write_text(text.replace("# LISTEN", listen))
    enginepage.write(folder)
    nginx = ["nginx", "-e", str(folder / "nginx.log"), "-c", str(folder / "nginx.conf")]
    hosts = ["127.0.0.1", *(host(number) for number in range(1, MOST + 1))]
    streaming = [sys.executable, "-m", "bench.gateway_sse", str(slow), str(events), str(pause), ",".join(hosts)]
    elsewhere = cores.others()
    with running(nginx, folder, elsewhere) as first, running(streaming, folder, elsewhere) as second:
        wait_until_up(quick, "/health", first)
        wait_until_up(slow, "/sent", second)
        yield quick, slow


@contextlib.contextmanager
def systems(names: Sequence[str], fleet: Fleet, folder: pathlib.Path) -> Iterator[tuple[list[System], dict[str, str]]]:
    """Everything that is compared, in front of ``fleet``; and why each that could not be started is not among it."""
    made = [System(DIRECT, fleet.engine, None)]
    failed: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        for name in (FLOOR, OURS, *names):
            port = free_port()
            patience = peers.PEERS[name].patience if name in peers.PEERS else 30.0
            with contextlib.ExitStack() as tried:
                try:
                    process = tried.enter_context(
                        running(_command(name, port, fleet, folder), folder, cores.measured())
                    )
                    wait_until_up(port, PATH, process, PROBE % (b"true" if fleet.stream else b"false"), patience)
                except OSError as error:  # TimeoutError is one
                    if name in {FLOOR, OURS}:
                        raise
                    failed[name] = f"cannot be started: {error}"
                    continue
                stack.push(tried.pop_all())
                made.append(System(name, port, process))
        yield made, failed


def _command(name: str, port: int, fleet: Fleet, folder: pathlib.Path) -> list[str]:
    if name == FLOOR:
        return [sys.executable, "-m", "bench.gateway_bare", str(port), str(fleet.engine)]
    if name in _PROGRAMS:
        return _gateway(_PROGRAMS[name], port, fleet, folder)
    return peers.PEERS[name].command(peers.Place(port, fleet.workers, free_port(), folder))


def _gateway(program: pathlib.Path, port: int, fleet: Fleet, folder: pathlib.Path) -> list[str]:
    """The gateway as users run it without a control plane: everything on that is on by default."""
    path = folder / f"endpoints-{port}.yaml"
    listed = "".join(f"      - {worker}\n" for worker in fleet.workers)
    path.write_text(f"models:\n  - name: tiny\n    engine: vllm\n    endpoints:\n{listed}")
    return [str(program), "gateway", "--endpoints-config", str(path), "--port", str(port), "--strategy", fleet.strategy]


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of a process and its children."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
    return total


def resident(process: psutil.Process) -> float:
    """Megabytes of a process and its children."""
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 1e6
