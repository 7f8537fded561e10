"""What is written down when a request ends: counters, the decision record, a line of the access log."""

from __future__ import annotations

import time
from typing import Final

from brickyard.gateway import contract, errors, metrics
from brickyard.gateway.proxy import incoming, plane
from brickyard.gateway.usage import contract as usage
from brickyard.routing import contract as routing

CLIENT_GONE: Final = 499
"""The status under which a request is counted whose client left before its answer was complete."""


class Entry:
    """One request's numbers while it runs.

    Attributes:
        started: when it had arrived, on the plane's clock.
        status: as sent to the client, 0 before.
        attempts: endpoints tried.
        first_byte: seconds from arrival to the response's first byte.
        received: bytes of response body so far.
        stream: the client asked for a stream.
        model: as served, "" before it is known.
        user: whose account counts, "" for nobody's.
        usage: tokens, once the answer is over.
    """

    __slots__ = (
        "_counts",
        "attempts",
        "first_byte",
        "model",
        "received",
        "started",
        "status",
        "stream",
        "usage",
        "user",
    )

    def __init__(self, started: float, model: str, counts: metrics.ModelCounts, *, stream: bool) -> None:
        self.started = started
        self.model = model
        self.stream = stream
        self.status = 0
        self.attempts = 0
        self.first_byte: float | None = None
        self.received = 0
        self.user = ""
        self.usage: usage.Usage | None = None
        self._counts = counts
        counts.in_flight += 1

    def close(self, now: float, *, cancelled: bool) -> float:
        """Move the counters; seconds the request took. Called once."""
        duration = now - self.started
        counts = self._counts
        counts.in_flight -= 1
        status = CLIENT_GONE if cancelled else self.status
        counts.statuses[status] = counts.statuses.get(status, 0) + 1
        counts.duration.observe(duration)
        if self.first_byte is not None:
            counts.first_byte.observe(self.first_byte)
        return duration


def settle(
    shared: plane.Plane,
    entry: Entry,
    request: incoming.Incoming,
    decision: routing.Decision | routing.NoDecision | None,
    error: str,
    *,
    cancelled: bool,
) -> None:
    """Close the books of a request. ``decision`` is None when it was refused before one was made."""
    duration = entry.close(shared.now(), cancelled=cancelled)
    counters = shared.metrics
    counters.response_bytes += entry.received
    if cancelled:
        counters.cancelled += 1
    if decision is not None:
        shared.director.record(
            decision, contract.Outcome(entry.status, entry.attempts, entry.first_byte, duration, error, entry.usage)
        )
    if shared.access is not None:
        shared.access.write(_line(entry, request, decision, error, duration))


def refused(
    shared: plane.Plane, request: incoming.Incoming, error: errors.RefusedError, request_id: str, started: float
) -> None:
    """Write down a request that was refused before anybody was asked who could answer it."""
    entry = Entry(started, "", shared.metrics.model(metrics.UNKNOWN), stream=False)
    entry.status = error.error.status
    duration = entry.close(shared.now(), cancelled=False)
    if shared.access is not None:
        shared.access.write(_line(entry, request, None, error.error.message, duration) | {"request_id": request_id})


def _line(
    entry: Entry,
    request: incoming.Incoming,
    decision: routing.Decision | routing.NoDecision | None,
    error: str,
    duration: float,
) -> dict[str, object]:
    chosen = decision if isinstance(decision, routing.Decision) else None
    used = entry.usage
    return {
        "ts": round(time.time(), 3),
        "request_id": decision.request.id if decision is not None else "",
        "method": request.method.decode(),
        "path": request.path.decode("latin-1"),
        "model": entry.model,
        "user": entry.user,
        "stream": entry.stream,
        "strategy": chosen.profile.name if chosen is not None else "",
        "endpoint": chosen.endpoint.key if chosen is not None else "",
        "status": entry.status,
        "attempts": entry.attempts,
        "first_byte": round(entry.first_byte, 6) if entry.first_byte is not None else None,
        "duration": round(duration, 6),
        "bytes_in": len(request.body),
        "bytes_out": entry.received,
        "prompt_tokens": used.prompt if used is not None else None,
        "completion_tokens": used.completion if used is not None else None,
        "cached_tokens": used.cached if used is not None else None,
        "tokens_estimated": used is not None and used.estimated,
        "error": error,
    }
