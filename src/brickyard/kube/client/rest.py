"""``RestClient``: the contract over HTTPS.

Calls and watches have connection pools of their own, so that any number of watches leaves calls unhindered. Every call has a
deadline over all it does: waiting for a connection, credentials, the answer. What httpx2 raises never leaves this room: no answer
is ``Unreachable``, a refusal is the error its Status stands for.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib import parse

import httpx2
import orjson

import brickyard
from brickyard.api.kinds import resources
from brickyard.kube.client import bucket, contract, errors, kubeconfig, plugins, transport, watching
from brickyard.kube.objects import meta

FIELD_MANAGER = "brickyard"
DEADLINE = 30.0
"""Seconds for one call."""

_CALLS = httpx2.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=60.0)
_STREAMS = httpx2.Limits(max_connections=512, max_keepalive_connections=8, keepalive_expiry=60.0)
_CONNECT = 10.0
_ATTEMPTS = 10
_PAUSE = 0.05
"""Seconds at least between attempts of one call, whatever the API asks for."""
_WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')
"""One value of a ``Warning`` header (RFC 7234); several may stand in one line."""

_EVERYTHING = contract.Query()
_AS_USUAL = contract.DeleteOptions()
_AS_OURS = contract.ApplyOptions()


class RestClient:
    """A connection to the API that ``access`` describes: ``async with RestClient.from_kubeconfig() as client``.

    Errors of every method: ``KubeError`` and its kinds, see ``errors``.

    Args:
        access: server and credentials.
        deadline: seconds that one call may take.
        strict: have writes refused that name a field the kind does not have, as for what a person wrote by hand.
        rate: turns that calls wait for, so that this process does not drown a small API; None for no limit.
        warn: hears each warning that comes with an answer; None for nobody.
    """

    def __init__(
        self,
        access: kubeconfig.Access,
        *,
        deadline: float = DEADLINE,
        strict: bool = False,
        rate: bucket.Bucket | None = None,
        warn: Callable[[str], object] | None = None,
    ) -> None:
        self.namespace = access.namespace
        self.server = access.server
        self._deadline = deadline
        self._rate = rate
        self._warn = warn
        self._writing = {"fieldManager": FIELD_MANAGER, **({"fieldValidation": "Strict"} if strict else {})}
        self._calls = _http(access, _CALLS, httpx2.Timeout(deadline))
        # A watch is silent for as long as nothing happens: how long is watching's business.
        self._streams = _http(access, _STREAMS, httpx2.Timeout(None, connect=_CONNECT, pool=_CONNECT))

    @classmethod
    def from_kubeconfig(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        context: str = "",
        deadline: float = DEADLINE,
        strict: bool = False,
        warn: Callable[[str], object] | None = None,
    ) -> Self:
        """A client as kubectl would make it; see ``kubeconfig.load`` for where it looks without ``path``.

        Raises:
            KubeconfigError: there is none, or it is not valid.
        """
        return cls(kubeconfig.load(path, context=context), deadline=deadline, strict=strict, warn=warn)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; open watches end as unreachable."""
        await self._calls.aclose()
        await self._streams.aclose()

    # contract.Client.

    async def get(self, kind: resources.ResourceType, name: str, namespace: str = "") -> resources.Object:
        return await self._call("GET", _path(kind, namespace, name))

    async def list(self, kind: resources.ResourceType, query: contract.Query = _EVERYTHING) -> contract.ObjectList:
        params = watching.selection(query)
        if query.limit:
            params["limit"] = str(query.limit)
        if query.continue_token:
            params["continue"] = query.continue_token
        elif query.resource_version:
            params["resourceVersion"] = query.resource_version
        page = await self._call("GET", _path(kind, query.namespace), params=params)
        # Items of a list carry no kind of their own.
        items = [{"apiVersion": kind.api_version, "kind": kind.kind, **each} for each in page.get("items") or ()]
        return contract.ObjectList(items, meta.resource_version(page), meta.metadata(page).get("continue") or "")

    async def create(self, kind: resources.ResourceType, obj: resources.Object) -> resources.Object:
        path = _path(kind, meta.namespace(obj))
        body = {"apiVersion": kind.api_version, "kind": kind.kind, **obj}
        return await self._call("POST", path, body, params=self._writing)

    async def update(
        self, kind: resources.ResourceType, obj: resources.Object, subresource: str = ""
    ) -> resources.Object:
        path = _path(kind, meta.namespace(obj), meta.name(obj), subresource)
        identity = {} if subresource == "scale" else {"apiVersion": kind.api_version, "kind": kind.kind}
        return await self._call("PUT", path, {**identity, **obj}, params=self._writing)

    async def patch(
        self,
        kind: resources.ResourceType,
        target: tuple[str, str],
        patch: Any,
        patch_kind: contract.PatchKind = contract.PatchKind.MERGE,
        subresource: str = "",
    ) -> resources.Object:
        path = _path(kind, *target, subresource)
        params = dict(self._writing)
        if patch_kind is contract.PatchKind.APPLY:
            params["force"] = "true"  # a controller's fields are its own
        return await self._call("PATCH", path, patch, params=params, media_type=patch_kind.value)

    async def apply(
        self, kind: resources.ResourceType, obj: resources.Object, how: contract.ApplyOptions = _AS_OURS
    ) -> resources.Object:
        path = _path(kind, meta.namespace(obj), meta.name(obj), how.subresource)
        params = {**self._writing, "fieldManager": how.manager or FIELD_MANAGER, "force": str(how.force).lower()}
        body = {"apiVersion": kind.api_version, "kind": kind.kind, **obj}
        return await self._call("PATCH", path, body, params=params, media_type=contract.PatchKind.APPLY.value)

    async def delete(
        self,
        kind: resources.ResourceType,
        target: tuple[str, str],
        options: contract.DeleteOptions = _AS_USUAL,
    ) -> resources.Object:
        body: dict[str, Any] = {"propagationPolicy": options.propagation_policy}
        if options.grace_period_seconds is not None:
            body["gracePeriodSeconds"] = options.grace_period_seconds
        if options.uid:
            body["preconditions"] = {"uid": options.uid}
        return await self._call("DELETE", _path(kind, *target), body)

    def watch(self, kind: resources.ResourceType, query: contract.Query) -> AsyncIterator[contract.WatchEvent]:
        path = _path(kind, query.namespace)
        return watching.Watch(self._streams, path, kind, query).events()

    async def stream(self, path: str, params: dict[str, str]) -> AsyncIterator[bytes]:
        """The answer's bytes once its head has come; read the iterator to its end or close it (``aclose``)."""
        request = self._streams.build_request("GET", path, params=params)
        with watching.translated(self._streams):
            async with asyncio.timeout(self._deadline):
                response = await self._streams.send(request, stream=True)
        if response.status_code >= 400:
            raise await watching.refusal(response)
        return watching.chunks(self._streams, response)

    async def read(
        self, path: str, params: Mapping[str, str] | None = None, *, accept: str = "application/json"
    ) -> dict[str, Any]:
        """Whatever JSON object the API has at ``path``, in the shape asked for: discovery, tables."""
        request = self._calls.build_request("GET", path, params=params, headers={"Accept": accept})
        return await self._bounded(request)

    # One call.

    async def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        media_type: str = "application/json",
    ) -> resources.Object:
        content = None if body is None else orjson.dumps(body)
        headers = {} if content is None else {"Content-Type": media_type}
        return await self._bounded(
            self._calls.build_request(method, path, params=params, content=content, headers=headers)
        )

    async def _bounded(self, request: httpx2.Request) -> resources.Object:
        with watching.translated(self._calls):
            async with asyncio.timeout(self._deadline):
                return await self._patiently(request)

    async def _patiently(self, request: httpx2.Request) -> resources.Object:
        """Send; where the API refused only for now and said for how long, wait and send again.

        The API says so before it has done anything, so that writes can be repeated too. Attempts and the deadline bound it; where
        the wait would pass the deadline, the refusal is told at once.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self._deadline
        for attempt in range(1, _ATTEMPTS + 1):
            if self._rate is not None and (wait := self._rate.reserve(loop.time())):
                await asyncio.sleep(wait)
            response = await self._send(request)
            if response.status_code < 400:
                break
            error = watching.refused(response)
            pause = max(_PAUSE, error.retry_after or 0.0)
            for_now = isinstance(error, errors.TooManyRequests | errors.Unavailable)
            patient = for_now and error.retry_after is not None and loop.time() + pause < end
            if not patient or attempt == _ATTEMPTS:
                raise error
            await asyncio.sleep(pause)
        if self._warn is not None:
            for text in _warnings(response):
                self._warn(text)
        return _decoded(response)

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "GET":
            return await self._calls.send(request)
        # A kept connection may be closed by the API just as it is used again; reading twice does no harm.
        with contextlib.suppress(httpx2.RemoteProtocolError, httpx2.ReadError):
            return await self._calls.send(request)
        return await self._calls.send(request)


def _http(access: kubeconfig.Access, limits: httpx2.Limits, timeout: httpx2.Timeout) -> httpx2.AsyncClient:
    def pool() -> httpx2.AsyncHTTPTransport:
        return httpx2.AsyncHTTPTransport(verify=access.tls, limits=limits, proxy=access.proxy or None, trust_env=False)

    pools = transport.RenewableTransport(pool, access.server_name)
    if isinstance(access.auth, plugins.ExecAuth):
        access.auth.renewed.append(pools.renew)
    own = [("User-Agent", f"brickyard/{brickyard.__version__}"), ("Accept", "application/json")]
    return httpx2.AsyncClient(
        base_url=access.server,
        transport=pools,
        auth=access.auth,
        timeout=timeout,
        trust_env=False,
        headers=[*own, *access.headers],
    )


def _path(kind: resources.ResourceType, namespace: str, name: str = "", subresource: str = "") -> str:
    """The URL path; what came from outside is quoted, so that a name cannot lead elsewhere."""
    return kind.path(parse.quote(namespace, safe=""), parse.quote(name, safe=""), subresource)


def _warnings(response: httpx2.Response) -> Iterator[str]:
    """What the API warns of, unquoted."""
    for line in response.headers.get_list("warning"):
        yield from (re.sub(r"\\(.)", r"\1", text) for text in _WARNING.findall(line))


def _decoded(response: httpx2.Response) -> resources.Object:
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise errors.InternalError(
            f"{response.request.url.host} answered {response.status_code} with something that is no Kubernetes object: "
            "check that the kubeconfig's server is a Kubernetes API",
            status=response.status_code,
        )
    return found
