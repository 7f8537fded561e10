"""The pages that controllers have: health, readiness, metrics, and whatever each controller wants looked at.

They say what is, to whoever reaches the address: names of objects and numbers, never a secret, and nothing can be changed through them.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import orjson
import prometheus_client
from starlette import applications, requests, responses, routing

from brickyard.controllers import errors
from brickyard.lib import connections, listening, logs

log = logs.get(__name__)

Document = tuple[int, Any]
"""An HTTP status and what is shown as JSON. Numbers that are none become null."""
Page = Callable[[Mapping[str, str]], Document]
"""Given the parts of the path that vary."""

CONNECTIONS: Final = 64
"""At once; beyond that, the one that has been idle longest goes."""
_BACKLOG: Final = 64
_KEEP_ALIVE: Final = 30
_GRACE: Final = 1


def application(
    registry: prometheus_client.CollectorRegistry,
    not_ready: Callable[[], Sequence[str]],
    more: Mapping[str, Page],
) -> applications.Starlette:
    """The pages as an ASGI application. ``more`` is by path, such as ``/debug/things/{name}``."""

    def healthz(_: requests.Request) -> responses.Response:
        return responses.PlainTextResponse("ok\n")

    def readyz(_: requests.Request) -> responses.Response:
        reasons = not_ready()
        text = "".join(f"not ready: {each}\n" for each in reasons)
        return responses.PlainTextResponse(text or "ready\n", 503 if reasons else 200)

    def metrics(_: requests.Request) -> responses.Response:
        page = prometheus_client.generate_latest(registry)
        return responses.Response(page, media_type=prometheus_client.CONTENT_TYPE_LATEST)

    own = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}
    routes = [routing.Route(path, _on_loop(answer)) for path, answer in own.items()]
    routes += [routing.Route(path, _on_loop(_document(page))) for path, page in more.items()]
    return applications.Starlette(routes=routes)


def _document(page: Page) -> Callable[[requests.Request], responses.Response]:
    def answer(request: requests.Request) -> responses.Response:
        status, found = page(request.path_params)
        body = orjson.dumps(found, default=_plain, option=orjson.OPT_NON_STR_KEYS)
        return responses.Response(body, status, media_type="application/json")

    return answer


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def _on_loop(answer: Callable[[requests.Request], responses.Response]) -> Callable[[requests.Request], Any]:
    """What is shown changes on the loop and is read there: a thread would see it half changed."""

    async def handle(request: requests.Request) -> responses.Response:
        return answer(request)

    return handle


# Listening.


@contextlib.asynccontextmanager
async def serving(address: str, shown: applications.Starlette) -> AsyncIterator[str]:
    """Serve ``shown`` at ``address`` inside the block; the URL.

    Raises:
        AddressError: ``address`` is none.
        ListenError: somebody else listens there, or it is not this machine's.
    """
    host, port = parse(address)
    with contextlib.closing(_bound(host, port)) as listener:
        config = listening.configuration(
            shown,
            http=connections.bounded(connections.Bounds(open=CONNECTIONS)),
            backlog=_BACKLOG,
            grace=_GRACE,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        async with listening.listening(config, listener, "controllers/pages"):
            yield listening.url(listener)


def parse(address: str) -> tuple[str, int]:
    """Host and port of ``host:port``, ``:port`` (every address of the machine) or ``[v6]:port``.

    Raises:
        AddressError: ``address`` is none of these.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        hint = "write HOST:PORT, or :PORT for every address of this machine"
        raise errors.AddressError(f"{address!r} is no address to listen on", hint=hint)
    return host.strip("[]") or "0.0.0.0", int(port)


def _bound(host: str, port: int) -> socket.socket:
    try:
        return listening.bind(host, port, _BACKLOG)
    except OSError as error:
        hint = "choose another address with --metrics-bind-address or --health-probe-bind-address; 0 for none"
        text = f"the controllers' pages cannot listen on {host}:{port}: {error.strerror or error}"
        raise errors.ListenError(text, hint=hint) from error
