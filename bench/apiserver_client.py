"""A client that costs little beside what it measures: one TLS connection, one request at a time, answers of a known length or in chunks."""

from __future__ import annotations

import asyncio
import pathlib
import ssl
from collections.abc import AsyncIterator
from typing import Self

_LIMIT = 64 * 1024 * 1024


class Client:
    """A connection to the API server on ``port`` whose data directory is ``folder``. Enter to connect."""

    def __init__(self, port: int, folder: pathlib.Path) -> None:
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(folder / "pki" / "ca.crt"))
        self._head = f"host: 127.0.0.1:{port}\r\nauthorization: Bearer {(folder / 'token').read_text().strip()}\r\n"
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._tls, limit=_LIMIT)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    async def call(self, method: str, path: str, body: bytes = b"", media: str = "application/json") -> bytes:
        """The answer's body. Raises RuntimeError for anything but 2xx."""
        code, head = await self._ask(method, path, body, media)
        length = next(line for line in head.lower().split("\r\n") if line.startswith("content-length:"))
        answer = await self._reader.readexactly(int(length.partition(":")[2]))
        if not 200 <= code < 300:
            raise RuntimeError(f"{method} {path}: {code} {answer.decode()}")
        return answer

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """The chunks of an answer, as they come."""
        code, _ = await self._ask("GET", path, b"", "")
        if code != 200:
            raise RuntimeError(f"GET {path}: {code}")
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            yield (await self._reader.readexactly(size + 2))[:-2]

    async def _ask(self, method: str, path: str, body: bytes, media: str) -> tuple[int, str]:
        head = f"{method} {path} HTTP/1.1\r\n{self._head}content-type: {media}\r\ncontent-length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        return int(answer.split(" ", 2)[1]), answer
