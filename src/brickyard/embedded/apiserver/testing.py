"""A real API server for tests of any room, and a plain client to speak to it.

    async with testing.running(tmp_path) as server, testing.connect(server) as api:
        pod = await api.created("/api/v1/namespaces/default/pods", {...})

The server listens on a free port, runs in the test's own loop and is stopped when the block ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import orjson

from brickyard.api.kinds import podlogs, podstreams, usage
from brickyard.embedded.apiserver import catalog, server
from brickyard.embedded.apiserver.settings import ApiServerSettings

_START_DEADLINE = 30.0


@dataclasses.dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers. ``token`` and ``ca`` are for clients that read no kubeconfig."""

    url: str
    port: int
    kubeconfig: pathlib.Path
    token: str
    ca: pathlib.Path
    stop: Callable[[], None]
    """Tells the server to stop; leaving the block waits for it."""
    watches: Callable[[], int]
    """How many watches are open now."""

    def ssl_context(self) -> ssl.SSLContext:
        """A client's TLS context that trusts this server."""
        return ssl.create_default_context(cafile=str(self.ca))

    @property
    def headers(self) -> dict[str, str]:
        """What authenticates a request."""
        return {"authorization": f"Bearer {self.token}"}


@contextlib.asynccontextmanager
async def running(
    data_dir: pathlib.Path,
    *,
    logs: podlogs.PodLogs | None = None,
    usages: usage.Usages | None = None,
    streams: podstreams.PodStreams | None = None,
    settings: ApiServerSettings | None = None,
    landmarks: bool = False,
) -> AsyncIterator[RunningServer]:
    """An API server with all built-in kinds on ``data_dir``; leave and enter again to restart it (on another port).

    ``settings`` may tune everything but directory and port. Without ``landmarks`` there is nothing but namespaces and definitions, so
    that a test finds what it made itself.
    """
    stop = asyncio.Event()
    found: asyncio.Future[server.Serving] = asyncio.get_running_loop().create_future()
    tuned = dataclasses.replace(settings or ApiServerSettings(), data_dir=data_dir, port=0, landmarks=landmarks)
    serving = asyncio.create_task(
        server.serve(
            tuned,
            catalog=catalog.BuiltinCatalog(),
            agent=server.Agent(logs, usages, streams),
            stop=stop,
            ready=found.set_result,
        )
    )
    try:
        waited: list[asyncio.Future[Any]] = [serving, found]
        await asyncio.wait(waited, timeout=_START_DEADLINE, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        at = found.result()
        yield RunningServer(
            at.url,
            at.port,
            at.kubeconfig,
            token=(data_dir / "token").read_text(),
            ca=data_dir / "pki" / "ca.crt",
            stop=stop.set,
            watches=at.watches.__len__,
        )
    finally:
        stop.set()
        await serving


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; ``body`` is decoded JSON, or text where it is none."""

    code: int
    body: Any
    headers: httpx2.Headers


class Api:
    """Requests in, decoded answers out. Paths may carry a query."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send ``body`` as JSON, or as it is when it is bytes. ``content_type`` in ``headers`` names another media type."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) else None if body is None else orjson.dumps(body)
        reply = await self.client.request(method, path, content=content, headers=sent)
        is_json = reply.headers.get("content-type", "").startswith("application/json") and reply.content
        return Reply(reply.status_code, orjson.loads(reply.content) if is_json else reply.text, reply.headers)

    async def get(self, path: str, **headers: str) -> Reply:
        """GET."""
        return await self.call("GET", path, **headers)

    async def post(self, path: str, body: Any) -> Reply:
        """POST."""
        return await self.call("POST", path, body)

    async def put(self, path: str, body: Any) -> Reply:
        """PUT."""
        return await self.call("PUT", path, body)

    async def patch(self, path: str, body: Any, kind: str = "merge-patch") -> Reply:
        """PATCH with ``application/<kind>+json``."""
        return await self.call("PATCH", path, body, content_type=f"application/{kind}+json")

    async def delete(self, path: str, body: Any = None) -> Reply:
        """DELETE."""
        return await self.call("DELETE", path, body)

    async def created(self, path: str, body: Any) -> Any:
        """POST that must succeed; gives the object."""
        reply = await self.post(path, body)
        if reply.code != 201:
            raise AssertionError(reply.body)
        return reply.body

    @contextlib.asynccontextmanager
    async def watch(self, path: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """A watch: events as they come. ``path`` is a collection's, with or without a query."""
        query = "&" if "?" in path else "?"
        async with self.client.stream("GET", f"{path}{query}watch=true") as reply:
            if reply.status_code != 200:
                raise AssertionError(await reply.aread())
            yield _events(reply)

    async def until(
        self, collection: str, name: str, wanted: Callable[[dict[str, Any] | None], bool], timeout: float = 10.0
    ) -> dict[str, Any] | None:
        """Wait for what the server does in the background: the first state of an object (None: it is gone) that is ``wanted``."""
        async with asyncio.timeout(timeout):
            found = (await self.get(f"{collection}?fieldSelector=metadata.name%3D{name}")).body
            state: dict[str, Any] | None = next(iter(found["items"]), None)
            if wanted(state):
                return state
            since = found["metadata"]["resourceVersion"]
            query = f"fieldSelector=metadata.name%3D{name}&resourceVersion={since}"
            async with self.watch(f"{collection}?{query}") as events:
                async for event in events:
                    state = None if event["type"] == "DELETED" else event["object"]
                    if wanted(state):
                        return state
        raise AssertionError(f"the watch on {collection} ended before {name} became what was wanted")

    async def gone(self, collection: str, name: str) -> None:
        """Wait until an object is gone."""
        await self.until(collection, name, lambda state: state is None)


async def _events(reply: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in reply.aiter_lines():
        event: dict[str, Any] = orjson.loads(line)
        yield event


@contextlib.asynccontextmanager
async def connect(server: RunningServer) -> AsyncIterator[Api]:
    """A client of ``server`` with its token."""
    client = httpx2.AsyncClient(base_url=server.url, headers=server.headers, verify=server.ssl_context(), timeout=30.0)
    async with client:
        yield Api(client)
