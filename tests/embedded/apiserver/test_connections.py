"""What the server says to clients that take too much of it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import orjson
import pytest

from brickyard.embedded.apiserver import settings, testing


async def test_a_server_full_of_idle_connections_answers(tmp_path: Any) -> None:
    tuned = settings.ApiServerSettings(max_connections=4)
    async with testing.running(tmp_path, settings=tuned) as started, testing.connect(started) as api:
        assert (await api.get("/api")).code == 200
        idle = [await asyncio.open_connection("127.0.0.1", started.port, ssl=started.ssl_context()) for _ in range(8)]
        assert (await api.get("/api")).code == 200
        reader, _ = idle[0]
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        for _, writer in idle:
            writer.transport.abort()


@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        (b"what?\r\n\r\n", 400, "BadRequest"),
        (b"GET /api HTTP/1.1\r\nx: " + b"y" * 600_000, 431, "RequestHeaderFieldsTooLarge"),
    ],
)
async def test_what_never_becomes_a_request_gets_a_status(tmp_path: Any, sent: bytes, code: int, reason: str) -> None:
    async with testing.running(tmp_path) as started:
        reader, writer = await asyncio.open_connection("127.0.0.1", started.port, ssl=started.ssl_context())
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
        status = orjson.loads(body)
        assert (status["kind"], status["code"], status["reason"]) == ("Status", code, reason)
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
