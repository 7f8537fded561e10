"""What a routing decision costs, for each strategy.

    .venv/bin/python -m bench routing [--endpoints 8 100] [--requests 3000] [--strategies slo least-request:1,throughput:1]

No network and no event loop: this is the share of a request that routing adds to the proxy's own work. ``choose`` is told as its median and
its 99th percentile, in microseconds of CPU time; ``all`` is the mean of everything together: choose, lease, answer, release with usage,
record. Of several repeats the one with the lowest median is shown. The garbage collector is set as in a gateway that serves.

Requests are those of thirty-two conversations by fifty users, half as many as there are endpoints under way at any time. After every fifth
request an engine is heard again, as at 500 requests a second over a hundred endpoints, so that nothing can be kept for long.
"""

from __future__ import annotations

import argparse
import collections
import itertools
import random
import time
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from brickyard.api import serving
from brickyard.assembly import routing_policies
from brickyard.gateway import contract as gateway
from brickyard.gateway.endpoints import director
from brickyard.lib import garbage
from brickyard.routing import contract

REPEATS = 3
CONVERSATIONS = 32
USERS = 50
HEARD_EVERY = 5
MIX = "prefix-cache:2,least-request:1,least-kv-cache:1,least-latency:1,least-tokens:1"
OUTCOME = gateway.Outcome(status=200, attempts=1, first_byte=0.1, duration=0.5)
USAGE = contract.Usage(275, 100)


class Cost(NamedTuple):
    """Microseconds: the median and the 99th percentile of ``choose``, and the mean of all that routing does for a request."""

    p50: float
    p99: float
    whole: float


def load(endpoint: int, look: int) -> serving.EngineLoad:
    """What an engine says at its n-th look: numbers that move."""
    return serving.EngineLoad(
        running=float(endpoint % 3),
        waiting=0.0,
        kv_cache_usage=(endpoint * 7 + look) % 100 / 100,
        prompt_tokens_total=5000.0 * look + endpoint,
        generation_tokens_total=9000.0 * look,
        finished_total=100.0 * look,
        queue_seconds_total=1.0 * look,
        prefill_seconds_total=2.0 * look + endpoint,
        decode_seconds_total=30.0 * look,
    )


class Fleet:
    """A director over ``size`` endpoints that have been heard twice."""

    def __init__(self, size: int) -> None:
        endpoints = [
            contract.Endpoint(
                f"default/demo-{n}:8000", "default", f"demo-{n}", f"10.0.{n // 250}.{n % 250}", 8000, "demo", "vllm"
            )
            for n in range(size)
        ]
        self.director = director.StaticDirector(endpoints, routing_policies.make(), rng=random.Random(1))
        self._slots = list(self.director.table.routable())
        self._looks = itertools.count()
        for _ in range(2 * size):
            self.hear()

    def hear(self) -> None:
        """The next engine is looked at."""
        round_, at = divmod(next(self._looks), len(self._slots))
        self.director.table.heard(self._slots[at], load(at, round_), time.monotonic())

    def choose(self, request: contract.Request) -> contract.Decision:
        """A decision, and no other answer."""
        made = self.director.choose(request)
        if not isinstance(made, contract.Decision):
            raise TypeError(made.reason)
        return made


def requests(strategy: str, count: int) -> list[contract.Request]:
    """Prompts of 1.1 KB."""
    return [
        contract.Request(
            str(n),
            "demo",
            "/v1/completions",
            b"conversation %04d " % (n % CONVERSATIONS) + b"x" * 1100,
            user=f"user-{n % USERS}",
            strategy=strategy,
        )
        for n in range(count)
    ]


def once(strategy: str, size: int, count: int) -> Cost:
    """One run over a fleet of its own."""
    fleet, under_way = Fleet(size), collections.deque[tuple[contract.Decision, gateway.Lease]]()
    asked, times, whole = requests(strategy, count), list[int](), 0
    fleet.choose(asked[0])
    for n, request in enumerate(asked):
        if n % HEARD_EVERY == 0:
            fleet.hear()
        began = time.thread_time_ns()
        decision = fleet.choose(request)
        times.append(time.thread_time_ns() - began)
        lease = fleet.director.lease(decision)
        lease.answered()
        under_way.append((decision, lease))
        if len(under_way) > size // 2:
            ended, held = under_way.popleft()
            held.release(USAGE)
            fleet.director.record(ended, OUTCOME)
        whole += time.thread_time_ns() - began
    times.sort()
    return Cost(times[count // 2] / 1000, times[int(count * 0.99)] / 1000, whole / count / 1000)


def cost(strategy: str, size: int, count: int) -> Cost:
    """The best of several runs."""
    return min(once(strategy, size, count) for _ in range(REPEATS))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench routing", description="cost of routing per request")
    parser.add_argument("--endpoints", type=int, nargs="+", default=[8, 100])
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--strategies", nargs="+", default=[*routing_policies.make().names(), MIX])
    options = parser.parse_args(arguments)
    garbage.settle()
    heads = [f"{size}: {name}" for size in options.endpoints for name in ("p50", "p99", "all")]
    table = Table(
        title="µs per request, by number of endpoints: choose, and all that routing does", title_justify="left"
    )
    table.add_column("strategy", overflow="fold")
    for head in heads:
        table.add_column(head, justify="right")
    for strategy in options.strategies:
        costs = [cost(strategy, size, options.requests) for size in options.endpoints]
        table.add_row(strategy, *(f"{each:.0f}" for each in itertools.chain.from_iterable(costs)))
    Console().print(table)


if __name__ == "__main__":
    main()
