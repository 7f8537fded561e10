"""The data plane's beginning and end."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Self

import prometheus_client
from prometheus_client import registry

from brickyard.gateway import contract, errors, metrics, settings
from brickyard.gateway.dialects import registry as dialects
from brickyard.gateway.optimizer import contract as optimizer
from brickyard.gateway.optimizer import traces
from brickyard.gateway.proxy import (
    accesslog,
    budget,
    client,
    cors,
    ids,
    pages,
    plane,
    pool,
    router,
    signals,
    sweeper,
    tls,
    together,
)
from brickyard.gateway.queueing import queue
from brickyard.gateway.queueing import settings as queue_settings
from brickyard.gateway.sharing import neighbours
from brickyard.gateway.tracing import contract as tracing
from brickyard.gateway.waking import waking
from brickyard.lib import clock, compilation, logs, tasks

log = logs.get(__name__)

BACKLOG: Final = 4096
FINISH: Final = 5.0
"""Seconds in which connections that were cut must be gone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Around:
    """What stands around a data plane.

    Attributes:
        unready: says for ``/readyz`` why traffic should go elsewhere, "" when it need not.
        collectors: add series to ``/metrics``.
        gate: lets requests in; None lets all in.
        queue: what becomes of requests while all endpoints are full.
        tracer: follows requests; None: they are not traced.
        texts: pages in Prometheus' text format, by path, beside ``/metrics``.
        documents: what further debug pages list, by path.
        traces: counts requests for the optimizer; None: nobody asks.
        present: keys of the endpoints that there are, whose series are shown; None: of all that were asked.
        neighbours: other workers behind the same port, whose pages are told with this one's.
        waking: knows models that sleep, and wakes them; None: there are none.
    """

    unready: Callable[[], str] = str
    collectors: Sequence[registry.Collector] = ()
    gate: contract.Gate | None = None
    queue: queue_settings.QueueSettings = dataclasses.field(default_factory=queue_settings.QueueSettings)
    tracer: tracing.Tracer | None = None
    traces: traces.Traces | None = None
    texts: Mapping[str, Callable[[str], bytes]] = dataclasses.field(default_factory=dict)
    documents: Mapping[str, Callable[[], Iterable[object]]] = dataclasses.field(default_factory=dict)
    present: Callable[[], Collection[str]] | None = None
    neighbours: neighbours.Neighbours | None = None
    waking: waking.Waking | None = None


class DataPlane:
    """A listener and everything behind it: ``async with DataPlane(director, settings) as plane``; leaving it drains.

    Attributes:
        port: the TCP port it listens on.
        certificate: what it shows to clients; None without TLS.
        plane: what its connections share.
    """

    def __init__(
        self,
        director: contract.Director,
        options: settings.GatewaySettings,
        around: Around | None = None,
        *,
        time: clock.Clock | None = None,
    ) -> None:
        self.port = 0
        around = around or Around()
        self._unready = around.unready
        self._scope = tasks.Scope("gateway")
        self._server: asyncio.Server | None = None
        self.certificate: tls.Certificate | None = None
        self.plane = self._assemble(director, options, around, (time or clock.SystemClock()).monotonic)

    def _assemble(
        self,
        director: contract.Director,
        options: settings.GatewaySettings,
        around: Around,
        now: Callable[[], float],
    ) -> plane.Plane:
        counters = metrics.GatewayMetrics(options.pod)
        counters.traffic.present = around.present
        pools = pool.Pools(options, counters, now)
        page_registry = prometheus_client.CollectorRegistry(auto_describe=False)
        line = queue.Queue(around.queue, now, around.waking)
        if around.waking is not None:
            around.waking.attach(line, counters)
        process = prometheus_client.ProcessCollector(registry=None)
        for collector in (counters, line.metrics, process, *around.collectors):
            page_registry.register(collector)
        gateway_pages = pages.Pages(director, page_registry, self._why_unready).table(debug=options.debug_pages)
        listed = pages.documents(around.documents) if options.debug_pages else {}
        own_pages: Mapping[str, router.Page] = {**gateway_pages, **pages.texts(around.texts), **listed}
        if around.neighbours is not None:
            own_pages = together.pages(own_pages, around.neighbours)
        shared = plane.Plane(
            director=director,
            settings=options,
            metrics=counters,
            router=router.Router(dialects.dialects(), own_pages),
            pools=pools,
            cors=cors.Cors(options.cors_origins),
            ids=ids.RequestIds(os.urandom),
            budget=budget.Budget(options.max_buffered_bytes),
            access=accesslog.AccessLog(options.access_log) if options.access_log else None,
            gate=around.gate,
            tracer=around.tracer,
            traces=around.traces,
            queue=line,
            now=now,
            tick=now(),
        )
        counters.client_connections = lambda: len(shared.clients)
        counters.upstream_connections = lambda: len(shared.pools)
        counters.buffered_bytes = lambda: shared.budget.held
        if around.traces is not None:
            around.traces.standings = lambda: _standings(shared)
        counters.lost_log_lines = lambda: shared.access.lost if shared.access is not None else 0
        return shared

    def _why_unready(self) -> str:
        return "the gateway is stopping" if self.plane.draining else self._unready()

    async def __aenter__(self) -> Self:
        options = self.plane.settings
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: client.ClientConnection(self.plane),
                options.host,
                options.port,
                backlog=BACKLOG,
                reuse_port=options.reuse_port or None,
                **self._encryption(options),
            )
        except errors.CertificateError:
            self._close_log()
            raise
        except OSError as error:
            self._close_log()
            if error.errno == errno.EADDRINUSE:
                raise errors.PortInUseError(options.host, options.port) from error
            raise errors.GatewayError(
                f"the gateway cannot listen on {options.host}:{options.port}: {error.strerror or error}",
                hint="choose another address with --host, or another port with --port (`brickyard up` takes --gateway-port)",
            ) from error
        self.port = int(self._server.sockets[0].getsockname()[1])
        await self._scope.__aenter__()
        self._scope.start(sweeper.run(self.plane), name="sweeper")
        if self.certificate is not None:
            self._scope.start(self.certificate.follow(), name="certificate")
        return self

    def _encryption(self, options: settings.GatewaySettings) -> dict[str, Any]:
        """What the listener needs to know of TLS.

        Raises:
            CertificateError: the files cannot be used.
        """
        if not (options.tls_cert or options.tls_key):
            return {}
        self.certificate = tls.Certificate(options.tls_cert, options.tls_key)
        return {
            "ssl": self.certificate.context,
            "ssl_handshake_timeout": options.head_timeout,
            "ssl_shutdown_timeout": client.LINGER,
        }

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            await self._drain(0.0 if error is not None else self.plane.settings.drain_timeout)
        finally:
            self.plane.pools.close()
            await self._scope.__aexit__(kind, error, trace)
            self._close_log()

    async def _drain(self, limit: float) -> None:
        shared = self.plane
        shared.draining = True
        if self._server is not None:
            self._server.close()
        for connection in tuple(shared.clients):
            connection.drain()
        if not await self._emptied(limit):
            log.warning("requests are cut at the end of the drain", connections=len(shared.clients), waited=limit)
            for connection in tuple(shared.clients):
                connection.cut()
        if not await self._emptied(FINISH):
            for connection in tuple(shared.clients):
                connection.abort()
            await self._emptied(FINISH)

    async def _emptied(self, limit: float) -> bool:
        """Wait for the last client connection to go; whether it went within ``limit`` seconds."""
        shared = self.plane
        if not shared.clients:
            return True
        shared.emptied = asyncio.Event()
        try:
            await asyncio.wait_for(shared.emptied.wait(), limit)
        except TimeoutError:
            return False
        return True

    def _close_log(self) -> None:
        if self.plane.access is not None:
            self.plane.access.close()


def _standings(shared: plane.Plane) -> dict[str, optimizer.Standing]:
    """How the requests of each model that is served stand."""
    waiting = dict(shared.queue.metrics.lengths())
    return {
        name: optimizer.Standing(counts.arrived, counts.in_flight, waiting.get(name, 0))
        for name, counts in shared.metrics.models().items()
        if name not in {metrics.UNKNOWN, metrics.OTHER}
    }


async def serve(
    director: contract.Director,
    options: settings.GatewaySettings,
    stop: asyncio.Event,
    around: Around | None = None,
    *,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve the OpenAI API until ``stop`` is set, then drain.

    ``ready`` hears the port once the listener is open.

    Raises:
        PortInUseError: somebody else listens on the port.
        GatewayError: the address or the access log cannot be used.
    """
    async with DataPlane(director, options, around) as running:
        log.info("gateway listens", host=options.host, port=running.port, code=compilation.words())
        access = running.plane.access
        with signals.heard(access.reopen if access is not None and access.rotates else None):
            if ready is not None:
                ready(running.port)
            await stop.wait()
        log.info("gateway stops", connections=len(running.plane.clients))
