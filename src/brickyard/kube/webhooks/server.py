"""HTTPS for webhooks: AdmissionReview in, AdmissionReview out, by path.

The TLS context is made once and certificates are loaded into it: handshakes from then on are served the new one, connections that
stand are left alone. ``/healthz`` says that the process lives, ``/readyz`` whether it should be asked.
"""

from __future__ import annotations

import asyncio
import pathlib
import socket
import ssl
import tempfile
from collections.abc import Callable, Mapping, Sequence

import uvicorn
from starlette import applications, concurrency, requests, responses, routing

from brickyard.kube.webhooks import contract, errors, review
from brickyard.lib import certificates, connections, listening, logs

log = logs.get(__name__)

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of a question: two objects at an API server's own limit of 3 MiB, and room."""
BODY_DEADLINE = 10.0
"""Seconds that a question may take to arrive: whoever sends it slower has given up waiting for its answer."""
BOUNDS = connections.Bounds(open=512, head=64 * 1024, head_seconds=BODY_DEADLINE)
_BACKLOG = 256
_AT_ONCE = 64
"""Questions under way at once; more are told 503, which ``failurePolicy`` judges."""
_STOP_GRACE = 5

Readiness = Callable[[], Sequence[str]]
"""Reasons why the webhooks should not be asked yet; none when they may."""


class WebhookServer:
    """Serves ``webhooks`` on ``host``:``port`` once ``certify`` was called. Port 0 takes a free one."""

    def __init__(
        self, webhooks: Sequence[contract.Webhook], readiness: Readiness = tuple, *, host: str, port: int
    ) -> None:
        self._handlers: Mapping[str, contract.Handler] = {each.path: each.handler for each in webhooks}
        self._readiness = readiness
        self._listener = bind(host, port)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._certified = asyncio.Event()
        self._running = 0
        self.serving = asyncio.Event()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def certify(self, serving: certificates.Pair) -> None:
        """Serve this certificate from the next handshake on."""
        # OpenSSL reads keys from files only; this one lives for the length of the call and is readable by its owner only.
        with tempfile.TemporaryDirectory(prefix="brickyard-tls-") as folder:
            path = pathlib.Path(folder) / "pair.pem"
            path.write_bytes(serving.key_pem + serving.pem)
            self._context.load_cert_chain(path)
        self._certified.set()

    async def run(self) -> None:
        """Serve until cancelled; what is under way gets a moment to end."""
        try:
            await self._certified.wait()
            async with listening.listening(self._config(), self._listener, "webhooks/http"):
                self.serving.set()
                log.info("webhooks are served", port=self.port)
                await asyncio.Event().wait()
        finally:
            self.serving.clear()
            self._listener.close()

    def _config(self) -> uvicorn.Config:
        routes = [
            routing.Route("/healthz", self._health, methods=["GET"]),
            routing.Route("/readyz", self._ready, methods=["GET"]),
            *(routing.Route(path, self._ask, methods=["POST"]) for path in self._handlers),
        ]
        application = applications.Starlette(routes=routes)
        held = connections.bounded(BOUNDS)
        config = listening.configuration(application, http=held, backlog=_BACKLOG, grace=_STOP_GRACE)
        config.load()
        config.ssl = self._context
        return config

    async def _health(self, request: requests.Request) -> responses.Response:
        del request
        return responses.PlainTextResponse("ok")

    async def _ready(self, request: requests.Request) -> responses.Response:
        del request
        reasons = list(self._readiness())
        return responses.PlainTextResponse("\n".join(reasons) or "ok", 503 if reasons else 200)

    async def _ask(self, request: requests.Request) -> responses.Response:
        if self._running >= _AT_ONCE:
            return responses.PlainTextResponse("too many questions at once", 503)
        self._running += 1
        try:
            return await self._answer(request)
        finally:
            self._running -= 1

    async def _answer(self, request: requests.Request) -> responses.Response:
        try:
            async with asyncio.timeout(BODY_DEADLINE):
                body = await _body(request)
            asked = review.read(body)
        except errors.MalformedReview as error:
            return responses.PlainTextResponse(str(error), 400)
        except _TooLargeError:
            return responses.PlainTextResponse(f"a question may have {BODY_LIMIT} bytes", 413)
        except TimeoutError:
            return responses.PlainTextResponse(f"a question has to arrive within {BODY_DEADLINE:g} s", 408)
        handler = self._handlers[request.url.path]
        try:
            # Beside the loop: a large object must not hold up the others.
            written = await concurrency.run_in_threadpool(lambda: review.write(asked, handler(asked)))
        except Exception as error:  # noqa: BLE001 - one question's bug must not stop the server
            self._report(error, asked)
            return responses.PlainTextResponse("the webhook failed; its log says why", 500)
        return responses.Response(written, media_type="application/json")

    def _report(self, error: Exception, asked: contract.Request) -> None:
        log.error("webhook failed", exc=error, kind=asked.kind, namespace=asked.namespace, name=asked.name)


class _TooLargeError(Exception):
    """The body is beyond the limit."""


async def _body(request: requests.Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            raise _TooLargeError
        parts.append(part)
    return b"".join(parts)


def bind(host: str, port: int) -> socket.socket:
    """A socket that will listen there.

    Raises:
        PortInUse: another program listens there, or the address is not this machine's.
    """
    try:
        return listening.bind(host, port)
    except OSError as error:
        text = f"webhooks cannot listen on {host}:{port}: {error.strerror or error}"
        raise errors.PortInUse(text, hint="choose another port") from error
