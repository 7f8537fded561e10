"""A running double inside a test, and a client that asks it: ``async with running(any_model=True) as engine``."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from brickyard.sim.engine import options, server
from brickyard.sim.engine.core import presets

MODEL: Final = "tiny"
INSTANT: Final = options.Options(port=0, models=(MODEL,), params=presets.NAMED["instant"], bootstrap_port=0)


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return orjson.loads(self.body)

    def events(self) -> list[Any]:
        """The objects of an event stream; ``[DONE]`` must end it and is left out."""
        parts = self.body.split(b"\n\n")
        if parts[-2:] != [b"data: [DONE]", b""]:
            raise AssertionError(f"the stream does not end with [DONE]: {parts[-2:]}")
        return [orjson.loads(part.removeprefix(b"data: ")) for part in parts[:-2]]


class Engine:
    """A double and connections to it.

    Attributes:
        server: the double.
        crashes: exit codes with which it would have ended.
    """

    def __init__(self, running: server.Server, crashes: list[int]) -> None:
        self.server = running
        self.crashes = crashes

    async def get(self, path: str, **headers: str) -> Reply:
        """GET."""
        return await self.send(_request("GET", path, b"", headers))

    async def post(self, path: str, body: object = None, **headers: str) -> Reply:
        """POST of JSON, or of bytes as they are. Underscores in header names stand for dashes."""
        data = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.send(_request("POST", path, data, headers))

    async def delete(self, path: str) -> Reply:
        """DELETE."""
        return await self.send(_request("DELETE", path, b"", {}))

    async def chat(self, content: str = "hello", *, fault: str = "", **fields: Any) -> Reply:
        """A chat completion."""
        body = {"model": MODEL, "messages": [{"role": "user", "content": content}], **fields}
        return await self.post("/v1/chat/completions", body, **({"x_sim_fault": fault} if fault else {}))

    async def complete(self, prompt: object = "hello", **fields: Any) -> Reply:
        """A text completion."""
        return await self.post("/v1/completions", {"model": MODEL, "prompt": prompt, **fields})

    async def send(self, data: bytes) -> Reply:
        """A request on a connection of its own."""
        async with self.connect() as (reader, writer):
            writer.write(data)
            return await read(reader)

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def _request(method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nhost: sim\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body


def stream_request(content: str = "hello", **fields: Any) -> bytes:
    """A chat completion as a stream, as bytes to send."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": content}], "stream": True, **fields}
    return _request("POST", "/v1/chat/completions", orjson.dumps(body), {})


async def read(reader: asyncio.StreamReader, *, head_only: bool = False) -> Reply:
    """The next answer. Raises IncompleteReadError when the connection ends before it does."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    status = int(first.split()[1])
    if head_only:
        return Reply(status, headers, b"")
    if headers.get("transfer-encoding") != "chunked":
        return Reply(status, headers, await reader.readexactly(int(headers["content-length"])))
    parts: list[bytes] = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return Reply(status, headers, b"".join(parts))


@contextlib.asynccontextmanager
async def running(**changes: Any) -> AsyncIterator[Engine]:
    """A double that takes no time; ``changes`` are ``options.Options``'s fields."""
    crashes: list[int] = []
    async with server.Server(dataclasses.replace(INSTANT, **changes), crash=crashes.append, drain=0.2) as made:
        yield Engine(made, crashes)
