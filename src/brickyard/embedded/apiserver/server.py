"""The API server as a part of a process: ``serve`` runs in the caller's loop until it is told to stop.

The port is taken before anything else happens; then the store is opened, the kinds and namespaces that always exist are made
sure of, and only then are requests answered. Stopping ends watches at once, gives requests under way a moment, writes what waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import http
import ipaddress
import pathlib
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterable

import orjson
import uvicorn

from brickyard.api.kinds import crds, podlogs, podstreams, resources, usage
from brickyard.embedded.apiserver import (
    app,
    auth,
    certs,
    companions,
    context,
    contract,
    customkinds,
    errors,
    expiry,
    gc,
    history,
    landmarks,
    namespaces,
    paging,
    store,
    watch,
)
from brickyard.embedded.apiserver.podstreams import connection, sockets
from brickyard.embedded.apiserver.podstreams import server as podstreams_server
from brickyard.embedded.apiserver.settings import ApiServerSettings
from brickyard.embedded.apiserver.webhooks import gate
from brickyard.lib import connections, listening, logs, tasks

log = logs.get(__name__)

_BACKLOG = 1024
_KEEP_ALIVE = 600
"""Seconds an idle connection stays: long, since its clients are few and near."""


@dataclasses.dataclass(frozen=True, slots=True)
class Serving:
    """Where a running API server is found. ``kubeconfig`` is readable by its owner only."""

    url: str
    port: int
    kubeconfig: pathlib.Path
    watches: watch.Hub
    """The watches that are open now."""


@dataclasses.dataclass(frozen=True, slots=True)
class Agent:
    """What the node agent answers for the API server; None where there is none."""

    logs: podlogs.PodLogs | None = None
    usages: usage.Usages | None = None
    streams: podstreams.PodStreams | None = None


async def serve(
    settings: ApiServerSettings,
    *,
    catalog: contract.Catalog,
    agent: Agent,
    stop: asyncio.Event,
    ready: Callable[[Serving], None] | None = None,
    attended: Iterable[resources.ResourceType] = (),
) -> None:
    """Serve until ``stop`` is set; ``ready`` is called once requests are answered.

    ``attended`` are the kinds that somebody on this machine acts on: of others, a client that creates one is warned.

    Raises:
        PortInUseError: another program listens on the port.
        DirectoryInUseError: another API server works on the data directory.
        DirectoryUnreadableError: the data directory is damaged, of a newer version or cannot be written.
    """
    with contextlib.closing(bind(settings.host, settings.port)) as listener:
        opened = store.Store.open(settings.data_dir, history.Limits(settings.history_events, settings.history_bytes))
        async with opened:
            await _serve(settings, _Parts(listener, opened, catalog, agent, frozenset(attended)), stop, ready)


@dataclasses.dataclass(frozen=True, slots=True)
class _Parts:
    listener: socket.socket
    store: store.Store
    catalog: contract.Catalog
    agent: Agent
    attended: frozenset[resources.ResourceType]


async def _serve(
    settings: ApiServerSettings, parts: _Parts, stop: asyncio.Event, ready: Callable[[Serving], None] | None
) -> None:
    watches = watch.Hub(parts.store, settings.watch_queue)
    asking = gate.Gate(parts.store, parts.catalog, random.SystemRandom())
    shared = context.Context(
        store=parts.store,
        catalog=parts.catalog,
        watches=watches,
        pages=paging.Pages(),
        logs=parts.agent.logs,
        knows=lambda shown: auth.same(shown, auth.token(settings.data_dir)),
        attended=parts.attended,
        usages=parts.agent.usages,
        streams=parts.agent.streams,
        gate=asking,
    )
    kinds, collector = customkinds.CustomKinds(shared), gc.GarbageCollector(shared)
    emptier = namespaces.NamespaceEmptier(shared)
    await namespaces.ensure(shared)
    await customkinds.ensure(shared, [*crds.definitions(), *companions.definitions()])
    try:
        serving, config = _configure(settings, parts, shared)
    except OSError as error:
        raise errors.unusable(settings.data_dir, error) from error
    keeper = await _landmarks(settings, shared, serving) if settings.landmarks else None
    asking.start()
    async with (
        contextlib.aclosing(asking),
        tasks.Scope("apiserver") as scope,
        _listening(config, parts.listener, watches),
    ):
        scope.start(kinds.run(), name="custom-kinds")
        scope.start(collector.run(), name="garbage-collector")
        scope.start(emptier.run(), name="namespaces")
        if keeper is not None:
            scope.start(keeper.run(), name="landmarks")
        scope.start(expiry.run(shared, settings.event_ttl, settings.max_events), name="events")
        scope.start(parts.store.broken(), name="store")
        log.info("API server ready", url=serving.url, kubeconfig=serving.kubeconfig)
        if ready is not None:
            ready(serving)
        await stop.wait()


async def _landmarks(settings: ApiServerSettings, shared: context.Context, serving: Serving) -> landmarks.Keeper:
    await landmarks.ensure(shared, serving.port)
    return landmarks.Keeper(shared, (settings.data_dir / "pki" / "ca.crt").read_text())


def _configure(settings: ApiServerSettings, parts: _Parts, shared: context.Context) -> tuple[Serving, uvicorn.Config]:
    certificates = certs.ensure(settings.data_dir)
    token = auth.token(settings.data_dir)
    port = parts.listener.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    serving = Serving(f"https://{host}:{port}", port, settings.data_dir / "kubeconfig", shared.watches)
    auth.write_private(serving.kubeconfig, certs.kubeconfig(serving.url, certificates.ca_pem, token))
    bounds = connections.Bounds(open=connections.affordable(settings.max_connections))
    config = listening.configuration(
        app.App(
            shared, token, settings.max_body, podstreams_server.Streams(settings.max_streams, settings.stream_idle)
        ),
        http=connections.bounded(bounds, refusal),
        ws=connection.Streaming,
        ws_max_size=sockets.MAX_MESSAGE,
        # Clients send pings of their own; a client that is stopped, or whose reader is slow, answers none of ours.
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        backlog=_BACKLOG,
        grace=settings.stop_grace,
        timeout_keep_alive=_KEEP_ALIVE,
        ssl_certfile=str(certificates.cert_file),
        ssl_keyfile=str(certificates.key_file),
    )
    return serving, config


@contextlib.asynccontextmanager
async def _listening(config: uvicorn.Config, listener: socket.socket, watches: watch.Hub) -> AsyncIterator[None]:
    """Requests are answered inside; on the way out watches end first, since they never would by themselves."""
    async with listening.listening(config, listener, "apiserver/http"):
        try:
            yield
        finally:
            watches.stop()


def refusal(status: int, reason: str) -> tuple[str, bytes]:
    """What is said to whoever sends what never becomes a request."""
    kind = (
        errors.HeadTooLargeError
        if status == http.HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        else errors.BadRequestError
    )
    return "application/json", orjson.dumps(kind(reason).status())


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address; port 0 takes a free one.

    Raises:
        PortInUseError: another program listens there, or the address is not this machine's to take.
    """
    try:
        if not ipaddress.ip_address(host).is_loopback:
            raise errors.PortInUseError(
                f"{host} is no loopback address", hint="the API server listens on 127.0.0.1 only"
            )
    except ValueError:
        raise errors.PortInUseError(f"{host!r} is no address", hint="write 127.0.0.1") from None
    try:
        return listening.bind(host, port, _BACKLOG)
    except OSError as error:
        why = (
            "is in use by another program" if error.errno == errno.EADDRINUSE else f"cannot be taken: {error.strerror}"
        )
        raise errors.PortInUseError(
            f"port {port} on {host} {why}", hint=f"choose another one with --port, for example --port {port + 1}"
        ) from error
