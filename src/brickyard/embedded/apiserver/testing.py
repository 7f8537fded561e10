"""A real API server for tests of other rooms: on a free port, in the test's own loop, stopped when the block ends."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

from brickyard.api.kinds import podlogs
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

    def ssl_context(self) -> ssl.SSLContext:
        """A client's TLS context that trusts this server."""
        return ssl.create_default_context(cafile=str(self.ca))

    @property
    def headers(self) -> dict[str, str]:
        """What authenticates a request."""
        return {"authorization": f"Bearer {self.token}"}


@contextlib.asynccontextmanager
async def running(
    data_dir: pathlib.Path, *, logs: podlogs.PodLogs | None = None, settings: ApiServerSettings | None = None
) -> AsyncIterator[RunningServer]:
    """An API server with all built-in kinds on ``data_dir``; leave and enter again to restart it (on another port).

    ``settings`` may tune everything but directory and port.
    """
    stop = asyncio.Event()
    found: asyncio.Future[server.Serving] = asyncio.get_running_loop().create_future()
    tuned = dataclasses.replace(settings or ApiServerSettings(), data_dir=data_dir, port=0)
    serving = asyncio.create_task(
        server.serve(tuned, catalog=catalog.BuiltinCatalog(), logs=logs, stop=stop, ready=found.set_result)
    )
    try:
        waited: list[asyncio.Future[Any]] = [serving, found]
        await asyncio.wait(waited, timeout=_START_DEADLINE, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
        at = found.result()
        yield RunningServer(
            at.url, at.port, at.kubeconfig, (data_dir / "token").read_text(), data_dir / "pki" / "ca.crt"
        )
    finally:
        stop.set()
        await serving
