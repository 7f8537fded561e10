"""Which controllers there are, and how they run: beside the API server on one machine, or in a cluster with leader election."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

import prometheus_client

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.assembly import engines
from brickyard.controllers import openfiles, pages
from brickyard.controllers import settings as controllers_settings
from brickyard.controllers.podautoscaler import gateways
from brickyard.controllers.podautoscaler import wiring as podautoscaler
from brickyard.controllers.podautoscaler.sources import servicenames, sources
from brickyard.kube.client import bucket, contract, errors, kubeconfig, rest
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import election, leader, manager, metrics, selection
from brickyard.lib import clock, logs, settings, tasks
from brickyard.lib import pages as fetched

log = logs.get(__name__)

NAMES: Final = (podautoscaler.NAME,)
"""Controllers that there are."""
ABSENT: Final = (
    "distributed-inference-controller",
    "model-adapter-controller",
    "model-route-controller",
    "model-claim-controller",
    "kv-cache-controller",
    "stormservice-controller",
)
"""What ``--controllers`` of AIBrix can name besides. Lists that name one start; its kinds are left alone, and that is told."""
NOWHERE: Final = "0"
"""An address that is not listened on."""
LEASE: Final = meta.Key(names.SYSTEM_NAMESPACE, "aibrix-controller-manager")
"""What replicas take turns by, where nothing else is said."""
_ONE_MACHINE: Final = "127.0.0.1:0"


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What was given on the command line; None where nothing was.

    ``rate`` and ``burst``: calls of the API in a second, and at once. ``elect``: wait for the lease ``lease`` before working.
    """

    kubeconfig: pathlib.Path | None = None
    controllers: str | None = None
    metrics_address: str | None = None
    probes_address: str | None = None
    rate: float = 100.0
    burst: float = 100.0
    elect: bool = False
    lease: meta.Key = LEASE
    timing: election.Timing | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Assembled:
    """A manager with its controllers, and the pages about them."""

    manager: manager.Manager
    registry: prometheus_client.CollectorRegistry
    pages: Mapping[str, pages.Page]


def load(environ: Mapping[str, str], said: Said) -> controllers_settings.ControllersSettings:
    """Settings from ``environ`` and from what was said, which wins.

    Raises:
        SettingError: a variable does not parse.
        UnknownController: the list names one that there is not.
    """
    given = settings.load(
        controllers_settings.ControllersSettings,
        environ,
        controllers=said.controllers,
        metrics_address=said.metrics_address,
        probes_address=said.probes_address,
    )
    selection.selected(given.controllers, (*NAMES, *ABSENT))
    return given


def missing(given: controllers_settings.ControllersSettings) -> Sequence[str]:
    """Controllers that the list asks for by name and that there are not."""
    named = {each.strip() for each in given.controllers.split(",")}
    return sorted(named & selection.selected(given.controllers, (*NAMES, *ABSENT)) & set(ABSENT))


async def beside(
    client: contract.Client, time: clock.Clock, environ: Mapping[str, str], listening: Callable[[str], None]
) -> None:
    """Run the controllers of one machine until cancelled; ``listening`` hears the URL of their pages, which nobody else can reach."""
    given = dataclasses.replace(load(environ, Said()), metrics_address=_ONE_MACHINE, probes_address=NOWHERE)
    # Pods of a cluster ask its name server; this process is no pod, and one machine has no such server.
    services = servicenames.ServiceNames(client)
    async with _assembled(client, time, given, services=services) as made, _shown(made, given) as url:
        listening(url)
        await made.manager.run()


async def serve(
    said: Said,
    given: controllers_settings.ControllersSettings,
    stop: asyncio.Event,
    ready: Callable[[], None] | None = None,
) -> None:
    """Run the controllers of a cluster until ``stop`` is set.

    Raises:
        KubeconfigError: nothing says how to reach the cluster.
        ListenError: the pages' address is taken.
        LeadershipLost: another replica leads now; start again to wait for its end.
    """
    for each in missing(given):
        log.warning("there is no such controller here, its kinds are left alone", controller=each)
    openfiles.allow()
    time = clock.SystemClock()
    rate = bucket.Bucket(said.rate, said.burst)
    async with rest.RestClient(kubeconfig.load(said.kubeconfig), rate=rate) as client:
        elected = leader.Leader(client, said.lease, _identity(), time, said.timing) if said.elect else None
        async with (
            _assembled(client, time, given, elected=elected) as made,
            _shown(made, given),
            tasks.Scope("controllers") as scope,
        ):
            scope.start(made.manager.run(), name="manager")
            if ready is not None:
                ready()
            await stop.wait()


@contextlib.asynccontextmanager
async def _assembled(
    client: contract.Client,
    time: clock.Clock,
    given: controllers_settings.ControllersSettings,
    *,
    elected: leader.Leader | None = None,
    services: fetched.Names | None = None,
) -> AsyncIterator[_Assembled]:
    registry = prometheus_client.CollectorRegistry()
    made = manager.Manager(client, time, election=elected, observed=metrics.Metrics(registry))
    wanted = selection.selected(given.controllers, (*NAMES, *ABSENT))
    async with contextlib.AsyncExitStack() as stack:
        more: dict[str, pages.Page] = {}
        if podautoscaler.NAME in wanted and await _served(client, resources.POD_AUTOSCALER):
            read = await stack.enter_async_context(sources.Sources(client, engines.engines(), time, names=services))
            means = podautoscaler.Means(read, registry, (gateways.Gateways(),))
            more.update(podautoscaler.add(made, means, given))
        yield _Assembled(made, registry, more)


async def _served(client: contract.Client, kind: resources.ResourceType) -> bool:
    """Whether the API knows ``kind``: a cluster may have only some of our definitions."""
    try:
        await client.list(kind, contract.Query(limit=1))
    except errors.NotFound:
        log.warning("this API serves no such kind, its controller does not run", kind=kind.kind)
        return False
    return True


@contextlib.asynccontextmanager
async def _shown(made: _Assembled, given: controllers_settings.ControllersSettings) -> AsyncIterator[str]:
    """Serve the pages inside the block; the URL of those with metrics, "" where there are none."""
    shown = pages.application(made.registry, made.manager.not_ready, made.pages)
    async with contextlib.AsyncExitStack() as stack:
        urls = [
            await stack.enter_async_context(pages.serving(address, shown)) if address != NOWHERE else ""
            for address in (given.metrics_address, given.probes_address)
        ]
        yield urls[0]


def _identity() -> str:
    """As client-go makes it: a pod's name, and no two lives of it the same."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"
