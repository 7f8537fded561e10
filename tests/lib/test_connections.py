"""What a client may take of the server beside its requests."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import pytest
import uvicorn
from uvicorn import server as uvicorn_server

from brickyard.lib import connections

BOUNDS = connections.Bounds(open=3, head=1000, head_seconds=30, unread_seconds=20)
REQUEST = b"GET /api HTTP/1.1\r\nhost: x\r\n\r\n"


class Transport(asyncio.Transport):
    """Keeps what is written, and how it ended."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self._ended = ""

    def ended(self) -> str:
        return self._ended

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self._ended = self._ended or "closed"

    def abort(self) -> None:
        self._ended = "aborted"

    def is_closing(self) -> bool:
        return bool(self._ended)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/forever":
        await asyncio.Event().wait()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def refusal(status: int, reason: str) -> tuple[str, bytes]:
    return "application/x-test", f"{status} {reason}".encode()


class Listener:
    """Takes connections as uvicorn does."""

    def __init__(self, bounds: connections.Bounds = BOUNDS) -> None:
        self.config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_keep_alive=600)
        self.state = uvicorn_server.ServerState()
        self.kind = connections.bounded(bounds, refusal)

    def connect(self) -> tuple[connections.Connection, Transport]:
        made, transport = self.kind(self.config, self.state, {}), Transport()
        made.connection_made(transport)
        return made, transport

    async def stop(self) -> None:
        for each in tuple(self.state.connections):
            each.connection_lost(None)
        for task in tuple(self.state.tasks):
            task.cancel()
        await asyncio.gather(*self.state.tasks, return_exceptions=True)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.mark.looptime
class TestTime:
    async def test_a_client_that_says_nothing(self, listener: Listener) -> None:
        _, transport = listener.connect()
        await asyncio.sleep(29)
        assert not transport.ended()
        await asyncio.sleep(2)
        assert transport.ended() == "aborted"
        await listener.stop()

    async def test_headers_a_byte_at_a_time(self, listener: Listener) -> None:
        connection, transport = listener.connect()
        for each in (b"G", b"E", b"T", b" ", b"/"):
            await asyncio.sleep(7)
            connection.data_received(each)
        assert transport.ended() == "aborted"
        await listener.stop()

    async def test_time_runs_for_the_headers_alone(self, listener: Listener) -> None:
        connection, transport = listener.connect()
        connection.data_received(REQUEST)
        await asyncio.sleep(50)
        assert transport.written.endswith(b"ok")
        # The next request has its own time.
        connection.data_received(REQUEST[:5])
        await asyncio.sleep(29)
        assert not transport.ended()
        await asyncio.sleep(2)
        assert transport.ended() == "aborted"
        await listener.stop()

    async def test_a_client_that_does_not_read(self, listener: Listener) -> None:
        connection, transport = listener.connect()
        connection.data_received(REQUEST)
        for _ in range(3):
            connection.pause_writing()
            await asyncio.sleep(15)
            connection.resume_writing()
        assert not transport.ended()
        connection.pause_writing()
        await asyncio.sleep(21)
        assert transport.ended() == "aborted"
        await listener.stop()


class TestHead:
    async def test_headers_without_end(self, listener: Listener) -> None:
        connection, transport = listener.connect()
        connection.data_received(b"GET /api HTTP/1.1\r\n")
        for _ in range(20):
            connection.data_received(b"x: %s\r\n" % (b"y" * 100))
        assert transport.written.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert b"over the limit of 1000 bytes" in transport.written
        assert (transport.ended(), transport.written.count(b"HTTP/1.1")) == ("closed", 1)
        await listener.stop()

    async def test_bodies_are_no_headers(self, listener: Listener) -> None:
        connection, transport = listener.connect()
        connection.data_received(b"POST /api HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n")
        for _ in range(50):
            connection.data_received(b"x" * 100)
        connection.data_received(REQUEST)
        await asyncio.sleep(0)
        assert not transport.ended()
        await listener.stop()

    async def test_one_that_comes_in_one_piece_counts(self, listener: Listener) -> None:
        connection, transport = listener.connect()
        connection.data_received(b"GET /api HTTP/1.1\r\nx: " + b"y" * 1000)
        assert transport.written.startswith(b"HTTP/1.1 431 ")
        await listener.stop()

    async def test_what_stands_before_it_in_its_piece_does_not(self, listener: Listener) -> None:
        connection, transport = listener.connect()
        connection.data_received(b"POST /api HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n")
        connection.data_received(b"x" * 2000 + REQUEST[:10])
        connection.data_received(REQUEST[10:])
        connection.data_received(REQUEST * 40 + REQUEST[:10])
        connection.data_received(REQUEST[10:])
        await asyncio.sleep(0)
        assert not transport.ended()
        await listener.stop()

    async def test_what_is_no_request_is_told_so_in_the_words_of_its_server(self, listener: Listener) -> None:
        connection, transport = listener.connect()
        connection.data_received(b"what?\r\n\r\n")
        head, _, body = transport.written.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert (b"\r\ncontent-type: application/x-test" in head, body) == (
            True,
            b"400 this is no HTTP request: Invalid HTTP request received.",
        )
        await listener.stop()


class TestRoom:
    @pytest.mark.looptime
    async def test_the_one_idle_longest_goes(self, listener: Listener) -> None:
        (first, _), (_, second), (_, third) = [listener.connect() for _ in range(3)]
        await asyncio.sleep(1)
        first.data_received(REQUEST)
        await asyncio.sleep(1)
        _, fourth = listener.connect()
        assert [each.ended() for each in (second, third, fourth)].count("aborted") == 1
        assert not fourth.ended()
        listener.connect()
        assert (second.ended(), third.ended(), fourth.ended()) == ("aborted", "aborted", "")
        await listener.stop()

    async def test_where_none_is_idle_the_new_one_goes(self, listener: Listener) -> None:
        held = [listener.connect() for _ in range(3)]
        for connection, _ in held:
            connection.data_received(b"GET /forever HTTP/1.1\r\nhost: x\r\n\r\n")
        _, late = listener.connect()
        assert late.ended() == "aborted"
        assert not any(transport.ended() for _, transport in held)
        await listener.stop()

    @pytest.mark.parametrize(
        ("soft", "found"),
        [(1024, 896), (20_000, 1000), (100, 16), (resource.RLIM_INFINITY, 1000)],
    )
    def test_no_more_than_the_process_may_have(self, monkeypatch: pytest.MonkeyPatch, soft: int, found: int) -> None:
        monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
        assert connections.affordable(1000) == found
