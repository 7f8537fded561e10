"""Spans as a collector gets them: a real OTLP receiver on loopback, a real gateway, scripted engines."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from brickyard.assembly import tracing
from brickyard.gateway import settings, testing
from brickyard.gateway.proxy import server
from brickyard.gateway.tracing import otel

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CLIENT = f"traceparent: 00-{TRACE}-{PARENT}-01\r\ntracestate: vendor=1"


class Collector:
    """What has been exported. ``delay`` is asked before each answer."""

    def __init__(self) -> None:
        self.requests: list[trace_service_pb2.ExportTraceServiceRequest] = []
        self.status = 200
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.requests.append(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_given: Any) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def spans(self) -> dict[str, trace_pb2.Span]:
        """Every span by name."""
        found = [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        named = {span.name: span for span in found}
        assert len(named) == len(found)
        return named

    def resource(self) -> dict[str, str]:
        told = self.requests[0].resource_spans[0].resource.attributes
        return {each.key: each.value.string_value for each in told}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    made = Collector()
    made.thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


def attributes(span: trace_pb2.Span) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in span.attributes}


async def ask(headers: str = "", *engines: testing.ScriptedEndpoint, gate: testing.FakeGate | None = None) -> int:
    """One request through a gateway whose spans have all been sent when this returns."""
    director = testing.FakeDirector(
        *[testing.endpoint(each.port, name) for each, name in zip(engines, "ab", strict=False)]
    )
    async with otel.opened({"service.instance.id": "gw-0"}) as tracer:
        options = settings.GatewaySettings(port=0)
        around = server.Around(gate=gate, tracer=tracer)
        async with server.DataPlane(director, options, around) as plane, testing.connect(plane.port) as client:
            client.send(testing.post(headers=headers))
            return (await client.read()).status


def header(engine: testing.ScriptedEndpoint, name: str) -> list[str]:
    lines = engine.requests[-1].head.decode().split("\r\n")
    return [line.partition(": ")[2] for line in lines if line.lower().startswith(name + ":")]


async def test_the_clients_span_is_the_parent_and_the_engine_joins(collector: Collector) -> None:
    async with testing.ScriptedEndpoint() as engine:
        assert await ask(f"{CLIENT}\r\nx-request-id: r1", engine) == 200
    spans = collector.spans()
    whole, tried = spans["POST /v1/chat/completions"], spans["a"]
    assert whole.trace_id.hex() == tried.trace_id.hex() == TRACE
    assert whole.parent_span_id.hex() == PARENT
    assert tried.parent_span_id == whole.span_id
    assert (whole.kind, tried.kind) == (trace_pb2.Span.SPAN_KIND_SERVER, trace_pb2.Span.SPAN_KIND_CLIENT)
    assert header(engine, "traceparent") == [f"00-{TRACE}-{tried.span_id.hex()}-01"]
    assert header(engine, "tracestate") == ["vendor=1"]
    told = attributes(whole)
    assert (told["brickyard.request_id"], told["http.response.status_code"], told["gen_ai.request.model"]) == (
        "r1", 200, "tiny",
    )  # fmt: skip
    assert attributes(tried)["server.port"] == engine.port
    assert collector.resource()["service.name"] == "brickyard-gateway"
    assert collector.resource()["service.instance.id"] == "gw-0"


async def test_without_a_parent_a_trace_begins(collector: Collector) -> None:
    async with testing.ScriptedEndpoint() as engine:
        await ask("traceparent: nonsense\r\ntracestate: vendor=1", engine)
    whole = collector.spans()["POST /v1/chat/completions"]
    assert whole.parent_span_id == b""
    assert header(engine, "traceparent")[0].split("-")[1] == whole.trace_id.hex()
    assert header(engine, "tracestate") == []


async def test_a_failed_try_has_a_span_of_its_own(collector: Collector) -> None:
    async with (
        testing.ScriptedEndpoint(lambda _request: [testing.Reset()]) as bad,
        testing.ScriptedEndpoint() as good,
    ):
        assert await ask("", bad, good) == 200
    spans = collector.spans()
    assert spans["a"].status.code == trace_pb2.Status.STATUS_CODE_ERROR
    assert spans["b"].status.code == trace_pb2.Status.STATUS_CODE_UNSET
    assert spans["a"].end_time_unix_nano <= spans["b"].start_time_unix_nano
    assert header(good, "traceparent")[0].startswith(f"00-{spans['b'].trace_id.hex()}-{spans['b'].span_id.hex()}-")
    assert attributes(spans["POST /v1/chat/completions"])["brickyard.attempts"] == 2


async def test_waiting_for_admission_is_a_span(collector: Collector) -> None:
    async with testing.ScriptedEndpoint() as engine:
        await ask("user: ann", engine, gate=testing.FakeGate())
    spans = collector.spans()
    whole, waited = spans["POST /v1/chat/completions"], spans["admission"]
    assert waited.parent_span_id == whole.span_id
    assert (
        whole.start_time_unix_nano
        <= waited.start_time_unix_nano
        <= waited.end_time_unix_nano
        <= whole.end_time_unix_nano
    )


async def test_a_refusal_says_what_was_wrong(collector: Collector) -> None:
    async with testing.ScriptedEndpoint(lambda _request: [testing.Reset()]) as bad:
        assert await ask("", bad) == 502
    whole = collector.spans()["POST /v1/chat/completions"]
    assert whole.status.code == trace_pb2.Status.STATUS_CODE_ERROR
    assert "no answer from model tiny" in whole.status.message


async def test_what_the_client_does_not_sample_is_not_sent_and_the_engine_hears_so(collector: Collector) -> None:
    async with testing.ScriptedEndpoint() as engine:
        await ask(f"traceparent: 00-{TRACE}-{PARENT}-00", engine)
    assert collector.requests == []
    assert header(engine, "traceparent")[0].startswith(f"00-{TRACE}-")
    assert header(engine, "traceparent")[0].endswith("-00")


async def test_sampling_and_the_service_are_what_variables_say(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    async with testing.ScriptedEndpoint() as engine:
        await ask("", engine)
        assert collector.requests == []
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "aibrix-gateway-plugin")
        await ask("", engine)
    assert collector.resource()["service.name"] == "aibrix-gateway-plugin"


async def test_without_a_tracer_the_clients_header_goes_on_as_it_came() -> None:
    async with testing.ScriptedEndpoint() as engine:
        director = testing.FakeDirector(testing.endpoint(engine.port))
        async with (
            server.DataPlane(director, settings.GatewaySettings(port=0)) as plane,
            testing.connect(plane.port) as client,
        ):
            client.send(testing.post(headers=CLIENT))
            await client.read()
    assert header(engine, "traceparent") == [f"00-{TRACE}-{PARENT}-01"]


@pytest.mark.parametrize(
    ("environ", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_tracing_is_on_where_a_collector_is_named(environ: dict[str, str], on: bool) -> None:
    assert tracing.wanted(environ) is on


async def test_nothing_is_made_where_tracing_is_off() -> None:
    async with tracing.tracer(on=False, pod="") as made:
        assert made is None
