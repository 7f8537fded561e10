"""All services as one ASGI application, with the pages that every service has: health, metrics, version, OpenAPI."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

import prometheus_client
from starlette import applications, exceptions, requests, responses, routing

import brickyard
from brickyard.accounts import errors as account_errors
from brickyard.api.openai import errors as openai
from brickyard.lib import clock
from brickyard.services import accesslog, answers, contract, door, errors, openapi
from brickyard.services import settings as services_settings

READY_DEADLINE: Final = 5.0
_AWAY_FOR: Final = {"retry-after": "1"}


class App:
    """``asgi`` is the application; ``close`` it in the end. ``draining`` makes it say that it is not ready."""

    def __init__(
        self,
        services: Sequence[contract.Service],
        settings: services_settings.ServicesSettings,
        *,
        time: clock.Clock | None = None,
    ) -> None:
        self.draining = False
        self._services = services
        self._token = hashlib.sha256(settings.token.encode()).digest() if settings.token else None
        self._metrics = door.Metrics()
        self._access = accesslog.AccessLog(settings.access_log)
        operations = [*self._pages(), *(each for service in services for each in service.operations)]
        self._document = openapi.document(operations)
        inner = applications.Starlette(
            routes=self._routes(operations),
            exception_handlers={
                exceptions.HTTPException: _http,
                errors.RefusedError: _refused,
                account_errors.AccountError: _account,
                Exception: _failed,
            },
        )
        inner.router.redirect_slashes = False
        self.asgi = door.Door(
            inner,
            most=settings.max_requests,
            metrics=self._metrics,
            access=self._access,
            time=time or clock.SystemClock(),
        )

    def close(self) -> None:
        """Let go of files."""
        self._access.close()

    def _pages(self) -> list[contract.Operation]:
        rows = (
            ("/healthz", self._health, "Whether the process lives"),
            ("/readyz", self._ready, "Whether it can serve, and if not, why"),
            ("/metrics", self._series, "Prometheus metrics"),
            ("/version", self._version, "The version"),
            ("/openapi.json", self._openapi, "This document"),
        )
        return [contract.Operation("GET", path, handler, text, guarded=False) for path, handler, text in rows]

    def _routes(self, operations: Sequence[contract.Operation]) -> list[routing.Route]:
        """One for each path, whatever its methods are: of two routes, only the first would say what the path takes."""
        handlers: dict[str, dict[str, contract.Handler]] = {}
        for each in operations:
            handlers.setdefault(each.path, {})[each.method] = self._guard(each)
        return [routing.Route(path, _by_method(found), methods=list(found)) for path, found in handlers.items()]

    def _guard(self, operation: contract.Operation) -> contract.Handler:
        expected = self._token
        if expected is None or not operation.guarded:
            return operation.handler

        async def guarded(request: requests.Request) -> responses.Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            # Hashes are compared, so that neither length nor content of the token is told by how long that takes.
            shown = hashlib.sha256(token.strip().encode("latin-1")).digest()
            if scheme.lower() != "bearer" or not hmac.compare_digest(shown, expected):
                text = "send the services' token: Authorization: Bearer … (BRICKYARD_SERVICES_TOKEN)"
                error = openai.ApiError(401, text, "invalid_token")
                return answers.refusal(error, {"www-authenticate": "Bearer"})
            return await operation.handler(request)

        return guarded

    async def _health(self, _: requests.Request) -> responses.Response:
        return answers.answer({"status": "ok"})

    async def _ready(self, _: requests.Request) -> responses.Response:
        try:
            async with asyncio.timeout(READY_DEADLINE):
                reasons = [await service.ready() for service in self._services]
        except TimeoutError:
            reasons = [f"no answer within {READY_DEADLINE:g} s"]
        if self.draining:
            reasons.append("the services are stopping")
        if any(reasons):
            return answers.answer({"status": "not ready", "error": "; ".join(filter(None, reasons))}, 503)
        return answers.answer({"status": "ready"})

    async def _series(self, _: requests.Request) -> responses.Response:
        page = prometheus_client.generate_latest(self._metrics.registry)
        return responses.Response(page, headers={"content-type": prometheus_client.CONTENT_TYPE_LATEST})

    async def _version(self, _: requests.Request) -> responses.Response:
        return answers.answer({"version": brickyard.__version__})

    async def _openapi(self, _: requests.Request) -> responses.Response:
        return answers.answer(self._document)


def _by_method(handlers: Mapping[str, contract.Handler]) -> contract.Handler:
    async def handle(request: requests.Request) -> responses.Response:
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return handle


async def _http(request: requests.Request, error: Exception) -> responses.Response:
    """What Starlette refuses by itself: paths and methods that are not there."""
    if not isinstance(error, exceptions.HTTPException):
        raise error
    text = {
        404: f"nothing is served at {request.url.path}: see /openapi.json for what is",
        405: f"{request.url.path} does not take {request.method}: see /openapi.json",
    }.get(error.status_code, str(error.detail))
    return answers.refusal(openai.ApiError(error.status_code, text), dict(error.headers or {}))


async def _refused(_: requests.Request, error: Exception) -> responses.Response:
    if not isinstance(error, errors.RefusedError):
        raise error
    return answers.refusal(error.error, error.headers)


async def _account(_: requests.Request, error: Exception) -> responses.Response:
    """What ``accounts`` raises, by who should react."""
    if isinstance(error, account_errors.InvalidUserError):
        return answers.refusal(openai.ApiError(422, f"{error}: correct the request", param=error.param))
    if isinstance(error, account_errors.StoreAwayError):
        text = f"users cannot be reached now: {error}. Try again in a second."
        return answers.refusal(openai.ApiError(503, text, "service_unavailable"), _AWAY_FOR)
    hint = f" ({error.hint})" if isinstance(error, account_errors.AccountError) and error.hint else ""
    return answers.refusal(openai.ApiError(500, f"{error}{hint}"))


async def _failed(_: requests.Request, error: Exception) -> responses.Response:
    """Our own fault: the door logs it, under the id that the answer carries."""
    del error
    return answers.refusal(
        openai.ApiError(500, "the services failed: their log says why, under this answer's request-id")
    )
