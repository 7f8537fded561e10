"""The whole API server but its sockets: requests go to the application itself, so that thousands of them take seconds."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import orjson

from brickyard.embedded.apiserver import (
    app,
    catalog,
    context,
    customkinds,
    gc,
    history,
    namespaces,
    paging,
    store,
    watch,
)
from brickyard.embedded.apiserver.podstreams import server as podstreams

TOKEN = "secret"
_TURNS = 500
"""Turns of the loop after which a quiet watch has nothing more to tell."""


@dataclasses.dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str = ""
    content_type: str = "application/json"
    accept: str = "application/json"
    body: bytes = b""

    def scope(self) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": self.content_type, "accept": self.accept}
        return {
            "type": "http",
            "method": self.method,
            "path": self.path,
            "query_string": self.query.encode("utf-8", "replace"),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }


class InProcess:
    """The application with an event loop of its own; state stays from request to request, as on a real server."""

    def __init__(
        self, directory: pathlib.Path, kinds: Sequence[dict[str, Any]] = (), limits: history.Limits | None = None
    ) -> None:
        self.loop = asyncio.new_event_loop()
        self.store = store.Store.open(directory, limits or history.Limits())
        self.loop.run_until_complete(self._start(kinds))

    async def _start(self, kinds: Sequence[dict[str, Any]]) -> None:
        await self.store.__aenter__()
        shared = context.Context(self.store, catalog.BuiltinCatalog(), watch.Hub(self.store), paging.Pages())
        workers = (customkinds.CustomKinds(shared), gc.GarbageCollector(shared), namespaces.NamespaceEmptier(shared))
        self.workers = [asyncio.ensure_future(each.run()) for each in workers]
        await namespaces.ensure(shared)
        await customkinds.ensure(shared, kinds)
        self.app = app.App(shared, TOKEN, 1_000_000, podstreams.Streams(1, 60.0))

    def call(self, request: Request) -> tuple[int, bytes]:
        """Status and body."""
        return self.loop.run_until_complete(self._call(request))

    def json(self, request: Request) -> tuple[int, Any]:
        """Status and decoded body."""
        code, body = self.call(request)
        return code, orjson.loads(body)

    async def _call(self, request: Request) -> tuple[int, bytes]:
        messages = iter([{"type": "http.request", "body": request.body, "more_body": False}])
        sent: list[Any] = []

        async def receive() -> Any:
            message = next(messages, None)
            if message is None:
                await asyncio.Event().wait()
            return message

        async with asyncio.timeout(20):
            await self.app(request.scope(), receive, _into(sent))
        for worker in self.workers:
            if worker.done():
                worker.result()
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

    def watched(self, request: Request) -> tuple[int, list[Any]]:
        """What a watch tells until it has nothing more to tell; then its client leaves."""
        return self.loop.run_until_complete(self._watched(request))

    async def _watched(self, request: Request) -> tuple[int, list[Any]]:
        sent: list[Any] = []
        left = asyncio.Event()
        first = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Any:
            message = next(first, None)
            if message is None:
                await left.wait()
            return message or {"type": "http.disconnect"}

        serving = asyncio.ensure_future(self.app(request.scope(), receive, _into(sent)))
        quiet = 0
        while quiet < _TURNS and not serving.done():
            before = len(sent)
            await asyncio.sleep(0)
            quiet = 0 if len(sent) > before or not sent else quiet + 1
        left.set()
        async with asyncio.timeout(20):
            await serving
        text = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], [orjson.loads(line) for line in text.splitlines()]

    def close(self) -> None:
        async def finish() -> None:
            for worker in self.workers:
                worker.cancel()
            await asyncio.gather(*self.workers, return_exceptions=True)
            await self.store.__aexit__()

        self.loop.run_until_complete(finish())
        self.loop.close()


def _into(sent: list[Any]) -> Any:
    async def send(message: Any) -> None:
        sent.append(message)

    return send
