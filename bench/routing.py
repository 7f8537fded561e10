"""What a routing decision costs: choose, lease, record and release together, in microseconds of one core.

    .venv/bin/python -m bench.routing [--endpoints 8 100] [--rounds 20000]

No network and no event loop: this is the share of a request that routing adds to the proxy's own work. The budget is 15 µs with
8 endpoints.
"""

from __future__ import annotations

import argparse
import itertools
import random
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from brickyard.api import serving
from brickyard.assembly import routing_policies
from brickyard.gateway import contract as gateway
from brickyard.gateway.endpoints import director
from brickyard.routing import contract

REPEATS = 7
PROMPT = b"x" * 1100
OUTCOME = gateway.Outcome(status=200, attempts=1, first_byte=0.1, duration=0.5)


def directed(size: int) -> director.StaticDirector:
    """A director over ``size`` endpoints that have been scraped and have a few requests in flight."""
    endpoints = [
        contract.Endpoint(
            f"default/demo-{n}:8000", "default", f"demo-{n}", f"10.0.{n // 250}.{n % 250}", 8000, "demo", "vllm"
        )
        for n in range(size)
    ]
    made = director.StaticDirector(endpoints, routing_policies.make(), rng=random.Random(1))
    for slot in made.table.routable():
        made.table.heard(slot, serving.EngineLoad(running=1.0, waiting=0.0), time.monotonic())
    for _ in range(3 * size):
        chosen = made.choose(contract.Request("warm", "demo", "/v1/completions"))
        if isinstance(chosen, contract.Decision):
            made.lease(chosen)
    return made


def cost(made: director.StaticDirector, strategy: str, rounds: int) -> float:
    """Microseconds of one request's routing, the fastest of several repeats."""
    return min(_once(made, strategy, rounds) for _ in range(REPEATS)) * 1e6


def _once(made: director.StaticDirector, strategy: str, rounds: int) -> float:
    requests = [contract.Request(str(n), "demo", "/v1/completions", PROMPT, strategy=strategy) for n in range(rounds)]
    start = time.process_time()
    for request in requests:
        decision = made.choose(request)
        if not isinstance(decision, contract.Decision):
            raise TypeError(decision.reason)
        lease = made.lease(decision)
        made.record(decision, OUTCOME)
        lease.release()
    return (time.process_time() - start) / rounds


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="cost of routing per request")
    parser.add_argument("--endpoints", type=int, nargs="+", default=[1, 8, 100])
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--strategies", nargs="+", default=["least-request", "random"])
    options = parser.parse_args(arguments)
    table = Table("strategy", *(f"{size} endpoints" for size in options.endpoints), title="µs per request")
    costs = {
        (strategy, size): cost(directed(size), strategy, options.rounds)
        for strategy, size in itertools.product(options.strategies, options.endpoints)
    }
    for strategy in options.strategies:
        table.add_row(strategy, *(f"{costs[strategy, size]:.1f}" for size in options.endpoints))
    Console().print(table)


if __name__ == "__main__":
    main()
