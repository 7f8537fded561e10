"""What writing a request down costs: its counters, its decision record, its spans, in microseconds of one core.

    .venv/bin/python -m bench.accounting [--rounds 20000]

No network and no event loop: what is measured is what stands between the last byte of an answer and the next request.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace import sampling
from rich.console import Console
from rich.table import Table

from brickyard.gateway import contract, metrics
from brickyard.gateway.proxy import ledger
from brickyard.gateway.tracing import otel
from brickyard.gateway.usage import contract as usage
from brickyard.routing import contract as routing

REPEATS = 7
PODS = 100
ENDPOINTS = [
    routing.Endpoint(f"default/demo-{n}:8000", "default", f"demo-{n}", "10.0.0.1", 8000, "demo", "vllm")
    for n in range(PODS)
]
USED = usage.Usage(900, 120, 1020, 800)
REQUEST = routing.Request("r", "demo", "/v1/chat/completions")
PARENT = {b"traceparent": b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


def entry(counted: metrics.GatewayMetrics) -> ledger.Entry:
    """A stream that has ended."""
    made = ledger.Entry("r", 0.0, "demo", counted.model("demo"), stream=True)
    made.status, made.attempts, made.usage = 200, 1, USED
    made.first_byte, made.first_token = 0.05, 0.06
    return made


def counters() -> Callable[[int], None]:
    """A request's counters and its course."""
    counted = metrics.GatewayMetrics()

    def once(number: int) -> None:
        made = entry(counted)
        made.close(1.3, 200, counted.traffic.of(ENDPOINTS[number % PODS]), broken=False)
        made.course()

    return once


def spans(sampler: sampling.Sampler) -> Callable[[int], None]:
    """A request's two spans, with nobody to send them to."""
    tracer = otel.OtelTracer(sdk.TracerProvider(sampler=sampler, shutdown_on_exit=False).get_tracer("bench"))
    outcome = contract.Outcome(200, 1, 0.05, 1.3, "", USED, contract.Course(first_token=0.06))

    def once(number: int) -> None:
        trace = tracer.begin(PARENT, REQUEST, stream=True)
        trace.tried(ENDPOINTS[number % PODS])
        trace.lines()
        trace.ended(None, outcome, cancelled=False)

    return once


def cost(work: Callable[[int], object], rounds: int) -> float:
    """Microseconds of one call, the fastest of several repeats."""
    return min(_timed(work, rounds) for _ in range(REPEATS)) * 1e6


def _timed(work: Callable[[int], object], rounds: int) -> float:
    start = time.process_time()
    for number in range(rounds):
        work(number)
    return (time.process_time() - start) / rounds


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="cost of writing a request down")
    parser.add_argument("--rounds", type=int, default=20_000)
    options = parser.parse_args(arguments)
    table = Table("what", "µs per request")
    for name, work in (
        ("counters", counters()),
        ("spans, not sampled", spans(sampling.ALWAYS_OFF)),
        ("spans, sampled", spans(sampling.ALWAYS_ON)),
    ):
        table.add_row(name, f"{cost(work, options.rounds):.1f}")
    counted = metrics.GatewayMetrics()
    for number in range(PODS):
        entry(counted).close(1.3, 200, counted.traffic.of(ENDPOINTS[number]), broken=False)
    table.add_row(f"one scrape, {PODS} pods", f"{cost(lambda _: list(counted.collect()), 20):.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
