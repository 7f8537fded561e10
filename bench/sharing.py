"""What it costs gateways to act as one, and how old what they know of each other is.

Two processes choose endpoints at 500 requests a second each, of 100 endpoints, by prompts that grow as conversations do; over the hub of
one machine, over Redis, and each alone. CPU is the process's own, for a request without its data plane; staleness is taken
where a message arrives, and counts from the oldest change that it tells.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import random
import statistics
import sys
import tempfile
import time

import uvloop
from tests import redisserver

from brickyard.assembly import routing_policies
from brickyard.gateway import metrics
from brickyard.gateway.endpoints import director, pods, prefixes
from brickyard.gateway.endpoints import settings as endpoint_settings
from brickyard.gateway.sharing import contract, settings, sharer
from brickyard.gateway.sharing.channels import hub, member
from brickyard.gateway.sharing.channels import redis as redis_channel
from brickyard.kvindex import settings as kvindex
from brickyard.lib import clock
from brickyard.routing import contract as routing

TARGET = 200.0
"""Milliseconds that what one gateway knows of the other may be old."""
RATE = 500.0
SECONDS = 8.0
ENDPOINTS = 100
CONVERSATIONS = 400
TURN = b"a question of some length, and what was answered to it. " * 20


class Ages(metrics.Histogram):
    """Keeps each value."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []

    def observe(self, seconds: float) -> None:
        self.values.append(seconds)


def _chooser() -> director.TableDirector:
    made = director.TableDirector(
        routing_policies.make(),
        endpoint_settings.EndpointSettings(strategy="prefix-cache"),
        known=prefixes.Prefixes(kvindex.PrefixSettings()),
    )
    for number in range(ENDPOINTS):
        key = f"default/pod-{number}:8000"
        endpoint = routing.Endpoint(key, "default", f"pod-{number}", "10.0.0.1", 8000, "demo", "vllm", {})
        made.table.put(pods.ModelPod(key, "", "demo", 0.0, "", (endpoint,)))
    return made


async def _requests(chooser: director.TableDirector, seed: int) -> int:
    """Requests at a steady rate, each open for about a second; how many."""
    loop, chance, count = asyncio.get_running_loop(), random.Random(seed), 0
    turns = [0] * CONVERSATIONS
    due = began = loop.time()
    while due < began + SECONDS:
        await asyncio.sleep(max(0.0, due - loop.time()))
        due += 1 / RATE
        number = chance.randrange(CONVERSATIONS)
        turns[number] = turns[number] % 12 + 1
        prompt = b"conversation %d: " % number + TURN * turns[number]
        request = routing.Request(str(count), "demo", "/v1/chat/completions", prompt, "", "", "", frozenset())
        decision = chooser.choose(request)
        if isinstance(decision, routing.Decision):
            loop.call_later(chance.uniform(0.5, 1.5), chooser.lease(decision).release, None)
            count += 1
    return count


async def child(address: str, seed: int) -> None:
    """One gateway; prints what it saw."""
    chooser, name, ages = _chooser(), f"gateway-{seed}", Ages()
    channel: contract.Channel | None = None
    if address.startswith("unix://"):
        channel = redis_channel.RedisChannel(address, "bench", name)
    elif address:
        channel = member.HubChannel(pathlib.Path(address), name)
    running: asyncio.Task[None] | None = None
    if channel is not None:
        end = sharer.Sharer(
            chooser.table, chooser.prefixes, channel, settings.SharingSettings(), time=clock.SystemClock()
        )
        end.counted.staleness = ages
        running = asyncio.create_task(end.run())
        for _ in range(1000):
            if len(end.peers):
                break
            await asyncio.sleep(0.01)
    ages.values.clear()
    before = time.process_time()
    count = await _requests(chooser, seed)
    cpu = time.process_time() - before
    sent = 0 if channel is None else channel.traffic.sent
    print(json.dumps({"cpu": cpu / count * 1e6, "ages": ages.values, "sent": sent / SECONDS}), flush=True)
    if running is not None:
        await asyncio.sleep(0.5)  # the other one is still counting
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _pair(address: str) -> list[dict[str, object]]:
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.sharing", address, str(seed), stdout=asyncio.subprocess.PIPE
        )
        for seed in (1, 2)
    ]
    return [json.loads((await each.communicate())[0]) for each in started]


def _row(name: str, told: list[dict[str, object]]) -> None:
    cpu = statistics.mean(float(str(each["cpu"])) for each in told)
    ages = sorted(1000 * age for each in told for age in each["ages"])  # type: ignore[attr-defined]  # JSON of a child's
    if not ages:
        print(f"{name:<8} {cpu:9.0f} {'-':>9} {'-':>8} {'-':>8} {'-':>8}")
        return
    p50, p99 = statistics.median(ages), ages[int(len(ages) * 0.99)]
    sent = statistics.mean(float(str(each["sent"])) for each in told)
    print(f"{name:<8} {cpu:9.0f} {sent:9.0f} {p50:8.1f} {p99:8.1f} {ages[-1]:8.1f}")


async def measure() -> None:
    """Each way once."""
    print(f"two gateways, {RATE:.0f} requests/s each, {ENDPOINTS} endpoints; the aim is {TARGET:.0f} ms")
    print(f"{'channel':<8} {'µs CPU':>9} {'sent/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}")
    with tempfile.TemporaryDirectory(prefix="brickyard-bench-") as name:
        folder = pathlib.Path(name)
        _row("alone", await _pair(""))
        async with hub.Hub(folder / "hub"):
            _row("hub", await _pair(str(folder / "hub")))
        with redisserver.running(folder) as address:
            if address:
                _row("Redis", await _pair(address))
            else:
                print("Redis    not measured: neither redis-server nor valkey-server is installed")


def main() -> None:
    """Print the table."""
    uvloop.run(measure())


if __name__ == "__main__":
    uvloop.run(child(sys.argv[1], int(sys.argv[2])))
