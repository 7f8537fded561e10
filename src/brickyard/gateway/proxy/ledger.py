"""What is written down when a request ends: counters, the decision record, its spans, a line of the access log."""

from __future__ import annotations

import time

from brickyard.gateway import contract, errors, metrics, traffic
from brickyard.gateway.proxy import incoming, plane
from brickyard.gateway.tracing import contract as tracing
from brickyard.gateway.usage import contract as usage
from brickyard.routing import contract as routing

CLIENT_GONE = traffic.CLIENT_GONE


class Entry:
    """One request's numbers while it runs.

    Attributes:
        request_id: as the client and the engine are told.
        started: when it had arrived, on the plane's clock.
        status: as sent to the client, 0 before.
        attempts: endpoints tried.
        admission: seconds until it was known that it may go on; None where nobody was asked.
        queued: seconds in the gateway's queue; None where it did not wait.
        waking: the part of them in which the model slept; None where it did not.
        connect: seconds to open the connection it went over; None where one was kept.
        first_byte: seconds from arrival to the response's first byte.
        first_token: seconds from arrival to the first byte of a stream's body.
        received: bytes of response body so far.
        limits: the header lines in which the client is told how its limits stand.
        stream: the client asked for a stream.
        model: as served, "" before it is known.
        user: whose account counts, "" for nobody's.
        usage: tokens, once the answer is over.
        trace: its spans; None where it has none.
    """

    __slots__ = (
        "_counts",
        "admission",
        "attempts",
        "connect",
        "first_byte",
        "first_token",
        "limits",
        "model",
        "queued",
        "received",
        "request_id",
        "started",
        "status",
        "stream",
        "trace",
        "usage",
        "user",
        "waking",
    )

    def __init__(
        self, request_id: str, started: float, model: str, counts: metrics.ModelCounts, *, stream: bool
    ) -> None:
        self.request_id = request_id
        self.started = started
        self.model = model
        self.stream = stream
        self.status = 0
        self.attempts = 0
        self.admission: float | None = None
        self.queued: float | None = None
        self.waking: float | None = None
        self.connect: float | None = None
        self.first_byte: float | None = None
        self.first_token: float | None = None
        self.received = 0
        self.limits = b""
        self.user = ""
        self.usage: usage.Usage | None = None
        self.trace: tracing.Trace | None = None
        self._counts = counts
        counts.in_flight += 1

    def close(self, duration: float, status: int, pod: traffic.PodCounts | None, *, broken: bool) -> None:
        """Move the counters. Called once. ``pod`` is None when nobody was asked."""
        counts = self._counts
        counts.in_flight -= 1
        counts.statuses[status] = counts.statuses.get(status, 0) + 1
        counts.duration.observe(duration)
        if self.first_byte is not None:
            counts.first_byte.observe(self.first_byte)
        if self.queued is not None:
            counts.queued.observe(self.queued)
        if pod is None:
            counts.unrouted[status] = counts.unrouted.get(status, 0) + 1
            return
        pod.ended(status, broken=broken)
        first, spent = self.first_token, self.usage
        if first is not None:
            counts.first_token.observe(first)
        if spent is not None:
            pod.used(spent, duration, first)
            if first is not None and spent.completion > 1:
                counts.gap.observe((duration - first) / (spent.completion - 1))

    def course(self) -> contract.Course:
        """What its stages took."""
        return contract.Course(self.admission, self.queued, self.connect, self.first_token, self.limits, self.waking)


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
    counters = shared.metrics
    duration = shared.now() - entry.started
    pod = None
    if entry.attempts and isinstance(decision, routing.Decision):
        pod = counters.traffic.of(decision.endpoint)
    entry.close(
        duration,
        CLIENT_GONE if cancelled else entry.status,
        pod,
        broken=bool(error) and not cancelled and 0 < entry.status < 400,
    )
    counters.response_bytes += entry.received
    if cancelled:
        counters.cancelled += 1
    outcome = contract.Outcome(
        entry.status, entry.attempts, entry.first_byte, duration, error, entry.usage, entry.course()
    )
    if shared.traces is not None and entry.usage is not None:
        shared.traces.note(entry.model, entry.usage.prompt, entry.usage.completion)
    if entry.trace is not None:
        entry.trace.ended(decision, outcome, cancelled=cancelled)
    if decision is not None:
        shared.director.record(decision, outcome)
    if shared.access is not None:
        shared.access.write(_line(entry, request, decision, error, duration))


def refused(
    shared: plane.Plane, request: incoming.Incoming, error: errors.RefusedError, request_id: str, started: float
) -> None:
    """Write down a request that was refused before anybody was asked who could answer it."""
    entry = Entry(request_id, started, "", shared.metrics.model(metrics.UNKNOWN), stream=False)
    entry.status = error.error.status
    duration = shared.now() - started
    entry.close(duration, entry.status, None, broken=False)
    if shared.access is not None:
        shared.access.write(_line(entry, request, None, error.error.message, duration))


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
        "request_id": entry.request_id,
        "method": request.method.decode(),
        "path": request.path.decode("latin-1"),
        "model": entry.model,
        "user": entry.user,
        "stream": entry.stream,
        "strategy": chosen.profile.name if chosen is not None else "",
        "endpoint": chosen.endpoint.key if chosen is not None else "",
        "status": entry.status,
        "attempts": entry.attempts,
        "admission": _rounded(entry.admission),
        "queued": _rounded(entry.queued),
        "waking": _rounded(entry.waking),
        "connect": _rounded(entry.connect),
        "first_byte": _rounded(entry.first_byte),
        "first_token": _rounded(entry.first_token),
        "duration": round(duration, 6),
        "bytes_in": request.size,
        "bytes_out": entry.received,
        "prompt_tokens": used.prompt if used is not None else None,
        "completion_tokens": used.completion if used is not None else None,
        "cached_tokens": used.cached if used is not None else None,
        "tokens_estimated": used is not None and used.estimated,
        "error": error,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
