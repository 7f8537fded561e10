"""A webhook for tests: real HTTPS, answers given by a function.

async with testing.answering(tmp_path, lambda request: {"allowed": True}) as hook:
    await api.created(CONFIGURATIONS, testing.configuration("validating", hook.client()))
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import pathlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import orjson

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import certs
from brickyard.embedded.apiserver.webhooks import plan

Respond = Callable[[dict[str, Any]], dict[str, Any] | Awaitable[dict[str, Any]] | bytes]
"""From ``request`` of an AdmissionReview to ``response`` (``uid`` is added), or to the whole body."""

_KINDS = {"mutating": "MutatingWebhookConfiguration", "validating": "ValidatingWebhookConfiguration"}
EVERYTHING = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}


@dataclasses.dataclass(slots=True)
class Hook:
    """A webhook that answers. ``code`` is the HTTP status of its answers; ``heard`` the requests so far."""

    port: int
    ca: str
    code: int = 200
    heard: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    paths: list[str] = dataclasses.field(default_factory=list)

    def client(self, **parts: Any) -> dict[str, Any]:
        """A ``clientConfig``: by URL, or with ``service`` by that."""
        bundle = base64.b64encode(self.ca.encode()).decode()
        where = parts if "service" in parts else {"url": f"https://localhost:{self.port}/hook", **parts}
        return {"caBundle": bundle, **where}


@contextlib.asynccontextmanager
async def answering(folder: pathlib.Path, respond: Respond) -> AsyncIterator[Hook]:
    """A webhook with a certificate for ``localhost`` and ``kubernetes.default.svc``, on a free port of 127.0.0.1."""
    made = certs.ensure(folder / "webhook")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.cert_file, made.key_file)
    hook = Hook(0, made.ca_pem)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await _exchange(hook, respond, reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    hook.port = server.sockets[0].getsockname()[1]
    try:
        yield hook
    finally:
        server.close()


async def _exchange(hook: Hook, respond: Respond, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = next(int(line.partition(":")[2]) for line in head.splitlines() if line.startswith("content-length:"))
    request = orjson.loads(await reader.readexactly(length))
    hook.paths.append(head.split()[1])
    hook.heard.append(request["request"])
    found = respond(request["request"])
    if isinstance(found, Awaitable):
        found = await found
    body = found if isinstance(found, bytes) else _review(request, found)
    writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%s" % (hook.code, len(body), body))
    await writer.drain()


def _review(request: dict[str, Any], response: dict[str, Any]) -> bytes:
    return orjson.dumps({**request, "request": None, "response": {"uid": request["request"]["uid"], **response}})


def patching(*operations: dict[str, Any]) -> dict[str, Any]:
    """A response that allows the request and changes the object."""
    patch = base64.b64encode(orjson.dumps(operations)).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": patch}


def configuration(
    phase: plan.Phase, client: dict[str, Any], *, name: str = "hooks", rules: Sequence[Any] = (), **fields: Any
) -> resources.Object:
    """A configuration with one webhook, ``<name>.example.com``; ``fields`` are further fields of it."""
    hook = {
        "name": f"{name}.example.com",
        "clientConfig": client,
        "rules": list(rules) or [{**EVERYTHING, "resources": ["configmaps"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **fields,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": _KINDS[phase],
        "metadata": {"name": name},
        "webhooks": [hook],
    }
