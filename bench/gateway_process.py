"""The gateway as users run it, before endpoints that never change.

    python -m bench.gateway_process PORT TARGET_PORT ENDPOINTS [STRATEGY]

Everything is on: routing, leases, decision records, metrics. All endpoints stand for the same engine.
"""

from __future__ import annotations

import sys

import uvloop

from brickyard.assembly import routing_policies
from brickyard.gateway import settings
from brickyard.gateway.endpoints import director
from brickyard.gateway.endpoints import settings as endpoint_settings
from brickyard.gateway.proxy import server
from brickyard.lib import logs, tasks
from brickyard.routing import contract


async def _serve(port: int, target: int, count: int, strategy: str) -> None:
    logs.setup("WARNING")
    endpoints = [
        contract.Endpoint(f"default/engine-{n}:{target}", "default", f"engine-{n}", "127.0.0.1", target, "tiny", "sim")
        for n in range(count)
    ]
    chosen = director.StaticDirector(
        endpoints, routing_policies.make(), endpoint_settings.EndpointSettings(strategy=strategy)
    )
    async with tasks.stop_signal() as stop:
        await server.serve(chosen, settings.GatewaySettings(port=port, drain_timeout=1.0), stop)


if __name__ == "__main__":
    _, at, behind, many, *rest = sys.argv
    uvloop.run(_serve(int(at), int(behind), int(many), rest[0] if rest else "least-request"))
