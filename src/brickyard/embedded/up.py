"""The life of one ``brickyard up``: take the lock, start the parts, say where they serve, stop them in order.

Three parts: ``machine`` (API server, node agent, built-in controllers), ``services`` (users and their limits) and ``gateway``, which starts
once the machine's API serves. They stop in reverse, the gateway first, so that requests in flight end on engines that still run; the
machine then ends the containers within their grace.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable

from brickyard.embedded import home, supervisor
from brickyard.embedded.kubelet import leftovers
from brickyard.lib import errors, process, settings

LOOPBACK = "127.0.0.1"
GATEWAY_PATIENCE = 15.0
SERVICES_PATIENCE = 15.0
MACHINE_PATIENCE = 60.0
"""Longer than the default grace of a pod (30 s), so that containers end politely."""


@dataclasses.dataclass(frozen=True)
class UpSettings:
    """`brickyard up`."""

    api_port: int = settings.field(6443, env="BRICKYARD_API_PORT", help="TCP port of the Kubernetes API, on 127.0.0.1")
    gateway_port: int = settings.field(
        8888, env="BRICKYARD_GATEWAY_PORT", help="TCP port of the OpenAI API, on 127.0.0.1"
    )
    services_port: int = settings.field(
        8090, env="BRICKYARD_SERVICES_PORT", help="TCP port of the services (users and their limits), on 127.0.0.1"
    )


class PortTaken(errors.UsageError):
    """We cannot listen where we want to: somebody else does, or it is no port."""


class StartFailed(errors.BrickyardError):
    """`up --detach` ended instead of serving."""


class StopTooSlow(errors.BrickyardError):
    """`down` gave up waiting."""


def check_port(port: int, flag: str) -> None:
    """Raise ``PortTaken`` when ``port`` cannot be listened on; ``flag`` is how to choose another."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OverflowError as error:
            raise PortTaken(f"{port} is no TCP port", hint=f"choose one of 1 to 65535 with {flag} PORT") from error
        except OSError as error:
            hint = f"choose another one with {flag} PORT, or find who uses it with `ss -ltnp 'sport = :{port}'`"
            raise PortTaken(f"cannot listen on {LOOPBACK}:{port}: {error.strerror}", hint=hint) from error


async def run(
    place: home.Home, wanted: UpSettings, serving: Callable[[home.Running], Awaitable[None]], stop: asyncio.Event
) -> None:
    """Start everything in ``place``, call ``serving`` once all parts are ready, and stop everything when ``stop`` is set.

    Raises:
        AlreadyRunning: ``place`` is taken.
        PortTaken: a port is.
        PartFailed: a part did not start; the text says why.
    """
    place.prepare()
    with place.locked():
        _check_ports(wanted)
        running = home.Running(
            process.me(),
            f"https://{LOOPBACK}:{wanted.api_port}",
            f"http://{LOOPBACK}:{wanted.gateway_port}",
            f"http://{LOOPBACK}:{wanted.services_port}",
        )
        place.write_state(running)
        async with supervisor.Supervisor(_parts(place, wanted)):
            await serving(running)
            await stop.wait()


def _check_ports(wanted: UpSettings) -> None:
    rows = (
        ("the Kubernetes API", wanted.api_port, "--api-port"),
        ("the OpenAI API", wanted.gateway_port, "--gateway-port"),
        ("the services", wanted.services_port, "--services-port"),
    )
    for (one, port, flag), (other, other_port, other_flag) in itertools.combinations(rows, 2):
        if port == other_port:
            text = f"{one} and {other} cannot both listen on port {port}"
            raise PortTaken(text, hint=f"choose another one for either with {flag} or {other_flag}")
    for _, port, flag in rows:
        check_port(port, flag)


def _parts(place: home.Home, wanted: UpSettings) -> list[supervisor.Part]:
    machine = ("--data-dir", str(place.path), "--port", str(wanted.api_port))
    gateway = ("--kubeconfig", str(place.kubeconfig), "--store", place.accounts, "--port", str(wanted.gateway_port))
    services = ("--store", place.accounts, "--port", str(wanted.services_port))
    return [
        supervisor.part_of_brickyard("machine", machine, place.logs, patience=MACHINE_PATIENCE),
        supervisor.part_of_brickyard("services", services, place.logs, patience=SERVICES_PATIENCE),
        supervisor.part_of_brickyard("gateway", gateway, place.logs, patience=GATEWAY_PATIENCE, after="machine"),
    ]


def detach(place: home.Home, wanted: UpSettings, deadline: float = 60.0) -> home.Running:
    """Run ``brickyard up`` in the background; return once it serves.

    Raises:
        StartFailed: it ended, or did not serve within ``deadline`` seconds; the text is its own.
    """
    place.prepare()
    with place.locked():
        pass
    read_end, write_end = os.pipe()
    log = place.logs / "up.log"
    command = [sys.executable, "-m", "brickyard.cli.main", "up", "--data-dir", str(place.path)]
    command += ["--api-port", str(wanted.api_port), "--gateway-port", str(wanted.gateway_port)]
    command += ["--services-port", str(wanted.services_port)]
    with log.open("wb") as output, os.fdopen(read_end, "rb", buffering=0) as pipe:
        environ = {**os.environ, process.READY_FD: str(write_end)}
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ,
            pass_fds=(write_end,), start_new_session=True,
        )  # fmt: skip
        os.close(write_end)
        readable, _, _ = select.select([pipe], [], [], deadline)
        if not readable:
            child.terminate()
        if readable and pipe.read(6):
            running = place.running()
            if running is not None:
                # The child outlives us on purpose; without this, the interpreter would warn about it.
                child.returncode = 0
                return running
    child.wait(deadline)
    words = _last_error(log.read_text(errors="replace")) or f"no answer within {deadline:.0f} s"
    raise StartFailed(words, hint=f"its log: {log}")


def _last_error(text: str) -> str:
    """The last error of a command's output with its hint, what was logged before it left out; all of it when there is none."""
    _, _, words = f"\n{text}".rpartition("\nerror: ")
    return words.strip()


def stop(place: home.Home, deadline: float = SERVICES_PATIENCE + GATEWAY_PATIENCE + MACHINE_PATIENCE + 10) -> bool:
    """Stop what runs in ``place`` and wait until it has; False when nothing ran.

    Containers that lost everybody who looked after them count as running.

    Raises:
        StopTooSlow: it still runs after ``deadline`` seconds.
    """
    running = place.running()
    if running is not None:
        _end(place, running.supervisor, deadline)
    return leftovers.end(place.path) > 0 or running is not None


def _end(place: home.Home, supervisor_: process.Identity, deadline: float) -> None:
    supervisor_.signal(signal.SIGTERM)
    if not supervisor_.wait(deadline):
        hint = f"look at {place.logs}, or end it by force: kill -9 {supervisor_.pid}"
        raise StopTooSlow(f"still stopping after {deadline:.0f} s", hint=hint)
