"""Fakes of this room: a server of pages on loopback, pods and metrics made of a line."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from brickyard.api import names
from brickyard.api.kinds import resources
from brickyard.api.kinds.podautoscaler import types
from brickyard.controllers.podautoscaler.sources import contract
from brickyard.scaling import contract as scaling


def pod(name: str, *, address: str = "127.0.0.1", engine: str = "", ready: bool = True) -> resources.Object:
    """A pod in ``default`` whose container's port 8000 is called ``metrics``."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "labels": {names.MODEL_ENGINE: engine} if engine else {},
        },
        "spec": {"containers": [{"name": "engine", "ports": [{"name": "metrics", "containerPort": 8000}]}]},
        "status": {
            "phase": "Running",
            "podIP": address,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def wanted(
    source: dict[str, Any], *pods: resources.Object, form: scaling.Form = scaling.Form.PODS, selector: str = ""
) -> contract.Wanted:
    """The metric of a ``metricsSources`` item as a manifest writes it; ``targetValue`` is 10 where it is left out."""
    view = types.MetricSource({"targetValue": "10", **source})
    metric = scaling.Metric(view.target_metric, view.target_metric, float(view.target_value), form)
    return contract.Wanted(metric, view, "default", pods, selector)


@dataclasses.dataclass
class PageServer:
    """Serves over HTTP on loopback, ``port`` once it does.

    Attributes:
        pages: bodies by path, query left out; others are 404.
        status: of every answer.
        headers: further lines of every head, each with its line's end.
        raw: the whole answer, head and all, in place of the above; the connection ends behind it.
        silent: says nothing to paths that begin with one of these.
        asked: request targets so far.
    """

    pages: dict[str, bytes] = dataclasses.field(default_factory=dict)
    status: int = 200
    headers: str = ""
    raw: bytes = b""
    silent: tuple[str, ...] = ()
    asked: list[str] = dataclasses.field(default_factory=list)
    port: int = 0

    @contextlib.asynccontextmanager
    async def serving(self, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[PageServer]:
        open_: set[asyncio.Transport] = set()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Talk(self.answer, open_), address, 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            async with server:
                yield self
        finally:
            for transport in open_:
                transport.abort()
            await asyncio.sleep(0)

    def answer(self, target: str) -> tuple[bytes, bool] | None:
        """The bytes for a request target, and whether they end the connection; None for silence."""
        self.asked.append(target)
        path = target.partition("?")[0]
        if path.startswith(self.silent or ("\0",)):
            return None
        if self.raw:
            return self.raw, True
        body = self.pages.get(path)
        status = 404 if body is None else self.status
        body = body or b""
        head = f"HTTP/1.1 {status} Status\r\ncontent-length: {len(body)}\r\n{self.headers}\r\n"
        return head.encode() + body, False


class _Talk(asyncio.Protocol):
    def __init__(self, answer: Callable[[str], tuple[bytes, bool] | None], open_: set[asyncio.Transport]) -> None:
        self._answer = answer
        self._open = open_
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._open.add(self._transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, self._read = self._read.split(b"\r\n\r\n", 1)
            answer = self._answer(head.split()[1].decode())
            if answer is not None:
                self._transport.write(answer[0])
                if answer[1]:
                    self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self._transport)
