"""The probe by gRPC: against grpcio's own server where it is there, and against a server that misbehaves."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import pathlib
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import grpcprobe, probes

h2 = pytest.importorskip("h2")
pytest.importorskip("h2.connection")
HOST = "127.64.0.9"
Headers = Sequence[tuple[str, str]]
FINE = [(":status", "200"), ("content-type", "application/grpc")]


def framed(message: bytes) -> bytes:
    return struct.pack(">BI", 0, len(message)) + message


# Trailers, body → what is wrong; None: nothing.
ROWS: list[tuple[dict[str, str], bytes, str | None]] = [
    ({"grpc-status": "0"}, framed(b"\x08\x01"), None),
    ({"grpc-status": "0"}, framed(b"\x08\x02"), 'service unhealthy (responded with "NOT_SERVING")'),
    ({"grpc-status": "0"}, framed(b"\x08\x03"), 'service unhealthy (responded with "SERVICE_UNKNOWN")'),
    ({"grpc-status": "0"}, framed(b""), 'service unhealthy (responded with "UNKNOWN")'),
    ({"grpc-status": "0"}, b"", "error: health rpc probe failed: the answer is no HealthCheckResponse"),
    ({"grpc-status": "0"}, framed(b"\x08\x09"), "error: health rpc probe failed: the answer is no HealthCheckResponse"),
    ({"grpc-status": "0"}, framed(b"\x12\x01"), "error: health rpc probe failed: the answer is no HealthCheckResponse"),
    (
        {"grpc-status": "0"},
        framed(b"\x08\x01")[:-1],
        "error: health rpc probe failed: the answer is no HealthCheckResponse",
    ),
    (
        {"grpc-status": "0"},
        b"\x01" + framed(b"\x08\x01")[1:],
        "error: health rpc probe failed: the answer is no HealthCheckResponse",
    ),
    (
        {"grpc-status": "12", "grpc-message": "unknown service"},
        b"",
        "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service",
    ),
    ({"grpc-status": "5", "grpc-message": "who?"}, b"", "error: health rpc probe failed: grpc-status 5 who?"),
    ({":status": "404"}, b"", "error: health rpc probe failed: no gRPC answer, HTTP status 404"),
]


@pytest.mark.parametrize(("trailers", "body", "wrong"), ROWS)
def test_what_an_answer_means(trailers: dict[str, str], body: bytes, wrong: str | None) -> None:
    answer = grpcprobe.Answer(trailers, body)
    if wrong is None:
        grpcprobe.judge(answer)
        return
    with pytest.raises(grpcprobe.CheckError) as caught:
        grpcprobe.judge(answer)
    assert str(caught.value) == wrong


@given(st.binary(max_size=20))
def test_whatever_comes_back_is_judged(body: bytes) -> None:
    with contextlib.suppress(grpcprobe.CheckError):
        grpcprobe.judge(grpcprobe.Answer({"grpc-status": "0"}, body))
        assert body[5:7] == b"\x08\x01"


@pytest.mark.parametrize(
    ("name", "message"),
    [("", b""), ("live", b"\x0a\x04live"), ("x" * 200, b"\x0a\xc8\x01" + b"x" * 200)],
)
def test_the_request(name: str, message: bytes) -> None:
    assert grpcprobe.request(name) == framed(message)


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "127.0.0.1:9"), ("::1", "[::1]:9")])
def test_addresses(host: str, address: str) -> None:
    assert grpcprobe.Service(host, 9).address == address


# A server in HTTP/2 alone, so that it can misbehave.


class Server:
    """Answers each call by ``reply``, which gets the connection and the stream."""

    def __init__(self, reply: Callable[[Any, int], None]) -> None:
        self.reply = reply
        self.port = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        one: Any = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        one.initiate_connection()
        writer.write(one.data_to_send())
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(4096):
                for event in one.receive_data(chunk):
                    if isinstance(event, h2.events.RequestReceived):
                        self.headers = dict(event.headers)
                    elif isinstance(event, h2.events.DataReceived):
                        self.body += event.data
                    elif isinstance(event, h2.events.StreamEnded):
                        self.reply(one, event.stream_id)
                writer.write(one.data_to_send())
        writer.close()


@contextlib.asynccontextmanager
async def serving(reply: Callable[[Any, int], None]) -> AsyncIterator[Server]:
    one = Server(reply)
    server = await asyncio.start_server(one.handle, HOST, 0)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one


def answers(body: bytes, trailers: Headers) -> Callable[[Any, int], None]:
    def reply(one: Any, stream: int) -> None:
        one.send_headers(stream, FINE)
        one.send_data(stream, body)
        one.send_headers(stream, trailers, end_stream=True)

    return reply


async def outcome(port: int, name: str = "", timeout: float = 5.0) -> str:
    try:
        await grpcprobe.check(grpcprobe.Service(HOST, port, name), timeout)
    except grpcprobe.CheckError as error:
        return str(error)
    return "serving"


async def test_the_call() -> None:
    async with serving(answers(framed(b"\x08\x01"), [("grpc-status", "0")])) as server:
        assert await outcome(server.port, "deep") == "serving"
    assert server.body == framed(b"\x0a\x04deep")
    assert server.headers[":path"] == "/grpc.health.v1.Health/Check"
    assert server.headers["content-type"] == "application/grpc"
    assert server.headers["te"] == "trailers"


async def test_trailers_alone() -> None:
    def reply(one: Any, stream: int) -> None:
        one.send_headers(stream, [*FINE, ("grpc-status", "5"), ("grpc-message", "who")], end_stream=True)

    async with serving(reply) as server:
        assert await outcome(server.port) == "error: health rpc probe failed: grpc-status 5 who"


async def test_a_stream_that_is_reset() -> None:
    async with serving(lambda one, stream: one.reset_stream(stream, 2)) as server:
        assert await outcome(server.port) == "error: health rpc probe failed: the server broke off (HTTP/2 error 2)"


async def test_no_answer_in_time() -> None:
    async with serving(lambda one, stream: None) as server:
        assert await outcome(server.port, timeout=0.05) == "timeout: health rpc did not complete within 0.05s"


async def test_an_answer_without_end() -> None:
    def reply(one: Any, stream: int) -> None:
        one.send_headers(stream, FINE)
        for _ in range(3):
            one.send_data(stream, b"x" * 16_000)

    async with serving(reply) as server:
        assert await outcome(server.port, timeout=0.2) == "timeout: health rpc did not complete within 0.2s"


async def test_an_answer_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpcprobe, "LIMIT", 100)
    async with serving(answers(b"x" * 200, [("grpc-status", "0")])) as server:
        assert await outcome(server.port) == "error: health rpc probe failed: the answer is too long"


async def test_a_server_of_another_protocol() -> None:
    async def http1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(http1, HOST, 0)
    async with server:
        said = await outcome(server.sockets[0].getsockname()[1])
    assert said.startswith("error: health rpc probe failed: ")


async def test_nobody_listens() -> None:
    assert await outcome(1) == f'error: failed to connect service "{HOST}:1": connection refused'


async def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h2.connection", None)
    assert "brickyard[grpc]" in await outcome(1)


async def test_as_a_probe(tmp_path: pathlib.Path) -> None:
    target = probes.Target(HOST, {}, {}, tmp_path, "uid/web/0")
    async with serving(answers(framed(b"\x08\x02"), [("grpc-status", "0")])) as server, probes.Prober() as prober:
        answer = await prober.run({"grpc": {"port": server.port, "service": None}}, target, 5.0)
    assert answer == probes.Answer(False, 'service unhealthy (responded with "NOT_SERVING")')
    assert server.body == framed(b"")


# grpcio's server.


@pytest.fixture
def witness() -> Iterator[int]:
    """A port where ``live`` is serving, ``late`` is not, and others are not known."""
    grpc = pytest.importorskip("grpc")

    def check(request: bytes, context: Any) -> bytes:
        name = request[2:].decode()
        if name not in ("", "live", "late"):
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return b"\x08\x02" if name == "late" else b"\x08\x01"

    methods = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods),))
        port = server.add_insecure_port(f"{HOST}:0")
        server.start()
        yield port
        server.stop(0).wait(10)


async def test_what_grpcio_says(witness: int) -> None:
    assert await outcome(witness) == "serving"
    assert await outcome(witness, "live") == "serving"
    assert await outcome(witness, "late") == 'service unhealthy (responded with "NOT_SERVING")'
    assert await outcome(witness, "other") == "error: health rpc probe failed: grpc-status 5 unknown service"
