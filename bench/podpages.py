"""A fleet's metrics pages on loopback, from a process of its own: those of a busy vLLM, 50 kB each.

    async with podpages.served(podpages.Fleet(everywhere=True)) as ports: ...

Where it serves ``everywhere``, each address of 127.0.0.0/8 is a pod, so that ten thousand of them have one listener and a connection each.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
import pathlib
import resource
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from typing import cast

import uvloop

PAGE = pathlib.Path(__file__).parents[1] / "tests" / "engines" / "data" / "vllm-0.32-busy.txt"


@dataclasses.dataclass(frozen=True, slots=True)
class Fleet:
    """``changing``: no page says the same twice. ``idle``: seconds after which a server closes a connection, 0 for never; vLLM's: 5."""

    listeners: int = 1
    changing: bool = True
    everywhere: bool = False
    idle: float = 0.0


def address(number: int) -> str:
    """That of pod ``number``, of a fleet that is everywhere."""
    return f"127.{1 + number // 65536}.{number // 256 % 256}.{number % 256}"


class _Server(asyncio.Protocol):
    def __init__(self, page: bytes, numbers: itertools.count[int] | None, idle: float) -> None:
        self._page = page
        self._numbers = numbers
        self._idle = idle
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        tail = b"passes_total %d\n" % (0 if self._numbers is None else next(self._numbers))
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(self._page) + len(tail))
        self._transport.write(head + self._page + tail)
        if self._end is not None:
            self._end.cancel()
        if self._idle:
            self._end = asyncio.get_running_loop().call_later(self._idle, self._transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()


def _listener(fleet: Fleet) -> socket.socket:
    made = socket.socket()
    if fleet.everywhere:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")  # every address, and none that others reach
    made.bind(("0.0.0.0" if fleet.everywhere else "127.0.0.1", 0))
    return made


async def _serve(fleet: Fleet) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    loop, page, numbers = asyncio.get_running_loop(), PAGE.read_bytes(), itertools.count() if fleet.changing else None
    servers = [
        await loop.create_server(lambda: _Server(page, numbers, fleet.idle), sock=_listener(fleet), backlog=4096)
        for _ in range(fleet.listeners)
    ]
    print(*(each.sockets[0].getsockname()[1] for each in servers), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)  # until whoever measures has gone


@contextlib.asynccontextmanager
async def served(fleet: Fleet) -> AsyncIterator[Sequence[int]]:
    """Serve ``fleet`` inside the block; its ports."""
    words = (sys.executable, "-m", "bench.podpages", json.dumps(dataclasses.asdict(fleet)))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, limit=2**20)
    try:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("a process without pipes")
        yield [int(word) for word in (await process.stdout.readline()).split()]
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 10)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    uvloop.run(_serve(Fleet(**json.loads(sys.argv[1]))))
