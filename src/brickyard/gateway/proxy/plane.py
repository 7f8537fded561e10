"""What all connections of one data plane share."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Protocol

from brickyard.gateway import contract, metrics, settings
from brickyard.gateway.optimizer import traces
from brickyard.gateway.proxy import accesslog, budget, cors, ids, pool, router
from brickyard.gateway.queueing import queue
from brickyard.gateway.tracing import contract as tracing


class Connection(Protocol):
    """A client connection, as the sweeper and the server see it. ``paused``: the client does not take what was written."""

    paused: bool

    def sweep(self, now: float) -> None:
        """Look at the deadlines."""
        ...

    def drain(self) -> None:
        """Close when idle, else after the current answer."""
        ...

    def cut(self) -> None:
        """End what is under way, saying so where the protocol allows."""
        ...

    def abort(self) -> None:
        """Close now."""
        ...


@dataclasses.dataclass(slots=True)
class Plane:
    """The parts, and what changes: which connections are open, whether the end is near, what time it is.

    ``now`` reads a monotonic clock. ``tick`` is what it read at the last sweep: deadlines are counted from there, which makes them
    early by a sweep's grain at most and costs nothing.
    """

    director: contract.Director
    settings: settings.GatewaySettings
    metrics: metrics.GatewayMetrics
    router: router.Router
    pools: pool.Pools
    cors: cors.Cors
    ids: ids.RequestIds
    budget: budget.Budget
    access: accesslog.AccessLog | None
    gate: contract.Gate | None
    tracer: tracing.Tracer | None
    traces: traces.Traces | None
    queue: queue.Queue
    now: Callable[[], float]
    clients: set[Connection] = dataclasses.field(default_factory=set)
    tick: float = 0.0
    draining: bool = False
    emptied: asyncio.Event | None = None
    """Set when the last client connection is gone, by whoever waits for that."""
