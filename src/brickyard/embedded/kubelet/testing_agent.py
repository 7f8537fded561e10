"""An agent to test with: real processes against an API in memory.

async with House(tmp_path) as house, house.running() as agent:
    await house.create(pod(server()))
    await house.until(ready)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Self

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import agent as agents
from brickyard.embedded.kubelet import procfs, settings
from brickyard.embedded.kubelet.testing import FakeModels, container
from brickyard.engines import contract as engines
from brickyard.kube.client import contract as kube
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.client import testing as kube_testing
from brickyard.lib import clock, process

SERVER = """
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), os._exit(0)))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'hello')
    def log_message(self, *args): pass
server = http.server.HTTPServer((os.environ['BRICKYARD_POD_IP'], 8000), Handler)
print('serving', flush=True)
server.serve_forever()
"""


def python(code: str, **fields: Any) -> dict[str, Any]:
    """A container that runs ``code``."""
    return container(command=[sys.executable, "-c", code], **fields)


def server(**fields: Any) -> dict[str, Any]:
    """A container that serves HTTP on port 8000 of its pod."""
    return python(SERVER, ports=[{"name": "http", "containerPort": 8000}], **fields)


async def eventually(what: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return once ``what`` holds; it is looked at often.

    Raises:
        TimeoutError: it did not within ``seconds``.
    """
    async with asyncio.timeout(seconds):
        while True:
            if what():
                return
            await asyncio.sleep(0.005)


class House:
    """An API in memory, and agents on one folder, one after another."""

    def __init__(self, folder: pathlib.Path) -> None:
        # Uids of their own: other runs of these tests on this machine look for processes by them too.
        self.client = kube_testing.MemoryClient(seed=int.from_bytes(os.urandom(8)))
        self.uids: set[str] = set()
        self.settings = settings.KubeletSettings(data_dir=folder, node_name="here")
        self.models = FakeModels()
        self.launchers: list[engines.Launcher] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing may be left, whatever the test did."""
        left = self.processes()
        for each in left:
            procfs.send(each, signal.SIGKILL)
        if left:
            raise AssertionError(f"processes are left behind: {left}")

    def agent(self) -> agents.NodeAgent:
        return agents.NodeAgent(self.client, self.settings, self.launchers, self.models, clock.SystemClock())

    @contextlib.asynccontextmanager
    async def running(self, *, stop_containers: bool = True) -> AsyncIterator[agents.NodeAgent]:
        one, stop = self.agent(), asyncio.Event()
        one.stop_containers = stop_containers
        task = asyncio.create_task(one.run(stop))
        try:
            yield one
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)

    async def create(self, obj: resources.Object) -> resources.Object:
        del obj["metadata"]["uid"]
        made = await self.client.create(resources.POD, obj)
        self.uids.add(made["metadata"]["uid"])
        return made

    async def pod(self, name: str = "a") -> resources.Object:
        return await self.client.get(resources.POD, name, "default")

    async def until(self, what: Callable[[resources.Object], Any], name: str = "a") -> resources.Object:
        """The pod, once ``what`` holds of it."""
        try:
            async with asyncio.timeout(15):
                while True:
                    found = await self.pod(name)
                    if what(found):
                        return found
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"still {(await self.pod(name)).get('status')}") from None

    async def gone(self, name: str = "a") -> None:
        async with asyncio.timeout(15):
            with contextlib.suppress(kube_errors.NotFound):
                while True:
                    await self.pod(name)
                    await asyncio.sleep(0.01)

    async def delete(self, name: str = "a", grace: int | None = None) -> None:
        await self.client.delete(resources.POD, ("default", name), kube.DeleteOptions(grace_period_seconds=grace))

    async def forgotten(self) -> None:
        """Until no pod has a folder any more."""
        await eventually(lambda: not list((self.settings.folder / "pods").iterdir()))

    async def settled(self, one: agents.NodeAgent) -> None:
        """Until an agent without pods has nothing left to do."""
        await self.forgotten()
        await eventually(lambda: not one.pods)
        for _ in range(5):
            await asyncio.sleep(0)

    def events(self) -> list[tuple[str, str]]:
        return [(each["reason"], each["message"]) for each in self.client.all(resources.EVENT)]

    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.events()]

    def processes(self) -> list[process.Identity]:
        """Everything that runs for a pod of this house."""
        return [each.identity for each in procfs.strays(self.uids, ())]


def ready(obj: resources.Object) -> bool:
    """The pod's Ready condition."""
    found = obj.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in found)


def phase(wanted: str) -> Callable[[resources.Object], bool]:
    """Whether a pod is in a phase."""
    return lambda obj: bool(obj.get("status", {}).get("phase") == wanted)


def state(obj: resources.Object, index: int = 0) -> Mapping[str, Any]:
    """The status of a main container; empty before there is one."""
    statuses: Sequence[Mapping[str, Any]] = obj.get("status", {}).get("containerStatuses") or ({},)
    return statuses[index]


def waiting(reason: str) -> Callable[[resources.Object], bool]:
    """Whether a pod's first container waits for a reason."""
    return lambda obj: bool((state(obj).get("state", {}).get("waiting") or {}).get("reason") == reason)


def pid(obj: resources.Object) -> int:
    """The process of a pod's first container."""
    return int(state(obj)["containerID"].removeprefix("process://").partition("-")[0])


async def fetch(obj: resources.Object, port: int = 8000) -> bytes:
    """What the pod answers to a GET, once it listens."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                reader, writer = await asyncio.open_connection(obj["status"]["podIP"], port)
                break
            await asyncio.sleep(0.01)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer
