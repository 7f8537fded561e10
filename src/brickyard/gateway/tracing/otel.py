"""Spans by OpenTelemetry's SDK, sent as OTLP over HTTP from a thread of the SDK's.

What to sample, where to send it, how much to hold back: all of it is read by the SDK itself from ``OTEL_*`` variables. A collector
that is away costs the spans that find no room, and no request. Names of attributes are those of OpenTelemetry's conventions for HTTP and
for generative AI; what these have no word for begins with ``brickyard.``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Mapping
from typing import Final

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk import resources
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace import export
from opentelemetry.trace.propagation import tracecontext

from brickyard.gateway import contract
from brickyard.gateway.tracing import contract as tracing
from brickyard.lib import logs
from brickyard.routing import contract as routing

log = logs.get(__name__)

SERVICE: Final = "brickyard-gateway"
ENDS_WITHIN: Final = 3.0
"""Seconds for the last spans to be sent at the end."""

_PARENT: Final = b"traceparent"
_STATE: Final = b"tracestate"
_JOINED: Final = frozenset({_PARENT})
_FRESH: Final = frozenset({_PARENT, _STATE})
_NANO: Final = 1_000_000_000
_PROPAGATOR: Final = tracecontext.TraceContextTextMapPropagator()
_NOWHERE: Final = contexts.Context()

Attributes = dict[str, str | int | float | bool]


class OtelTrace:
    """One request's spans."""

    __slots__ = ("_began", "_span", "_tracer", "_try", "replaced")

    def __init__(self, tracer: trace.Tracer, span: trace.Span, *, joined: bool) -> None:
        self._tracer = tracer
        self._span = span
        self._began = time.time_ns()
        self._try: trace.Span | None = None
        # The client's tracestate belongs to its traceparent: it goes on where that is taken up, and only there.
        self.replaced = _JOINED if joined else _FRESH

    def tried(self, endpoint: routing.Endpoint) -> None:
        self._end_try("another endpoint was tried")
        if not self._span.is_recording():
            return
        attributes: Attributes = {
            "server.address": endpoint.address,
            "server.port": endpoint.port,
            "gen_ai.request.model": endpoint.model,
            "brickyard.endpoint": endpoint.key,
            "brickyard.engine": endpoint.engine,
        }
        within = trace.set_span_in_context(self._span, _NOWHERE)
        self._try = self._tracer.start_span(endpoint.pod, within, trace.SpanKind.CLIENT, attributes)

    def lines(self) -> bytes:
        told = (self._try or self._span).get_span_context()
        return b"traceparent: 00-%032x-%016x-%02x\r\n" % (told.trace_id, told.span_id, told.trace_flags)

    def ended(
        self, decision: routing.Decision | routing.NoDecision | None, outcome: contract.Outcome, *, cancelled: bool
    ) -> None:
        failed = cancelled or outcome.status >= 500 or not outcome.status or (outcome.error and outcome.status < 400)
        error = outcome.error if failed else ""
        self._end_try(error)
        span = self._span
        if span.is_recording():
            self._waits(outcome.course)
            span.set_attributes(_attributes(decision, outcome))
            _mark(span, error)
        span.end()

    def _end_try(self, error: str) -> None:
        current, self._try = self._try, None
        if current is not None:
            _mark(current, error)
            current.end()

    def _waits(self, course: contract.Course | None) -> None:
        """Spans of the stages before the first try, made once their lengths are known."""
        within = trace.set_span_in_context(self._span, _NOWHERE)
        at = self._began
        stages = () if course is None else (("admission", course.admission), ("queue", course.queue))
        for name, seconds in stages:
            if seconds is not None:
                until = at + round(seconds * _NANO)
                self._tracer.start_span(name, within, start_time=at).end(until)
                at = until


def _mark(span: trace.Span, error: str) -> None:
    if error:
        span.set_status(trace.Status(trace.StatusCode.ERROR, error))


def _attributes(decision: routing.Decision | routing.NoDecision | None, outcome: contract.Outcome) -> Attributes:
    told: Attributes = {"http.response.status_code": outcome.status, "brickyard.attempts": outcome.attempts}
    if isinstance(decision, routing.Decision):
        told["brickyard.strategy"] = decision.profile.name
        told["brickyard.endpoint"] = decision.endpoint.key
    used, course = outcome.usage, outcome.course
    if used is not None:
        told["gen_ai.usage.input_tokens"] = used.prompt
        told["gen_ai.usage.output_tokens"] = used.completion
        told["brickyard.usage.estimated"] = used.estimated
        if used.cached is not None:
            told["gen_ai.usage.cache_read.input_tokens"] = used.cached
    if course is not None and course.first_token is not None:
        told["gen_ai.response.time_to_first_chunk"] = course.first_token
    return told


class OtelTracer:
    """Makes spans with ``tracer``."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def begin(self, notes: Mapping[bytes, bytes], request: routing.Request, *, stream: bool) -> tracing.Trace:
        within, joined = _parent(notes.get(_PARENT))
        attributes: Attributes = {
            "http.request.method": "POST",
            "http.route": request.path,
            "gen_ai.request.model": request.model,
            "gen_ai.request.stream": stream,
            "brickyard.request_id": request.id,
        }
        span = self._tracer.start_span(f"POST {request.path}", within, trace.SpanKind.SERVER, attributes)
        return OtelTrace(self._tracer, span, joined=joined)


def _parent(header: bytes | None) -> tuple[contexts.Context, bool]:
    """The context that a ``traceparent`` names, and whether it names any."""
    if header is None:
        return _NOWHERE, False
    within = _PROPAGATOR.extract({"traceparent": header.decode("latin-1")}, _NOWHERE)
    return within, trace.get_current_span(within).get_span_context().is_valid


@contextlib.asynccontextmanager
async def opened(named: Mapping[str, str]) -> AsyncIterator[OtelTracer]:
    """A tracer that sends to where ``OTEL_*`` variables say; on leaving, what is left is sent. ``named``: attributes of this process."""
    # Each attempt at a collector that is away is a warning of the SDK's; that a batch was lost is an error, and enough.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    attributes = resources.Resource({"service.name": SERVICE, **named})
    # What the variables say of the process wins over what it says of itself.
    provider = sdk.TracerProvider(
        resource=resources.Resource.create().merge(attributes).merge(resources.OTELResourceDetector().detect()),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(export.BatchSpanProcessor(trace_exporter.OTLPSpanExporter()))
    try:
        yield OtelTracer(provider.get_tracer("brickyard.gateway"))
    finally:
        # The SDK may wait half a minute for a collector that is away: in a thread that does not hold up the process.
        ending = threading.Thread(target=provider.shutdown, name="spans", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, ENDS_WITHIN)
        if ending.is_alive():
            log.warning("the last spans could not be sent", within=ENDS_WITHIN)
