"""The services' beginning and end: take the port, serve, stop politely."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Generator, Sequence

import uvicorn

from brickyard.lib import logs
from brickyard.services import app, connections, contract, errors
from brickyard.services import settings as services_settings

log = logs.get(__name__)

_BACKLOG = 256
_KEEP_ALIVE = 75


async def serve(
    services: Sequence[contract.Service],
    settings: services_settings.ServicesSettings,
    stop: asyncio.Event,
    *,
    ready: Callable[[int], None] | None = None,
) -> None:
    """Serve until ``stop`` is set, then let requests under way finish. ``ready`` hears the port once it listens.

    Raises:
        ListenError: the address cannot be listened on.
        ServicesError: the access log cannot be written.
    """
    with contextlib.closing(bind(settings.host, settings.port)) as listener:
        application = app.App(services, settings)
        with contextlib.closing(application):
            async with _listening(application, settings, listener):
                port = int(listener.getsockname()[1])
                log.info("services ready", host=settings.host, port=port, guarded=bool(settings.token))
                if not settings.token and not _loopback(settings.host):
                    log.warning("whoever reaches this port may manage users: set BRICKYARD_SERVICES_TOKEN")
                if ready is not None:
                    ready(port)
                await stop.wait()
                application.draining = True


def _loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


class _Server(uvicorn.Server):
    """Leaves signals to whoever owns the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@contextlib.asynccontextmanager
async def _listening(
    application: app.App, settings: services_settings.ServicesSettings, listener: socket.socket
) -> AsyncIterator[None]:
    config = uvicorn.Config(
        application.asgi,
        http=connections.Connection,
        ws="none",
        loop="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=max(1, round(settings.drain_timeout)),
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]), name="services/http")
    try:
        while not server.started and not running.done():
            await asyncio.wait([running], timeout=0.005)
        yield
    finally:
        server.should_exit = True
        # It looks at this ten times a second.
        await running


def bind(host: str, port: int) -> socket.socket:
    """A socket that will listen there.

    Raises:
        ListenError: another program listens there, or the address is not this machine's.
    """
    hint = "choose another port with --port (0 takes a free one), or another address with --host"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # At once, so that a second one learns it here: two sockets that both reuse the address may bind, and only one may listen.
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise errors.ListenError(f"the services cannot listen on {host}:{port}: {why}", hint=hint) from error
    listener.setblocking(False)
    return listener
