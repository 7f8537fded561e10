"""The gateway put together: pods from the Kubernetes API, endpoints, policies, engines' readers, the data plane.

    pod watch ──► PodDirector ◄── LoadScraper ◄── engines' metrics pages
                      ▲
    clients ──► data plane ──► engines

The Kubernetes API is needed to learn of pods, and to wake models that sleep: while it is away, the gateway serves with what it knows. In
its place may stand a file of endpoints, which is followed as it changes; nothing sleeps there.
"""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from brickyard.accounts import settings as account_settings
from brickyard.api.kinds import resources
from brickyard.assembly import (
    engines,
    gpu_profiles,
    kv_events,
    optimizer,
    routing_policies,
    sharing,
    stores,
    tracing,
    waking,
)
from brickyard.gateway import settings as gateway_settings
from brickyard.gateway import workers
from brickyard.gateway.endpoints import cards, director, exports, filewatch, loads, metrics, prefixes
from brickyard.gateway.endpoints import settings as endpoint_settings
from brickyard.gateway.kvevents import metrics as kv_metrics
from brickyard.gateway.kvevents import settings as kv_settings
from brickyard.gateway.limits import gate
from brickyard.gateway.limits import settings as gate_settings
from brickyard.gateway.optimizer import settings as optimizer_settings
from brickyard.gateway.proxy import server
from brickyard.gateway.queueing import settings as queueing
from brickyard.gateway.sharing import settings as sharing_settings
from brickyard.gateway.waking import settings as waking_settings
from brickyard.kube.client import contract, rest
from brickyard.kube.informers import informer
from brickyard.kvindex import settings as kvindex
from brickyard.lib import clock, pages, settings, tasks
from brickyard.routing import filters, registry


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that a gateway process is told. ``kubeconfig`` None: found as kubectl finds it; not used where ``endpoints_file`` is given."""

    proxy: gateway_settings.GatewaySettings = dataclasses.field(default_factory=gateway_settings.GatewaySettings)
    endpoints: endpoint_settings.EndpointSettings = dataclasses.field(
        default_factory=endpoint_settings.EndpointSettings
    )
    kubeconfig: pathlib.Path | None = None
    endpoints_file: pathlib.Path | None = None
    policies: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Environment variables that parameters of routing policies are read from."""
    gate: gate_settings.GateSettings = dataclasses.field(default_factory=gate_settings.GateSettings)
    accounts: account_settings.AccountSettings = dataclasses.field(
        default_factory=lambda: account_settings.AccountSettings(store=stores.MEMORY)
    )
    prefixes: kvindex.PrefixSettings = dataclasses.field(default_factory=kvindex.PrefixSettings)
    queue: queueing.QueueSettings = dataclasses.field(default_factory=queueing.QueueSettings)
    tracing: bool = False
    """Requests are traced, as ``OTEL_*`` variables say."""
    optimizer: optimizer_settings.OptimizerSettings = dataclasses.field(
        default_factory=optimizer_settings.OptimizerSettings
    )
    sharing: sharing_settings.SharingSettings = dataclasses.field(default_factory=sharing_settings.SharingSettings)
    kv_events: kv_settings.KvEventSettings = dataclasses.field(default_factory=kv_settings.KvEventSettings)
    seat: workers.Seat | None = None
    """This process's place, where it is one of several workers."""
    waking: waking_settings.WakingSettings = dataclasses.field(default_factory=waking_settings.WakingSettings)

    def routing(self) -> registry.Registry:
        """All routing policies, behind the limits of endpoints."""
        limits = (filters.HasRoom(self.queue.max_in_flight, self.queue.max_waiting),) if self.queue.limits else ()
        return routing_policies.make(self.endpoints.policies, self.policies, before=limits)


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What a command line may say; None leaves it to the environment and the defaults."""

    host: str | None = None
    port: int | None = None
    kubeconfig: pathlib.Path | None = None
    endpoints_file: pathlib.Path | None = None
    strategy: str | None = None
    store: str | None = None


def load(environ: Mapping[str, str], said: Said | None = None) -> Settings:
    """Settings from ``environ`` and from what was given on the command line, which wins.

    Raises:
        SettingError: a variable does not parse.
    """
    said = said or Said()
    return Settings(
        settings.load(gateway_settings.GatewaySettings, environ, host=said.host, port=said.port),
        settings.load(endpoint_settings.EndpointSettings, environ, strategy=said.strategy),
        said.kubeconfig,
        said.endpoints_file,
        {name: environ[name] for name in sorted(routing_policies.variables()) if name in environ},
        settings.load(gate_settings.GateSettings, environ),
        stores.load(environ, store=said.store),
        settings.load(kvindex.PrefixSettings, environ),
        settings.load(queueing.QueueSettings, environ),
        tracing.wanted(environ),
        settings.load(optimizer_settings.OptimizerSettings, environ),
        settings.load(sharing_settings.SharingSettings, environ),
        settings.load(kv_settings.KvEventSettings, environ),
        workers.seat(environ),
        settings.load(waking_settings.WakingSettings, environ),
    )


async def serve(given: Settings, stop: asyncio.Event, *, ready: Callable[[int], None] | None = None) -> None:
    """Run a gateway until ``stop`` is set, then drain. ``ready`` hears the port once the listener is open.

    Raises:
        KubeconfigError: there is no way to the Kubernetes API.
        EndpointsFileError: the file of endpoints cannot be used.
        PolicyError: a policy, its parameters or the default strategy are not usable.
        GatewayError: the listener cannot be opened.
    """
    if given.endpoints_file is not None:
        await _serve_file(given.endpoints_file, given, stop, ready)
        return
    async with rest.RestClient.from_kubeconfig(given.kubeconfig) as client:
        await serve_with(client, given, stop, ready=ready)


async def serve_with(
    client: contract.Client, given: Settings, stop: asyncio.Event, *, ready: Callable[[int], None] | None = None
) -> None:
    """``serve`` over a connection that is already there."""
    time = clock.SystemClock()
    chooser = director.PodDirector(given.routing(), given.endpoints, known=prefixes.Prefixes(given.prefixes), time=time)
    # All pods and not those with a label: a model's name may also stand in an annotation, which no selector reaches.
    pods = informer.Informer(client, resources.POD)
    chooser.follow(pods)
    alarm = waking.Alarm(client, chooser, pods, given.waking, waking.name(given.proxy, given.seat))
    await _run(
        _Parts(chooser, time, pods.run(), lambda: chooser.unready() or alarm.hub.unready(), alarm), given, stop, ready
    )


async def _serve_file(
    path: pathlib.Path, given: Settings, stop: asyncio.Event, ready: Callable[[int], None] | None
) -> None:
    """``serve`` endpoints that a file names."""
    time = clock.SystemClock()
    chooser = director.TableDirector(
        given.routing(), given.endpoints, known=prefixes.Prefixes(given.prefixes), time=time
    )
    file = filewatch.EndpointsFile(path, chooser.table)
    await _run(_Parts(chooser, time, file.follow(), lambda: ""), given, stop, ready)


@dataclasses.dataclass(frozen=True, slots=True)
class _Parts:
    """What differs by where endpoints come from: ``source`` keeps the chooser's table, ``unready`` says why it is not known yet, ``alarm``
    wakes models, where any can sleep."""

    chooser: director.TableDirector
    time: clock.Clock
    source: Coroutine[Any, Any, None]
    unready: Callable[[], str]
    alarm: waking.Alarm | None = None


def _endpoint_metrics(parts: _Parts, scraper: loads.LoadScraper, pod: str) -> metrics.EndpointMetrics:
    table, now = parts.chooser.table, parts.time.monotonic
    return metrics.EndpointMetrics(table, now, missed=lambda: scraper.missed, gateway=pod)


def _cards(parts: _Parts, fetcher: pages.Pages, every: float) -> cards.Cards:
    """What engines say of their models and adapters, for the table and for who lists them."""
    rng = random.Random()  # noqa: S311 - it spreads readings over time
    made = cards.Cards(parts.chooser.table, fetcher.get, time=parts.time, rng=rng, every=every)
    parts.chooser.described = made.of
    return made


async def _run(parts: _Parts, given: Settings, stop: asyncio.Event, ready: Callable[[int], None] | None) -> None:
    chosen, table, shown = given.endpoints, parts.chooser.table, prefixes.PrefixMetrics(parts.chooser.prefixes)
    fetcher = pages.Pages(connections=chosen.scrape_connections, timeout=chosen.scrape_timeout)
    async with (
        fetcher,
        stores.access(_accounts(given), parts.time) as access,
        tracing.tracer(on=given.tracing, pod=given.proxy.pod) as tracer,
        optimizer.records(given.optimizer, given.accounts, parts.time) as traces,
        sharing.shared(given.sharing, given.accounts.store, given.seat, parts.chooser) as shared,
        kv_events.followed(given.kv_events, parts.chooser, parts.time) as told,
        gpu_profiles.followed(given.accounts.store, parts.chooser.promises, wanted=given.endpoints.gpu_profiles),
        tasks.Scope("gateway") as scope,
    ):
        scope.start(parts.source, name="endpoints")
        hub = None if parts.alarm is None else parts.alarm.hub
        if parts.alarm is not None:
            scope.start(parts.alarm.run(), name="waking")
        scraper = loads.LoadScraper(
            table,
            engines.readers(),
            fetcher.get,
            lambda: chosen.pace(needed=parts.chooser.loads_wanted or given.queue.max_waiting >= 0),
            time=parts.time,
            rng=random.Random(),  # noqa: S311 - it spreads scrapes over time
        )
        scope.start(scraper.run(), name="loads")
        scope.start(_cards(parts, fetcher, chosen.models_interval).run(), name="cards")
        again = exports.EngineSeries(engines.series(), table.endpoints, parts.time.monotonic, given.proxy.pod)
        scraper.told = again.heard
        await server.serve(
            parts.chooser,
            given.proxy,
            stop,
            server.Around(
                parts.unready,
                (
                    _endpoint_metrics(parts, scraper, given.proxy.pod),
                    access.metrics,
                    shown,
                    kv_metrics.KvEventMetrics(told),
                    *shared.collectors,
                    *(() if hub is None else (hub.metrics,)),
                ),
                # What this process keeps in its own memory has no users: nobody else could write them there.
                gate.Gate(
                    given.gate, None if given.accounts.store == stores.MEMORY else access.directory, access.limiter
                ),
                queue=given.queue,
                tracer=tracer,
                traces=traces,
                texts={"/metrics/engines": again.page},
                documents={"/debug/kv-events": told.summary},
                present=table.endpoints,
                neighbours=shared.neighbours,
                waking=hub,
            ),
            ready=ready,
        )


def _accounts(given: Settings) -> account_settings.AccountSettings:
    """Where counts are kept: workers that were given no store count together in a file of theirs, which is gone when they are."""
    if given.seat is None or given.accounts.store != stores.MEMORY:
        return given.accounts
    return dataclasses.replace(given.accounts, store=f"sqlite://{given.seat.folder / 'counts.db'}")
