"""One try at one endpoint: lease, connection, response.

    CONNECTING ──► WAITING ──► STREAMING ──► OVER
        ▲             │  a kept connection had died unnoticed: once more, on a fresh one
        └─────────────┘

The lease is taken at the start and released at the end, whichever end that is.
"""

from __future__ import annotations

import asyncio
import enum
from typing import Final, Protocol

from brickyard.gateway import contract, errors
from brickyard.gateway.proxy import heads, plane, response, upstream
from brickyard.routing import contract as routing

_NEVER: Final = float("inf")


class Stage(enum.IntEnum):
    """How far a try has come."""

    CONNECTING = 0
    WAITING = 1
    STREAMING = 2
    OVER = 3


class Owner(Protocol):
    """The exchange. Of ``failed``, ``completed`` and ``broken`` one is called, once, unless the try is abandoned."""

    @property
    def paused(self) -> bool:
        """The client does not take what was written."""
        ...

    def send(self, attempt: Attempt, connection: upstream.UpstreamConnection) -> None:
        """Begin the request on ``connection``, with ``attempt`` as its taker."""
        ...

    def responded(self, attempt: Attempt, head: heads.ResponseHead) -> bytes:
        """A response begins: the head to send to the client."""
        ...

    def failed(self, attempt: Attempt, error: errors.UpstreamError, *, untouched: bool) -> None:
        """Nothing of a response has reached the client; ``untouched``: the endpoint has not sent a byte."""
        ...

    def used(self, reader: response.ResponseReader) -> routing.Usage | None:
        """What the response used, as far as it has come: asked once, before the lease ends."""
        ...

    def completed(self, attempt: Attempt, received: int) -> None:
        """The response is out, ``received`` bytes of body."""
        ...

    def broken(self, attempt: Attempt, error: errors.UpstreamError, reader: response.ResponseReader) -> None:
        """The response cannot be completed; ``reader`` knows where it stopped."""
        ...


class Attempt:
    """``decision``'s endpoint, tried once.

    Attributes:
        decision: why this endpoint.
        lease: its place there, taken for this try.
        pool: where its connections are.
    """

    __slots__ = (
        "_connecting",
        "_connection",
        "_deadline",
        "_owner",
        "_plane",
        "_seen",
        "_stage",
        "decision",
        "lease",
        "pool",
    )

    def __init__(self, shared: plane.Plane, owner: Owner, decision: routing.Decision) -> None:
        self._plane = shared
        self._owner = owner
        self.decision = decision
        self.pool = shared.pools.of(decision.endpoint)
        self.lease: contract.Lease = shared.director.lease(decision)
        self._stage = Stage.CONNECTING
        self._deadline = _NEVER
        self._seen = -1
        self._connection: upstream.UpstreamConnection | None = None
        self._connecting: asyncio.Task[None] | None = None

    # For the exchange.

    def start(self) -> None:
        """Go, over a kept connection or a fresh one."""
        connection = self.pool.take()
        if connection is not None:
            self.connected(connection)
        else:
            self._connect()

    def abandon(self) -> int:
        """End here, whatever is under way; the owner hears nothing more. Bytes of body that had come."""
        connection, self._connection = self._connection, None
        self._end(connection)
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        if connection is None:
            return 0
        connection.abandon()
        return connection.reader.body_bytes

    def interrupt(self, error: errors.UpstreamError) -> None:
        """End here with an error of somebody else's making."""
        self._give_up(error)

    def pause(self) -> None:
        """The client does not keep up."""
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        """The client takes bytes again."""
        if self._connection is not None:
            self._connection.resume()

    def sweep(self, now: float) -> None:
        """Look at the deadlines. A stream's progress is seen here, by its byte count, so that a chunk costs no clock."""
        if self._stage is Stage.STREAMING and self._progressed():
            self._deadline = now + self._plane.settings.idle_timeout
        elif now >= self._deadline:
            self._give_up(errors.DeadlineError(self._lateness()))

    # What the pool calls.

    def connected(self, connection: upstream.UpstreamConnection) -> None:
        """A connection is there."""
        self._connecting = None
        self._connection = connection
        self._stage = Stage.WAITING
        self._deadline = self._plane.tick + self._plane.settings.first_byte_timeout
        self._owner.send(self, connection)

    def connect_failed(self, error: errors.UpstreamError) -> None:
        """No connection."""
        self._connecting = None
        self._give_up(error)

    # What the connection calls.

    def responded(self, head: heads.ResponseHead) -> bytes:
        self._stage = Stage.STREAMING
        self._deadline = self._plane.tick + self._plane.settings.idle_timeout
        return self._owner.responded(self, head)

    def completed(self, connection: upstream.UpstreamConnection) -> None:
        self._connection = None
        self._end(connection)
        reader = connection.reader
        if reader.reusable:
            self.pool.give(connection, self._plane.tick)
        else:
            connection.abandon()
        self._owner.completed(self, reader.body_bytes)

    def broken(self, error: errors.UpstreamError) -> None:
        connection = self._connection
        stale = connection is not None and connection.requests > 1 and not connection.touched
        if stale and self._stage is Stage.WAITING and isinstance(error, errors.BrokenConnectionError):
            self._plane.metrics.replays += 1
            self._connection = None
            self._connect()
            return
        self._give_up(error)

    def _connect(self) -> None:
        self._stage = Stage.CONNECTING
        self._deadline = self._plane.tick + self._plane.settings.connect_timeout
        self._connecting = self.pool.connect(self)

    # Ends.

    def _give_up(self, error: errors.UpstreamError) -> None:
        connection = self._connection
        streaming = self._stage is Stage.STREAMING
        untouched = connection is None or not connection.touched
        if streaming and connection is not None:
            self._end(connection)
            self._owner.broken(self, error, connection.reader)
            self.abandon()
            return
        self.abandon()
        if error.blames:
            self._plane.director.report_failure(self.decision.endpoint)
        self._owner.failed(self, error, untouched=untouched)

    def _end(self, connection: upstream.UpstreamConnection | None) -> None:
        if self._stage is Stage.OVER:
            return
        used = (
            self._owner.used(connection.reader) if self._stage is Stage.STREAMING and connection is not None else None
        )
        self._stage = Stage.OVER
        self._deadline = _NEVER
        self.lease.release(used)
        queue = self._plane.queue
        if queue.waiting:
            queue.freed(self.decision.endpoint.model)

    def _progressed(self) -> bool:
        connection = self._connection
        if connection is None:
            return False
        before, self._seen = self._seen, connection.reader.body_bytes
        return before != self._seen or self._owner.paused

    def _lateness(self) -> str:
        options = self._plane.settings
        what, limit = {
            Stage.CONNECTING: ("no connection to the endpoint", options.connect_timeout),
            Stage.WAITING: ("no response from the endpoint", options.first_byte_timeout),
        }.get(self._stage, ("no more of the response from the endpoint", options.idle_timeout))
        return f"{what} within {limit:g} s"
