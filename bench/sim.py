"""How many events a second the engine double streams, and what one costs it.

    python -m bench sim

A loader opens streams over raw sockets and counts what comes; the double runs as a process of its own, without a timing model
(``--preset instant``), so that only its own work limits it. Events per CPU second are what one core could stream with nothing else
to do: wall-clock figures also hold the loader's share of the machine.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import json
import socket
import subprocess
import sys
import time
from typing import Final, cast

import psutil
import uvloop

STREAMS: Final = (1, 16, 64, 256)
EVENTS: Final = 60_000
DEADLINE: Final = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """One row."""

    streams: int
    events: int
    wall: float
    cpu: float


class Reader(asyncio.Protocol):
    """One stream: sends a request and counts events until the last chunk."""

    def __init__(self, request: bytes, ended: asyncio.Future[int]) -> None:
        self._request = request
        self._ended = ended
        self._events = 0
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._events += data.count(b'"content":" ')
        self._tail = (self._tail + data)[-16:]
        if self._tail.endswith(b"\r\n0\r\n\r\n"):
            self._ended.set_result(self._events)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(ConnectionError("the stream ended early"))


async def _load(port: int, streams: int, tokens: int) -> int:
    loop = asyncio.get_running_loop()
    ends: list[asyncio.Future[int]] = []
    for number in range(streams):
        body = {"messages": [{"role": "user", "content": f"{number}"}], "stream": True, "max_tokens": tokens}
        data = json.dumps(body).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\ncontent-length: {len(data)}\r\n\r\n".encode()
        ends.append(loop.create_future())
        await loop.create_connection(functools.partial(Reader, head + data, ends[-1]), "127.0.0.1", port)
    return sum(await asyncio.wait_for(asyncio.gather(*ends), DEADLINE))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the engine double did not start")


def measure(streams: int) -> Result:
    """Run the double, load it with ``streams`` streams."""
    port = _free_port()
    command = [
        sys.executable,
        "-m",
        "brickyard.sim.engine",
        "--port",
        str(port),
        "--preset",
        "instant",
        "--max-model-len",
        "70000",
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        seen = psutil.Process(process.pid)
        uvloop.run(_load(port, streams, 50))
        before, start = seen.cpu_times(), time.monotonic()
        events = uvloop.run(_load(port, streams, EVENTS // streams))
        wall, after = time.monotonic() - start, seen.cpu_times()
        cpu = after.user + after.system - before.user - before.system
    finally:
        process.terminate()
        process.wait(10)
    return Result(streams, events, wall, cpu)


def main() -> None:
    """Measure and print."""
    print(f"{'streams':>8} {'events':>8} {'events/s':>10} {'events per CPU second':>22} {'CPU us per event':>17}")
    for streams in STREAMS:
        row = measure(streams)
        rate, per_core = row.events / row.wall, row.events / row.cpu
        print(f"{row.streams:>8} {row.events:>8} {rate:>10.0f} {per_core:>22.0f} {1e6 / per_core:>17.1f}")


if __name__ == "__main__":
    main()
