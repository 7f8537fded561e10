"""What a client may take of the server beside its requests."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import orjson
import pytest
import uvicorn
from uvicorn import server as uvicorn_server

from brickyard.embedded.apiserver import connections, settings, testing

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


class Listener:
    """Takes connections as uvicorn does."""

    def __init__(self, bounds: connections.Bounds = BOUNDS) -> None:
        self.config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_keep_alive=600)
        self.state = uvicorn_server.ServerState()
        self.kind = connections.bounded(bounds)

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
        status = orjson.loads(transport.written.partition(b"\r\n\r\n")[2])
        assert (status["kind"], status["code"]) == ("Status", 431)
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

    async def test_what_is_no_request_gets_a_status_too(self, listener: Listener) -> None:
        connection, transport = listener.connect()
        connection.data_received(b"what?\r\n\r\n")
        head, _, body = transport.written.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert orjson.loads(body)["reason"] == "BadRequest"
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
