"""A machine for streams: an API server and a node agent in the test's own loop, and kubectl outside."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

from brickyard.api.kinds import podstreams, resources
from brickyard.embedded.apiserver import settings as api_settings
from brickyard.embedded.apiserver import testing as api_testing
from brickyard.embedded.kubelet import agent, procfs, settings
from brickyard.embedded.kubelet.testing import FakeModels, pod
from brickyard.embedded.kubelet.testing_agent import phase, python, ready
from brickyard.kube.client import rest
from brickyard.lib import clock

KUBECTL = shutil.which("kubectl", path=f"{pathlib.Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
SLEEPER = "import time\nprint('hello', flush=True)\ntime.sleep(1000)"


class StreamsLater:
    """The agent's streams, once there is an agent."""

    def __init__(self) -> None:
        self.source: podstreams.PodStreams | None = None

    @property
    def _there(self) -> podstreams.PodStreams:
        assert self.source is not None
        return self.source

    async def execute(self, query: podstreams.CommandQuery) -> podstreams.Session:
        return await self._there.execute(query)

    async def attach(self, query: podstreams.CommandQuery) -> podstreams.Session:
        return await self._there.attach(query)

    async def forward(self, namespace: str, pod: str) -> podstreams.Forwarder:
        return await self._there.forward(namespace, pod)


@dataclasses.dataclass(frozen=True)
class Result:
    code: int
    out: bytes
    err: str


@dataclasses.dataclass
class Machine:
    api: api_testing.RunningServer
    client: rest.RestClient
    cache: pathlib.Path
    uids: set[str] = dataclasses.field(default_factory=set)

    async def pod(self, name: str = "a", *containers: dict[str, Any], **fields: Any) -> resources.Object:
        """A pod that is ready."""
        await self.made(name, *containers, **fields)
        return await self.until(ready, name)

    async def made(self, name: str, *containers: dict[str, Any], **fields: Any) -> None:
        """A pod that is on its way."""
        obj = pod(*(containers or (python(SLEEPER),)), name=name, **fields)
        del obj["metadata"]["uid"]
        self.uids.add((await self.client.create(resources.POD, obj))["metadata"]["uid"])

    async def pod_over(self, name: str) -> resources.Object:
        """A pod whose only container has ended well."""
        obj = pod(python("pass"), name=name, restartPolicy="Never")
        del obj["metadata"]["uid"]
        await self.client.create(resources.POD, obj)
        return await self.until(phase("Succeeded"), name)

    async def until(self, what: Callable[[resources.Object], bool], name: str = "a") -> resources.Object:
        async with asyncio.timeout(20):
            while True:
                found = await self.client.get(resources.POD, name, "default")
                if what(found):
                    return found
                await asyncio.sleep(0.02)

    def processes(self, word: str = "") -> list[int]:
        """What runs for its pods with ``word`` among its words."""
        found = []
        for each in procfs.strays(self.uids, ()):
            with contextlib.suppress(OSError):
                words = pathlib.Path(f"/proc/{each.identity.pid}/cmdline").read_bytes().decode()
                if word in words:
                    found.append(each.identity.pid)
        return found

    async def gone(self, word: str, seconds: float = 10.0) -> None:
        """Until nothing runs with ``word`` among its words."""
        async with asyncio.timeout(seconds):
            while self.processes(word):
                await asyncio.sleep(0.02)

    async def there(self, word: str, seconds: float = 10.0) -> int:
        """The process with ``word`` among its words, once there is one."""
        async with asyncio.timeout(seconds):
            while not (found := self.processes(word)):
                await asyncio.sleep(0.02)
            return found[0]

    def words(self, *words: str) -> list[str]:
        assert KUBECTL is not None
        return [KUBECTL, "--kubeconfig", str(self.api.kubeconfig), "--cache-dir", str(self.cache), *words]

    async def kubectl(self, *words: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Result:
        async with self.started(*words, env=env) as process:
            out, err = await asyncio.wait_for(process.communicate(stdin), 40)
            return Result(process.returncode or 0, out, err.decode())

    @contextlib.asynccontextmanager
    async def started(
        self, *words: str, env: dict[str, str] | None = None
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """kubectl while it runs; it is gone when the block ends."""
        process = await asyncio.create_subprocess_exec(
            *self.words(*words),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **(env or {})},
        )
        try:
            yield process
        finally:
            kill(process)
            await process.communicate()


def kill(process: asyncio.subprocess.Process) -> None:
    """``Process.kill`` looks whether it has ended, and takes that from who waits for it."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


@contextlib.asynccontextmanager
async def machine(path: pathlib.Path, tuned: api_settings.ApiServerSettings | None = None) -> AsyncIterator[Machine]:
    """Both, stopped after it; nothing of any pod is left."""
    later, stop = StreamsLater(), asyncio.Event()
    wanted = settings.KubeletSettings(data_dir=path / "kubelet", node_name="here")
    async with (
        api_testing.running(path / "api", streams=later, settings=tuned) as api,
        rest.RestClient.from_kubeconfig(api.kubeconfig) as client,
    ):
        one = agent.NodeAgent(client, wanted, [], FakeModels(), clock.SystemClock())
        later.source = one.streams
        task = asyncio.create_task(one.run(stop))
        found = Machine(api, client, path / "cache")
        try:
            yield found
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)
            left = found.processes()
            for each in left:
                os.kill(each, signal.SIGKILL)
            assert not left
