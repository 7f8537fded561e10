"""Servers on real sockets: where they listen, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trustme
import uvicorn

from brickyard.lib import listening

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Application:
    """Answers ``ok``; under ``/slow`` once it may."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        del receive
        if scope["path"] == "/slow":
            self.asked.set()
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def serving(application: Any, *, tls: ssl.SSLContext | None = None, **more: Any) -> AsyncIterator[int]:
    with contextlib.closing(listening.bind("127.0.0.1", 0, 16)) as listener:
        config = listening.configuration(application, **({"grace": 1} | more))
        config.load()
        config.ssl = tls
        async with listening.listening(config, listener, "test"):
            yield int(listener.getsockname()[1])


async def said(port: int, request: bytes = REQUEST, **more: Any) -> bytes:
    """The answer, as far as it came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **more)
    with contextlib.suppress(ConnectionError):
        writer.write(request)
        head = await asyncio.wait_for(reader.read(4096), 10)
        writer.transport.abort()
        return head
    return b""


class TestBind:
    def test_it_listens_where_it_should(self) -> None:
        with contextlib.closing(listening.bind("127.0.0.1", 0, 1)) as listener:
            host, port = listener.getsockname()
            assert (host, listener.getblocking()) == ("127.0.0.1", False)
            assert listening.url(listener) == f"http://127.0.0.1:{port}"
            with contextlib.closing(socket.create_connection((host, port), 5)):
                pass

    def test_without_a_backlog_it_only_takes_the_address(self) -> None:
        with contextlib.closing(listening.bind("127.0.0.1", 0)) as listener, socket.socket() as client:
            assert client.connect_ex(listener.getsockname()) == errno.ECONNREFUSED

    def test_addresses_of_the_newer_kind(self) -> None:
        with contextlib.closing(listening.bind("::1", 0, 1)) as listener:
            assert listening.url(listener, "https") == f"https://[::1]:{listener.getsockname()[1]}"

    def test_a_port_that_is_taken(self) -> None:
        with contextlib.closing(listening.bind("127.0.0.1", 0, 1)) as first, pytest.raises(OSError, match="in use"):
            listening.bind("127.0.0.1", first.getsockname()[1], 1)

    @pytest.mark.parametrize(
        ("host", "port", "why"),
        [
            ("127.0.0.1", 65536, "numbers from 0 to 65535"),
            ("127.0.0.1", -1, "numbers from 0 to 65535"),
            ("203.0.113.1", 0, "assign"),
            ("no.such.host.invalid", 0, r"\w"),
            ("a\0b", 0, "no name of a host"),
        ],
    )
    def test_what_is_no_address(self, host: str, port: int, why: str) -> None:
        with pytest.raises(OSError, match=why):
            listening.bind(host, port, 1)


class TestServing:
    async def test_requests_are_answered_inside_and_refused_after(self) -> None:
        async with serving(Application()) as port:
            assert (await said(port)).endswith(b"\r\n\r\nok")
        with pytest.raises(ConnectionRefusedError):
            await said(port)

    async def test_answers_have_a_date(self) -> None:
        async with serving(Application()) as port:
            assert b"\r\ndate: " in await said(port)

    async def test_signals_stay_with_the_process(self) -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        async with serving(Application()):
            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before

    async def test_a_server_that_cannot_start_says_why(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def startup(*_: object, **__: object) -> None:
            raise OSError(errno.ENFILE, "too many files")

        monkeypatch.setattr(uvicorn.Server, "startup", startup)
        with pytest.raises(OSError, match="too many files"):
            async with serving(Application()):
                pytest.fail("it serves")

    async def test_a_server_that_does_not_start_is_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def startup(*_: object, **__: object) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(uvicorn.Server, "startup", startup)
        monkeypatch.setattr(listening, "START", 0.01)
        monkeypatch.setattr(listening, "OVERDUE", 0.01)
        with pytest.raises(TimeoutError):
            async with serving(Application(), grace=0):
                pytest.fail("it serves")


class TestEnd:
    async def test_what_is_under_way_is_finished(self) -> None:
        application = Application()

        async def finish() -> bytes:
            asked = asyncio.create_task(said(port, REQUEST.replace(b" / ", b" /slow ")))
            await asyncio.wait_for(application.asked.wait(), 10)
            asyncio.get_running_loop().call_later(0.05, application.release.set)
            return await asked

        async with serving(application, grace=30) as port:
            asked = asyncio.create_task(finish())
            await asyncio.wait_for(application.asked.wait(), 10)
        assert (await asked).endswith(b"ok")

    async def test_what_does_not_end_in_time_is_dropped(self) -> None:
        application = Application()
        async with serving(application) as port:
            asked = asyncio.create_task(said(port, REQUEST.replace(b" / ", b" /slow ")))
            await asyncio.wait_for(application.asked.wait(), 10)
        assert application.cancelled
        assert b"200" not in await asked

    async def test_clients_that_do_not_answer_a_goodbye_hold_nothing_up(self) -> None:
        authority = trustme.CA()
        context, trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.configure_trust(trust)
        async with serving(Application(), tls=context, grace=60) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
            writer.write(REQUEST)
            assert await reader.readuntil(b"ok")
            assert isinstance(writer.transport, asyncio.Transport)
            writer.transport.pause_reading()  # from here on it hears nothing
            begun = time.monotonic()
        assert time.monotonic() - begun < 20
        writer.transport.abort()

    async def test_the_body_may_fail(self) -> None:
        with pytest.raises(ZeroDivisionError):
            async with serving(Application()) as port:
                raise ZeroDivisionError
        with pytest.raises(ConnectionRefusedError):
            await said(port)

    async def test_who_is_cancelled_ends_it(self) -> None:
        up = asyncio.Event()
        ports: list[int] = []

        async def serve() -> None:
            async with serving(Application()) as port:
                ports.append(port)
                up.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(serve())
        await asyncio.wait_for(up.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ConnectionRefusedError):
            await said(ports[0])
