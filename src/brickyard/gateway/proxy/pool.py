"""Kept connections: one pool per endpoint, bounded, the longest idle closed first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from brickyard.gateway import errors, metrics, settings
from brickyard.gateway.proxy import upstream
from brickyard.routing import contract


class Asker(Protocol):
    """Who waits for a connection. One of the two is called, unless the task is cancelled."""

    def connected(self, connection: upstream.UpstreamConnection) -> None: ...

    def connect_failed(self, error: errors.UpstreamError) -> None: ...


class Pool:
    """Connections to one endpoint.

    Attributes:
        host_line: the ``host`` header line of requests to it.
        response_lines: header lines that say who answered.
        retired: the endpoint is gone or has moved; nothing is kept any more.
        used_at: when a connection was last asked for or given back.
    """

    def __init__(self, endpoint: contract.Endpoint, pools: Pools) -> None:
        self.endpoint = endpoint
        self.host_line = b"host: %b\r\n" % endpoint.authority.encode()
        self.response_lines = f"target-pod: {endpoint.pod}\r\ntarget-pod-ip: {endpoint.authority}\r\n".encode(
            "latin-1", "replace"
        )
        self.retired = False
        self.used_at = 0.0
        self._pools = pools
        self._keep = pools.settings.pool_idle
        self._idle: list[upstream.UpstreamConnection] = []
        self._open: set[upstream.UpstreamConnection] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Open connections and those being opened."""
        return len(self._open) + len(self._connecting)

    def take(self) -> upstream.UpstreamConnection | None:
        """An idle connection, the latest used first: its endpoint is the least likely to have closed it."""
        while self._idle:
            connection = self._idle.pop()
            if connection.alive:
                self._pools.metrics.reused += 1
                return connection
        return None

    def connect(self, asker: Asker) -> asyncio.Task[None] | None:
        """Open a connection for ``asker``; None when the endpoint has as many as it may have (``connect_failed`` was called)."""
        limit = self._pools.settings.pool_connections
        if len(self) >= limit:
            asker.connect_failed(
                errors.EndpointFullError(f"{self.endpoint.key} has {limit} connections, as many as it may")
            )
            return None
        task = asyncio.get_running_loop().create_task(self._connect(asker), name=f"connect/{self.endpoint.key}")
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)
        return task

    async def _connect(self, asker: Asker) -> None:
        loop = asyncio.get_running_loop()
        began = self._pools.now()
        try:
            _, connection = await loop.create_connection(
                lambda: upstream.UpstreamConnection(self._lost), self.endpoint.address, self.endpoint.port
            )
        except OSError as error:
            self._pools.metrics.connect_failures += 1
            asker.connect_failed(
                errors.ConnectError(f"no connection to {self.endpoint.key}: {error.strerror or error}")
            )
            return
        connection.opening = self._pools.now() - began
        self._pools.metrics.connects += 1
        self._pools.metrics.connect_time.observe(connection.opening)
        if not connection.alive:
            asker.connect_failed(errors.ConnectError(f"{self.endpoint.key} closed the connection at once"))
            return
        self._open.add(connection)
        asker.connected(connection)

    def give(self, connection: upstream.UpstreamConnection, now: float) -> None:
        """Keep a connection for the next request, or close it when enough are kept."""
        if self.retired or not connection.alive or len(self._idle) >= self._keep:
            connection.abandon()
            return
        connection.resume()
        connection.idle_since = self.used_at = now
        self._idle.append(connection)

    def _lost(self, connection: upstream.UpstreamConnection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def reap(self, before: float) -> None:
        """Close connections idle since earlier than ``before``."""
        stale = 0
        for connection in self._idle:  # the longest idle stand first
            if connection.idle_since >= before:
                break
            stale += 1
        for connection in self._idle[:stale]:
            connection.abandon()
        del self._idle[:stale]

    def retire(self) -> None:
        """Close what is idle; what is busy is closed when it is given back."""
        self.retired = True
        self.reap(float("inf"))

    def close(self) -> None:
        """Close everything."""
        self.retire()
        for task in tuple(self._connecting):
            task.cancel()
        for connection in tuple(self._open):
            connection.abandon()


class Pools:
    """The pools of all endpoints in use."""

    def __init__(
        self, options: settings.GatewaySettings, counters: metrics.GatewayMetrics, now: Callable[[], float]
    ) -> None:
        self.settings = options
        self.metrics = counters
        self.now = now
        self._pools: dict[str, Pool] = {}
        self._retired: list[Pool] = []

    def __len__(self) -> int:
        """Connections to all endpoints."""
        return sum(map(len, self._pools.values())) + sum(map(len, self._retired))

    def of(self, endpoint: contract.Endpoint) -> Pool:
        """The endpoint's pool. An endpoint that has moved under its key gets a new one."""
        pool = self._pools.get(endpoint.key)
        if pool is not None:
            if pool.endpoint is endpoint:
                return pool
            if (pool.endpoint.address, pool.endpoint.port) == (endpoint.address, endpoint.port):
                pool.endpoint = endpoint
                return pool
            self._retire(pool)
        pool = self._pools[endpoint.key] = Pool(endpoint, self)
        pool.used_at = self.now()
        return pool

    def _retire(self, pool: Pool) -> None:
        pool.retire()
        self._retired.append(pool)

    def reap(self, now: float) -> None:
        """Close connections that were idle too long, and forget pools that nobody has used for a while."""
        before = now - self.settings.pool_idle_timeout
        for key, pool in tuple(self._pools.items()):
            pool.reap(before)
            if not len(pool) and pool.used_at < before - 60.0:
                del self._pools[key]
        self._retired = [pool for pool in self._retired if len(pool)]

    def close(self) -> None:
        """Close every connection."""
        for pool in (*self._pools.values(), *self._retired):
            pool.close()
