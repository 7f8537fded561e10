"""The process that holds the API server, the node agent, the built-in controllers and those of AIBrix' kinds.

They are strangers: they meet in the Kubernetes API, which the others reach over HTTPS like anyone else, and here, where they are
started and stopped in order. On SIGTERM containers are ended within their grace; however else this process ends, they run on and the next
one adopts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import uvloop

from brickyard.api.kinds import podlogs, podstreams, resources, usage
from brickyard.assembly import engines
from brickyard.embedded import home
from brickyard.embedded.apiserver import catalog, server
from brickyard.embedded.apiserver import settings as api_settings
from brickyard.embedded.builtin import controllers
from brickyard.embedded.builtin.balancer import proxy
from brickyard.embedded.kubelet import agent
from brickyard.embedded.kubelet import settings as kubelet_settings
from brickyard.kube.client import rest
from brickyard.lib import clock, settings, tasks
from brickyard.sidecar.downloads import cache

API_DEADLINE = 20.0
"""Seconds the API server gets to serve, opening its store included."""
ATTENDED = (*controllers.ATTENDED, resources.POD_AUTOSCALER)
"""The kinds that are acted on while this process runs."""


@dataclasses.dataclass(frozen=True, slots=True)
class MachineSettings:
    """Where state is kept, and the port of the Kubernetes API."""

    data_dir: pathlib.Path
    port: int


class _LogsLater:
    """The pods' logs, once there is a node agent; the API server serves before, since the agent is one of its clients."""

    def __init__(self) -> None:
        self.source: podlogs.PodLogs | None = None

    async def open(self, query: podlogs.PodLogQuery) -> AsyncIterator[bytes]:
        if self.source is None:
            raise podlogs.LogsUnavailable("the node agent is starting: try again in a moment")
        return await self.source.open(query)


class _UsagesLater:
    """What pods and the machine use, likewise."""

    def __init__(self) -> None:
        self.source: usage.Usages | None = None

    async def pods(self) -> Sequence[usage.PodUsage]:
        return await self.source.pods() if self.source else ()

    async def nodes(self) -> Sequence[usage.NodeUsage]:
        return await self.source.nodes() if self.source else ()


class _StreamsLater:
    """Streams into pods, likewise."""

    def __init__(self) -> None:
        self.source: podstreams.PodStreams | None = None

    @property
    def _there(self) -> podstreams.PodStreams:
        if self.source is None:
            raise podstreams.StreamsUnavailable("the node agent is starting: try again in a moment")
        return self.source

    async def execute(self, query: podstreams.CommandQuery) -> podstreams.Session:
        return await self._there.execute(query)

    async def attach(self, query: podstreams.CommandQuery) -> podstreams.Session:
        return await self._there.attach(query)

    async def forward(self, namespace: str, pod: str) -> podstreams.Forwarder:
        return await self._there.forward(namespace, pod)


def run(wanted: MachineSettings, ready: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT; ``ready`` is called once the API serves and pods are looked after.

    Raises:
        BrickyardError: it cannot start; the text says why and what to do.
    """
    uvloop.run(_run(wanted, os.environ, ready))


async def _run(wanted: MachineSettings, environ: Mapping[str, str], ready: Callable[[], None]) -> None:
    place, time = home.Home(wanted.data_dir), clock.SystemClock()
    pod_logs, usages, streams = _LogsLater(), _UsagesLater(), _StreamsLater()
    api = settings.load(api_settings.ApiServerSettings, environ, data_dir=place.path, port=wanted.port)
    kubelet = settings.load(kubelet_settings.KubeletSettings, environ, data_dir=place.path)
    models = cache.ModelCache.configured(environ)
    async with (
        tasks.stop_signal() as stop,
        _api_server(api, server.Agent(pod_logs, usages, streams)) as kubeconfig,
        rest.RestClient.from_kubeconfig(kubeconfig) as client,
        tasks.Scope("machine") as scope,
    ):
        scope.start(controllers.run(client, time, proxy.Balancer(), place.volumes), name="controllers")
        node = agent.NodeAgent(client, kubelet, engines.launchers(), models, time)
        pod_logs.source, usages.source, streams.source = node.logs, node.usages, node.streams
        ready()
        scope.start(_aibrix(client, environ, place), name="aibrix")
        await node.run(stop)


async def _aibrix(client: rest.RestClient, environ: Mapping[str, str], place: home.Home) -> None:
    """Run the controllers of AIBrix' kinds until cancelled."""
    # They take a tenth of a second to import, and nobody waits for them: what came before them is in the API.
    from brickyard.assembly import controllers as aibrix  # noqa: PLC0415 - see above

    await aibrix.beside(client, clock.SystemClock(), environ, place.write_controllers)


@contextlib.asynccontextmanager
async def _api_server(wanted: api_settings.ApiServerSettings, offers: server.Agent) -> AsyncIterator[pathlib.Path]:
    """Serve the API inside the block, and after it for as long as its clients need to say farewell; the kubeconfig."""
    stop, serving = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with tasks.Scope("api") as scope:
        work = server.serve(
            wanted,
            catalog=catalog.BuiltinCatalog(),
            agent=offers,
            stop=stop,
            ready=serving.set_result,
            attended=ATTENDED,
        )
        running = scope.start(work, name="server")
        async with asyncio.timeout(API_DEADLINE):
            found: server.Serving = await serving
        try:
            yield found.kubeconfig
        finally:
            stop.set()
            await asyncio.wait([running], timeout=API_DEADLINE)
