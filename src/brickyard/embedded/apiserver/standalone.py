"""The API server as a process of its own: a Kubernetes API and nothing that acts on it. Pods stay Pending, Deployments make none."""

from __future__ import annotations

from collections.abc import Callable

import uvloop

from brickyard.embedded.apiserver import catalog, server, settings
from brickyard.lib import tasks


def run(wanted: settings.ApiServerSettings, ready: Callable[[server.Serving], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is called once requests are answered. Raises as ``server.serve``."""
    uvloop.run(_run(wanted, ready))


async def _run(wanted: settings.ApiServerSettings, ready: Callable[[server.Serving], None]) -> None:
    async with tasks.stop_signal() as stop:
        await server.serve(wanted, catalog=catalog.BuiltinCatalog(), agent=server.Agent(), stop=stop, ready=ready)
