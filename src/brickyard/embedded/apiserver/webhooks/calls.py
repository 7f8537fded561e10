"""Calling a webhook over HTTPS, at a URL or at a ready address of a Service.

A Service has no address of its own on one machine: one of its EndpointSlices' ready addresses is called, under the name
``<service>.<namespace>.svc`` that its certificate must carry. Connections are kept; a webhook's trust (``caBundle``) and server name
have a client of their own, so that no connection made under one trust serves another.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import collections
import dataclasses
import random
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx2

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import records, store
from brickyard.embedded.apiserver.webhooks import plan
from brickyard.lib import errors

_SLICES: Final = records.resource_of(resources.ENDPOINT_SLICE)
_SERVICES: Final = records.resource_of(resources.SERVICE)
_SERVICE_NAME: Final = names.SERVICE_OF_SLICE
_MOST_CLIENTS: Final = 64
_LARGEST_ANSWER: Final = 8 * 1024 * 1024
_SHOWN: Final = 200


class CallError(errors.BrickyardError):
    """The webhook could not be asked, or its answer is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Where a webhook is: ``server_name`` is what its certificate carries ("": the URL's host), ``trust`` PEM ("": the system's)."""

    url: str
    server_name: str = ""
    trust: str = ""


def address(hook: plan.Hook, source: store.Store, rng: random.Random) -> Address:
    """Where ``hook`` is to be called now.

    Raises:
        CallError: its Service is not there, or nothing behind it is ready.
    """
    trust = _bundle(hook.client.get("caBundle") or "")
    service = hook.client.get("service")
    if service is None:
        return Address(hook.client.get("url") or "", "", trust)
    name, namespace = service["name"], service["namespace"]
    found = _ready(source, name, namespace, service.get("port") or 443)
    if not found:
        raise CallError(f'no endpoints available for service "{name}"')
    host, port = rng.choice(found)
    path = service.get("path") or "/"
    return Address(f"https://{f'[{host}]' if ':' in host else host}:{port}{path}", f"{name}.{namespace}.svc", trust)


def _bundle(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise CallError("caBundle is no PEM in base64") from error


def _ready(source: store.Store, name: str, namespace: str, port: int) -> list[tuple[str, int]]:
    record = source.get(records.Key(_SERVICES, namespace, name))
    if record is None:
        raise CallError(f'service "{name}" not found')
    spec = record.decode().get("spec") or {}
    if spec.get("type") == "ExternalName":
        return [(spec["externalName"], port)]
    port_names = [each.get("name") or "" for each in spec.get("ports") or () if each.get("port") == port]
    if not port_names:
        raise CallError(f'no service port {port} found for service "{name}"')
    slices = source.list(_SLICES, namespace)
    return [
        each
        for one in slices
        if one.labels.get(_SERVICE_NAME) == name
        for each in _addresses(one.decode(), port_names[0])
    ]


def _addresses(endpoint_slice: resources.Object, port_name: str) -> Iterator[tuple[str, int]]:
    ports = [each["port"] for each in endpoint_slice.get("ports") or () if (each.get("name") or "") == port_name]
    for endpoint in endpoint_slice.get("endpoints") or ():
        # Unknown readiness counts as ready, as the API says.
        if ports and (endpoint.get("conditions") or {}).get("ready") is not False:
            yield from ((host, ports[0]) for host in endpoint.get("addresses") or ())


class Caller:
    """Sends questions. ``aclose`` ends its connections."""

    def __init__(self) -> None:
        self._clients: collections.OrderedDict[tuple[str, str], httpx2.AsyncClient] = collections.OrderedDict()

    async def post(self, where: Address, body: bytes, seconds: float) -> bytes:
        """The answer to ``body``, within ``seconds`` altogether.

        Raises:
            CallError: no answer came, or none that is a success.
        """
        url = f"{where.url}?timeout={seconds:.0f}s"
        client = await self._client(where)
        try:
            async with asyncio.timeout(seconds):
                return await _exchange(client, url, body, where.server_name)
        except TimeoutError as error:
            raise CallError(f'failed to call webhook: Post "{url}": context deadline exceeded') from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError) as error:
            raise CallError(f'failed to call webhook: Post "{url}": {error or type(error).__name__}') from error

    async def _client(self, where: Address) -> httpx2.AsyncClient:
        key = (where.trust, where.server_name)
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = httpx2.AsyncClient(verify=_trusting(where.trust), trust_env=False)
            while len(self._clients) > _MOST_CLIENTS:
                await self._clients.popitem(last=False)[1].aclose()
        self._clients.move_to_end(key)
        return client

    async def aclose(self) -> None:
        """End all connections."""
        while self._clients:
            await self._clients.popitem()[1].aclose()


def _trusting(pem: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=pem or None)
    except ssl.SSLError as error:
        raise CallError(f"caBundle holds no certificate: {error}") from error


async def _exchange(client: httpx2.AsyncClient, url: str, body: bytes, server_name: str) -> bytes:
    headers = {"content-type": "application/json", "accept": "application/json"}
    extensions: Mapping[str, Any] = {"sni_hostname": server_name} if server_name else {}
    sending = client.stream("POST", url, content=body, headers=headers, extensions=dict(extensions), timeout=None)
    async with sending as reply:
        pieces, size = [], 0
        async for piece in reply.aiter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > _LARGEST_ANSWER:
                raise CallError(f"failed to call webhook: the answer is larger than {_LARGEST_ANSWER} bytes")
    answer = b"".join(pieces)
    if reply.status_code != 200:
        said = answer[:_SHOWN].decode(errors="replace").strip()
        raise CallError(f"failed to call webhook: the server answered {reply.status_code}: {said}")
    return answer
