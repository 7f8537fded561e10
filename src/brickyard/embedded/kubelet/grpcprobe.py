"""The probe by gRPC: ``Check`` of ``grpc.health.v1.Health``, one unary call without TLS.

HTTP/2 is ``h2``'s (the extra ``grpc``); the messages are one field each, so that no protobuf library is needed:

    request   { string service = 1; }        answer   { ServingStatus status = 1; }

What an answer means, as the kubelet says it:

    status SERVING                          success
    another status                          service unhealthy (responded with "NOT_SERVING")
    grpc-status 12, UNIMPLEMENTED           this server does not implement the grpc health protocol
    any other grpc-status, a broken call    health rpc probe failed
    no connection                           failed to connect service
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib
import struct
from typing import Any

_SERVING = "SERVING"
_STATUSES = ("UNKNOWN", _SERVING, "NOT_SERVING", "SERVICE_UNKNOWN")
_UNIMPLEMENTED = "12"
_PATH = "/grpc.health.v1.Health/Check"
_CHUNK = 16 * 1024
LIMIT = 64 * 1024
"""Bytes of an answer that are read."""


class CheckError(Exception):
    """The service is not healthy, or cannot be asked; the text is the kubelet's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """Whom to ask. ``name`` "" is the server as a whole."""

    host: str
    port: int
    name: str = ""

    @property
    def address(self) -> str:
        """As URLs write it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def check(service: Service, timeout: float) -> None:
    """Ask once; return if the service is serving.

    Raises:
        CheckError: it is not, or does not say so within ``timeout`` seconds.
    """
    h2 = _library()
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await _connect(service)
            try:
                answer = await _Call(h2, reader, writer).run(service)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except TimeoutError as error:
        raise CheckError(f"timeout: health rpc did not complete within {timeout:g}s") from error
    except (OSError, EOFError, h2.exceptions.ProtocolError) as error:
        raise CheckError(f"error: health rpc probe failed: {error or type(error).__name__}") from error
    judge(answer)


def _library() -> Any:
    try:
        importlib.import_module("h2.connection")
        return importlib.import_module("h2")
    except ImportError as error:
        text = "error: a probe by grpc needs the extra: pip install 'brickyard[grpc]'"
        raise CheckError(text) from error


async def _connect(service: Service) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await asyncio.open_connection(service.host, service.port)
    except OSError as error:
        words = "connection refused" if isinstance(error, ConnectionRefusedError) else str(error)
        raise CheckError(f'error: failed to connect service "{service.address}": {words}') from error


@dataclasses.dataclass(slots=True)
class Answer:
    """What came back: headers and trailers in one, and the body."""

    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""


def judge(answer: Answer) -> None:
    """Raise unless ``answer`` says SERVING. Pure.

    Raises:
        CheckError: it says something else.
    """
    code = answer.headers.get("grpc-status", "")
    told = answer.headers.get("grpc-message", "")
    if code == _UNIMPLEMENTED:
        text = "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)"
        raise CheckError(f"{text}: {told}" if told else text)
    if code != "0":
        status = answer.headers.get(":status", "")
        what = f"grpc-status {code}" if code else f"no gRPC answer, HTTP status {status}"
        raise CheckError(f"error: health rpc probe failed: {what} {told}".rstrip())
    try:
        status = _status(answer.body)
    except (ValueError, IndexError, struct.error) as error:
        raise CheckError("error: health rpc probe failed: the answer is no HealthCheckResponse") from error
    if status != _SERVING:
        raise CheckError(f'service unhealthy (responded with "{status}")')


def request(name: str) -> bytes:
    """A HealthCheckRequest in its gRPC frame."""
    text = name.encode()
    message = b"\x0a" + _varint(len(text)) + text if text else b""
    return struct.pack(">BI", 0, len(message)) + message


def _varint(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])


def _status(body: bytes) -> str:
    compressed, length = struct.unpack_from(">BI", body)
    message = body[5 : 5 + length]
    if compressed or len(message) < length:
        raise ValueError("compressed, or cut short")
    # Only field 1 is known of this message; a default value is left out.
    if not message:
        return _STATUSES[0]
    if message[0] != 0x08:
        raise ValueError("not a status")
    return _STATUSES[message[1]]


class _Call:
    """One call on a connection of its own."""

    def __init__(self, h2: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self._events = h2.events
        self._connection = h2.connection.H2Connection(config)
        self._reader = reader
        self._writer = writer
        self._answer = Answer()
        self._ended = False

    async def run(self, service: Service) -> Answer:
        """Send the request and read until the stream ends."""
        self._connection.initiate_connection()
        stream = self._connection.get_next_available_stream_id()
        self._connection.send_headers(stream, _headers(service))
        self._connection.send_data(stream, request(service.name), end_stream=True)
        await self._flush()
        while not self._ended:
            chunk = await self._reader.read(_CHUNK)
            if not chunk:
                raise EOFError("the connection was closed")
            for event in self._connection.receive_data(chunk):
                self._take(event)
            await self._flush()
        return self._answer

    def _take(self, event: Any) -> None:
        kinds = self._events
        if isinstance(event, kinds.ResponseReceived | kinds.TrailersReceived):
            self._answer.headers.update(event.headers)
        elif isinstance(event, kinds.DataReceived):
            self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self._answer.body += event.data
            if len(self._answer.body) > LIMIT:
                raise EOFError("the answer is too long")
        elif isinstance(event, kinds.StreamReset | kinds.ConnectionTerminated):
            what = f"the server broke off (HTTP/2 error {int(event.error_code or 0)})"
            raise CheckError(f"error: health rpc probe failed: {what}")
        elif isinstance(event, kinds.StreamEnded):
            self._ended = True

    async def _flush(self) -> None:
        self._writer.write(self._connection.data_to_send())
        await self._writer.drain()


def _headers(service: Service) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", _PATH),
        (":authority", service.address),
        ("content-type", "application/grpc"),
        ("user-agent", "kube-probe/brickyard"),
        ("te", "trailers"),
    ]
