"""What every request passes: a bound on how many there are at once, an id, counts, the access log, and an answer whatever happens."""

from __future__ import annotations

import uuid
from typing import Final

import prometheus_client
from starlette import types

from brickyard.api import names
from brickyard.api.openai import errors as openai
from brickyard.lib import clock, logs
from brickyard.services import accesslog, answers

log = logs.get(__name__)

UNKNOWN: Final = "unknown"
"""The route of a path that nobody serves: a label must not be what clients make up."""
_LONGEST_PATH: Final = 256


class Metrics:
    """The services' own series, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self.requests = prometheus_client.Counter(
            "services_requests", "Finished requests", ("route", "method", "status"), registry=self.registry
        )
        self.seconds = prometheus_client.Histogram(
            "services_request_duration_seconds",
            "From a request to the end of its answer",
            ("route",),
            registry=self.registry,
        )
        self.in_flight = prometheus_client.Gauge(
            "services_in_flight_requests", "Requests being answered", registry=self.registry
        )


class Door:
    """An ASGI application in front of ``inner``; ``most`` requests at once."""

    def __init__(
        self,
        inner: types.ASGIApp,
        *,
        most: int,
        metrics: Metrics,
        access: accesslog.AccessLog,
        time: clock.Clock,
    ) -> None:
        self._inner = inner
        self._most = most
        self._metrics = metrics
        self._access = access
        self._time = time
        self._running = 0

    async def __call__(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        if scope["type"] != "http":
            return
        passage = _Passage(scope, send)
        began = self._time.monotonic()
        marked = logs.request_id.set(passage.id)
        self._running += 1
        self._metrics.in_flight.inc()
        try:
            await self._enter(scope, receive, passage)
        finally:
            self._running -= 1
            self._metrics.in_flight.dec()
            logs.request_id.reset(marked)
            self._record(scope, passage, self._time.monotonic() - began)

    async def _enter(self, scope: types.Scope, receive: types.Receive, passage: _Passage) -> None:
        if self._running > self._most:
            busy = openai.ApiError(503, "too many requests at once: try again in a second", "overloaded")
            await answers.refusal(busy, {"retry-after": "1"})(scope, receive, passage.send)
            return
        try:
            await self._inner(scope, receive, passage.send)
        except Exception as error:  # noqa: BLE001 - one request's bug must not stop the server; its client was answered
            self._report(error, scope)

    def _report(self, error: Exception, scope: types.Scope) -> None:
        log.error("a request failed", exc=error, method=scope["method"], path=scope["path"])

    def _record(self, scope: types.Scope, passage: _Passage, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNKNOWN)
        method = scope["method"] if route != UNKNOWN else UNKNOWN
        self._metrics.requests.labels(route, method, str(passage.status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        client = scope.get("client")
        self._access.write(
            {
                "ts": self._time.wall(),
                "request_id": passage.id,
                "client": client[0] if client else "",
                "method": scope["method"],
                "path": scope["path"][:_LONGEST_PATH],
                "status": passage.status,
                "bytes": passage.bytes,
                "duration": round(seconds, 6),
            }
        )


class _Passage:
    """One request on its way through: ``status`` is 0 until its answer has begun."""

    __slots__ = ("_send", "bytes", "id", "status")

    def __init__(self, scope: types.Scope, send: types.Send) -> None:
        self._send = send
        self.status = 0
        self.bytes = 0
        given = dict(scope["headers"]).get(names.HEADER_REQUEST_ID.encode(), b"").decode("latin-1")
        self.id = given if 0 < len(given) <= 128 and given.isascii() and given.isprintable() else uuid.uuid4().hex

    async def send(self, message: types.Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                (names.HEADER_RESPONSE_REQUEST_ID.encode(), self.id.encode()),
            ]
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
        await self._send(message)
