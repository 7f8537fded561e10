"""Fakes of this room, with plain-field knobs: a director that does as it is told, an endpoint that answers by script, a raw client."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Self, cast

import orjson

from brickyard.gateway import contract
from brickyard.routing import contract as routing

MODEL: Final = "tiny"
_RESET: Final = struct.pack("ii", 1, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class FirstOf:
    """A picker that takes the first row."""

    name: str = "first"

    def pick(self, rows: Sequence[int], totals: Sequence[float], rng: routing.Random) -> int:
        return rows[0]


PROFILE: Final = routing.Profile("fake", (), (), FirstOf())


class FakeLease:
    """Counts itself among its director's open leases, and how often it was released."""

    def __init__(self, director: FakeDirector, key: str = "") -> None:
        self._director = director
        self.key = key
        self.releases = 0
        self.usage: routing.Usage | None = None

    def answered(self) -> None:
        self._director.answered.append(self.key)

    def release(self, usage: routing.Usage | None = None) -> None:
        self.releases += 1
        self.usage = self.usage or usage
        self._director.open_leases.discard(self)


@dataclasses.dataclass
class FakeReservation:
    """Remembers how it ended: the tokens settled, or that it was cancelled."""

    settled: list[int] = dataclasses.field(default_factory=list)
    cancels: int = 0

    def settle(self, tokens: int) -> None:
        self.settled.append(tokens)

    def cancel(self) -> None:
        self.cancels += 1


class FakeGate:
    """Lets everyone in as ``user``.

    Attributes:
        admission: what they get. refusal: raised instead, when set. held: waited for first, when set.
        asked: the requests it saw.
    """

    def __init__(self, **given: Any) -> None:
        self.reservation = FakeReservation()
        self.admission = contract.Admission("ann", self.reservation, **given)
        self.refusal: Exception | None = None
        self.held: asyncio.Event | None = None
        self.asked: list[tuple[routing.Request, int | None]] = []

    def concerns(self, notes: Mapping[bytes, bytes], model_rps: int | None) -> bool:
        return b"user" in notes or model_rps is not None

    async def admit(
        self, notes: Mapping[bytes, bytes], request: routing.Request, model_rps: int | None
    ) -> contract.Admission:
        self.asked.append((request, model_rps))
        if self.held is not None:
            await self.held.wait()
        if self.refusal is not None:
            raise self.refusal
        return self.admission


class FakeDirector:
    """Chooses the first endpoint that is not excluded.

    Attributes:
        endpoints: by model.
        unready: models that are known and have no endpoint; the value is the reason.
        rps: requests per second by model.
        bad_request: when set, every choice is refused as the request's own fault, for this reason.
        room: leases that an endpoint may have open before it counts as full; 0: any number.
        rotate: start each choice one endpoint further on.
        open_leases, failures, records: what it was told.
    """

    def __init__(self, *endpoints: routing.Endpoint) -> None:
        self.endpoints: dict[str, list[routing.Endpoint]] = {}
        for each in endpoints:
            self.endpoints.setdefault(each.model, []).append(each)
        self.unready: dict[str, str] = {}
        self.rps: dict[str, int] = {}
        self.bad_request = ""
        self.rotate = False
        self.room = 0
        self.open_leases: set[FakeLease] = set()
        self.leases: list[FakeLease] = []
        self.failures: list[str] = []
        self.answered: list[str] = []
        self.records: list[tuple[routing.Decision | routing.NoDecision, contract.Outcome]] = []
        self._turn = 0

    def models(self) -> Sequence[contract.ModelCard]:
        ready = [contract.ModelCard(name, 1, "fake", len(rows)) for name, rows in self.endpoints.items()]
        return ready + [contract.ModelCard(name, 1, "fake", 0) for name in self.unready]

    def strategies(self) -> Sequence[str]:
        return ("fake",)

    def knows(self, model: str) -> bool:
        return model in self.endpoints or model in self.unready

    def choose(self, request: routing.Request) -> routing.Decision | routing.NoDecision:
        rows = tuple(self.endpoints.get(request.model, ()))
        some = len(rows)
        snapshot = routing.EndpointSnapshot(rows, (0,) * some, (None,) * some, (float("inf"),) * some, 1)
        removed = {row: "excluded" for row, each in enumerate(rows) if each.key in request.excluded}
        held = collections.Counter(lease.key for lease in self.open_leases) if self.room else {}
        full = {
            row: "full" for row, each in enumerate(rows) if row not in removed and held.get(each.key, 0) >= self.room
        }
        removed |= full if self.room else {}
        left = [row for row in range(some) if row not in removed]
        if self.bad_request:
            return routing.NoDecision(request, snapshot, removed, self.bad_request, 0.0, bad_request=True)
        if not left:
            return routing.NoDecision(
                request,
                snapshot,
                removed,
                "all are full" if self.room and full else self.unready.get(request.model, "all were tried"),
                0.0,
                saturated=bool(self.room and full),
            )
        self._turn += 1
        chosen = rows[left[self._turn % len(left) if self.rotate else 0]]
        return routing.Decision(request, chosen, PROFILE, snapshot, left, routing.UNJUDGED, removed, 0.0)

    def model_rps(self, request: routing.Request) -> int | None:
        return self.rps.get(request.model)

    def lease(self, decision: routing.Decision) -> contract.Lease:
        lease = FakeLease(self, decision.endpoint.key)
        self.open_leases.add(lease)
        self.leases.append(lease)
        return lease

    def report_failure(self, endpoint: routing.Endpoint) -> None:
        self.failures.append(endpoint.key)

    def record(self, decision: routing.Decision | routing.NoDecision, outcome: contract.Outcome) -> None:
        self.records.append((decision, outcome))

    def summary(self) -> Sequence[dict[str, object]]:
        return [{"id": each.id} for each in self.models()]

    def explain(self, request_id: str) -> dict[str, object] | None:
        for decision, outcome in reversed(self.records):
            if request_id in ("", decision.request.id):
                return {"id": decision.request.id, "status": outcome.status, "attempts": outcome.attempts}
        return None


def endpoint(port: int, name: str = "a", model: str = MODEL) -> routing.Endpoint:
    """An endpoint on this machine."""
    return routing.Endpoint(f"default/{name}:{port}", "default", name, "127.0.0.1", port, model, "sim")


# An endpoint that answers by script.


@dataclasses.dataclass(frozen=True, slots=True)
class Close:
    """End the connection in order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reset:
    """End the connection with a reset."""


@dataclasses.dataclass(frozen=True, slots=True)
class Hold:
    """Wait until the test sets ``event``."""

    event: asyncio.Event


Step = bytes | Close | Reset | Hold


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """One request as an endpoint got it: ``head`` is raw, ``connection`` counts from 1."""

    head: bytes
    body: bytes
    connection: int

    @property
    def headers(self) -> dict[str, str]:
        """Fields by lower-case name; of several with one name the last."""
        pairs = (line.partition(":") for line in self.head.decode("latin-1").split("\r\n")[1:] if line)
        return {name.lower(): value.strip() for name, _, value in pairs}


Script = Callable[[Received], Iterable[Step]]


def reply(
    body: bytes = b'{"ok":true}', status: str = "200 OK", headers: str = "content-type: application/json"
) -> bytes:
    """A response with Content-Length."""
    extra = f"{headers}\r\n" if headers else ""
    return f"HTTP/1.1 {status}\r\n{extra}content-length: {len(body)}\r\n\r\n".encode() + body


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


EVENTS: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"


class ScriptedEndpoint:
    """An engine double on a real socket: ``async with ScriptedEndpoint(script) as engine``.

    Attributes:
        script: what to send for a request.
        requests: what came.
        connections: how many were accepted.
        open: how many are open now.
        greeting: sent as soon as a connection is accepted.
    """

    def __init__(self, script: Script | None = None) -> None:
        self.script: Script = script or (lambda _request: [reply()])
        self.requests: list[Received] = []
        self.connections = 0
        self.open = 0
        self.greeting: tuple[Step, ...] = ()
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self.open += 1
        try:
            await self._serve(reader, writer, self.connections)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        going = await self._play(self.greeting, writer)
        while going:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(Received(head, b"", number).headers.get("content-length", "0"))
            request = Received(head, await reader.readexactly(length), number)
            self.requests.append(request)
            going = await self._play(self.script(request), writer)

    async def _play(self, steps: Iterable[Step], writer: asyncio.StreamWriter) -> bool:
        for step in steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, Hold):
                await step.event.wait()
            else:
                if isinstance(step, Reset):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    writer.transport.abort()
                return False
        return True


# A client that sends exactly what it is told to.


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """What a client read: ``body`` has its chunked framing off; ``complete`` is False when the connection ended within it."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool = True

    def error(self) -> dict[str, str | None]:
        """The OpenAI error object."""
        found: dict[str, str | None] = orjson.loads(self.body)["error"]
        return found


class RawClient:
    """One connection, bytes in and responses out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        """Write; the loop sends."""
        self.writer.write(data)

    def pause(self) -> None:
        """Take no more bytes."""
        cast("asyncio.Transport", self.writer.transport).pause_reading()

    def resume(self) -> None:
        """Take bytes again."""
        cast("asyncio.Transport", self.writer.transport).resume_reading()

    def reset(self) -> None:
        """End the connection with a reset."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.writer.transport.abort()

    async def read(self, *, head_only: bool = False) -> Response:
        """The next final response; interim ones are skipped. Raises IncompleteReadError when there is none."""
        while True:
            head = await self.reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ")[1])
            if status >= 200:
                break
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        if head_only or status in (204, 304):
            return Response(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            body, complete = await self._read_chunks()
        elif "content-length" in headers:
            length = int(headers["content-length"])
            body = await self._read_up_to(length)
            complete = len(body) == length
        else:
            body, complete = await self._read_to_end()
        return Response(status, headers, body, complete)

    async def _read_chunks(self) -> tuple[bytes, bool]:
        body = b""
        try:
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            while await self.reader.readuntil(b"\r\n") != b"\r\n":
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            return body, False
        return body, True

    async def _read_up_to(self, length: int) -> bytes:
        try:
            return await self.reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            return error.partial

    async def _read_to_end(self) -> tuple[bytes, bool]:
        body = b""
        try:
            while data := await self.reader.read(65536):
                body += data
        except ConnectionError:
            return body, False
        return body, True

    async def at_end(self) -> bool:
        """Wait for the connection to end; whether nothing came before that."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True


@contextlib.asynccontextmanager
async def connect(port: int) -> AsyncIterator[RawClient]:
    """A client connected to ``port`` on this machine."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def post(body: object = None, headers: str = "", path: str = "/v1/chat/completions") -> bytes:
    """A request with Content-Length; ``body`` is JSON unless bytes, a chat with ``MODEL`` when None."""
    if body is None:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    extra = f"{headers}\r\n" if headers else ""
    return f"POST {path} HTTP/1.1\r\nhost: gateway\r\n{extra}content-length: {len(data)}\r\n\r\n".encode() + data


def get(path: str, headers: str = "", method: str = "GET") -> bytes:
    """A request without body."""
    extra = f"{headers}\r\n" if headers else ""
    return f"{method} {path} HTTP/1.1\r\nhost: gateway\r\n{extra}\r\n".encode()
