"""The services' beginning and end: take the port, serve, stop politely."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence

import uvicorn

from brickyard.api.openai import errors as openai
from brickyard.lib import connections, listening, logs
from brickyard.services import app, contract, errors
from brickyard.services import settings as services_settings

log = logs.get(__name__)

BOUNDS = connections.Bounds(open=1024, head=64 * 1024, head_seconds=15.0)
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
            async with listening.listening(_configuration(application, settings), listener, "services/http"):
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


def _configuration(application: app.App, settings: services_settings.ServicesSettings) -> uvicorn.Config:
    return listening.configuration(
        application.asgi,
        http=connections.bounded(BOUNDS, refusal),
        backlog=_BACKLOG,
        grace=settings.drain_timeout,
        timeout_keep_alive=_KEEP_ALIVE,
    )


def refusal(status: int, reason: str) -> tuple[str, bytes]:
    """What is said to whoever sends what never becomes a request."""
    return "application/json", openai.ApiError(status, reason).body()


def bind(host: str, port: int) -> socket.socket:
    """A socket that will listen there.

    Raises:
        ListenError: another program listens there, or the address is not this machine's.
    """
    try:
        return listening.bind(host, port, _BACKLOG)
    except OSError as error:
        text = f"the services cannot listen on {host}:{port}: {error.strerror or error}"
        hint = "choose another port with --port (0 takes a free one), or another address with --host"
        raise errors.ListenError(text, hint=hint) from error
