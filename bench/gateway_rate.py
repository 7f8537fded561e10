"""Requests at a fixed rate, whoever answers how slowly: what a client waits, counted from when its request was due.

    python -m bench.gateway_rate PORT REQUESTS_PER_SECOND SECONDS

Requests are due by a timer of the kernel, which is right to some ten microseconds where the loop's own timers are to a millisecond.

A load that waits for answers before it asks again hides the waits it causes; this one does not. Connections are kept and taken in turn, a
new one where none is idle. Prompts are those of thirty-two conversations. Prints one JSON object: ``p50``, ``p99``, ``mean`` in
milliseconds, ``requests``, ``errors``, ``connections``.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import signal
import sys
import time
from collections.abc import Iterator
from typing import cast

import httptools
import uvloop

CONVERSATIONS = 32
WAIT = 20.0
"""Seconds after the last request until what is unanswered is an error."""


def requests() -> list[bytes]:
    """One request of each conversation, 1.1 KB of body."""
    made = []
    for number in range(CONVERSATIONS):
        text = f"conversation {number:04d} " + "hello world " * 78
        body = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": text}], "max_tokens": 8}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        made.append(head.encode() + body)
    return made


class Load:
    """What all connections share."""

    def __init__(self) -> None:
        self.idle: list[Connection] = []
        self.waits: list[float] = []
        self.errors = 0
        self.connections = 0
        self._more = asyncio.Event()

    def ended(self) -> None:
        """Some request did."""
        self._more.set()

    async def all_answered(self, total: int) -> None:
        """Until ``total`` requests have ended."""
        while len(self.waits) + self.errors < total:
            self._more.clear()
            await self._more.wait()


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._due: float | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._due is None:
            return
        if self._parser.get_status_code() == 200:
            self._load.waits.append(time.perf_counter() - self._due)
        else:
            self._load.errors += 1
        self._due = None
        self._load.ended()
        if self._parser.should_keep_alive():
            self._parser = httptools.HttpResponseParser(self)
            self._load.idle.append(self)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._load.idle:
            self._load.idle.remove(self)
        if self._due is not None:
            self._load.errors += 1
            self._due = None
            self._load.ended()

    def close(self) -> None:
        self._transport.abort()


async def _one(port: int, load: Load, request: bytes, due: float) -> None:
    loop = asyncio.get_running_loop()
    try:
        _, made = await loop.create_connection(lambda: Connection(load), "127.0.0.1", port)
    except OSError:
        load.errors += 1
        load.ended()
        return
    load.connections += 1
    made.send(request, due)


TOLERANCE = 1e-4
"""Seconds that a request may be early, since the timer's clock and ours are two."""


@contextlib.contextmanager
def ticking(interval: float) -> Iterator[asyncio.Event]:
    """An event that is set every ``interval`` seconds."""
    loop, tick = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGALRM, tick.set)
    signal.setitimer(signal.ITIMER_REAL, interval, interval)
    try:
        yield tick
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        loop.remove_signal_handler(signal.SIGALRM)


async def drive(port: int, rate: float, seconds: float) -> dict[str, float]:
    """``rate`` requests a second for ``seconds``."""
    loop, load, texts = asyncio.get_running_loop(), Load(), requests()
    opening: set[asyncio.Task[None]] = set()
    total = int(rate * seconds)
    with ticking(1 / rate) as tick:
        start = time.perf_counter()
        for number in range(total):
            due = start + number / rate
            while due - time.perf_counter() > TOLERANCE:
                tick.clear()
                await tick.wait()
            request = texts[number % CONVERSATIONS]
            if load.idle:
                load.idle.pop(0).send(request, due)
            else:
                task = loop.create_task(_one(port, load, request, due))
                opening.add(task)
                task.add_done_callback(opening.discard)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(load.all_answered(total), WAIT)
    for each in list(load.idle):
        each.close()
    waits = sorted(load.waits) or [float("inf")]
    return {
        "p50": waits[len(waits) // 2] * 1000,
        "p99": waits[int(len(waits) * 0.99)] * 1000,
        "mean": sum(waits) / len(waits) * 1000,
        "requests": len(load.waits),
        "errors": total - len(load.waits),
        "connections": load.connections,
    }


if __name__ == "__main__":
    gc.disable()  # its pauses would be told as somebody else's
    print(json.dumps(uvloop.run(drive(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))))
