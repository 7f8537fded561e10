"""Probes and handlers against real sockets and real commands."""

from __future__ import annotations

import asyncio
import os
import pathlib
import ssl
import sys
from collections.abc import AsyncIterator, Callable

import pytest
import trustme

from brickyard.embedded.kubelet import probes, procfs

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


class Web:
    """A server that answers ``replies``, then always ``reply``, and remembers the requests."""

    def __init__(self) -> None:
        self.reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        self.replies: list[bytes] = []
        self.silent = False
        self.requests: list[bytes] = []
        self.port = 0
        self.release = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if self.silent:
                await self.release.wait()
            else:
                writer.write(self.replies.pop(0) if self.replies else self.reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    one = Web()
    server = await asyncio.start_server(one.handle, "127.64.0.9", 0)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one
        one.release.set()


@pytest.fixture
async def prober() -> AsyncIterator[probes.Prober]:
    async with probes.Prober() as one:
        yield one


def target(tmp_path: pathlib.Path, **ports: int) -> probes.Target:
    return probes.Target(
        "127.64.0.9", ports, {"PATH": os.environ["PATH"], "WHO": "me"}, tmp_path, f"{tmp_path.name}/web/0"
    )


async def http(prober: probes.Prober, web: Web, tmp_path: pathlib.Path, **fields: object) -> probes.Answer:
    return await prober.run({"httpGet": {"port": web.port, **fields}}, target(tmp_path, http=web.port), 5.0)


# HTTP.


@pytest.mark.parametrize(
    ("status", "success"),
    [(200, True), (204, True), (302, True), (399, True), (400, False), (404, False), (503, False)],
)
async def test_status_codes(
    prober: probes.Prober, web: Web, tmp_path: pathlib.Path, status: int, success: bool
) -> None:
    web.reply = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
    answer = await http(prober, web, tmp_path)
    expected = "" if success else f"HTTP probe failed with statuscode: {status}"
    assert answer == probes.Answer(success, expected)


async def test_request_line_and_headers(prober: probes.Prober, web: Web, tmp_path: pathlib.Path) -> None:
    headers = [{"name": "X-Mine", "value": "1"}, {"name": "Host", "value": "somebody"}]
    await http(prober, web, tmp_path, path="health?deep=1", httpHeaders=headers)
    head = web.requests[0].decode().lower()
    assert head.startswith("get /health?deep=1 http/1.1\r\n")
    assert "x-mine: 1\r\n" in head
    assert "\r\nhost: somebody\r\n" in head
    assert "user-agent: kube-probe/" in head


# Headers of the manifest → those that are sent, by the names that matter.
@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ([], [("user-agent", "kube-probe/brickyard"), ("accept", "*/*")]),
        ([("user-agent", "me")], [("user-agent", "me"), ("accept", "*/*")]),
        (
            [("Accept", "text/html"), ("X-A", "")],
            [("user-agent", "kube-probe/brickyard"), ("accept", "text/html"), ("x-a", "")],
        ),
        (
            [("X-A", "1"), ("X-A", "2")],
            [("user-agent", "kube-probe/brickyard"), ("accept", "*/*"), ("x-a", "1"), ("x-a", "2")],
        ),
    ],
)
async def test_headers_replace_ours(
    prober: probes.Prober, web: Web, tmp_path: pathlib.Path, given: list[tuple[str, str]], sent: list[tuple[str, str]]
) -> None:
    await http(prober, web, tmp_path, httpHeaders=[{"name": name, "value": value} for name, value in given])
    lines = [line.partition(": ") for line in web.requests[0].decode().split("\r\n")[1:] if line]
    ours = ("user-agent", "accept", "x-a")
    assert sorted((name.lower(), value) for name, _, value in lines if name.lower() in ours) == sorted(sent)


# Where the redirect points ({} is the server itself), what is there → the answer, how many requests.
@pytest.mark.parametrize(
    ("location", "after", "wrong", "requests"),
    [
        ("/other", 200, "", 2),
        ("/other", 500, "HTTP probe failed with statuscode: 500", 2),
        ("http://127.64.0.9:{}/other", 503, "HTTP probe failed with statuscode: 503", 2),
        ("http://127.64.0.8:{}/other", 500, "", 1),
        ("https://login.example/", 500, "", 1),
    ],
)
async def test_redirects(
    web: Web, tmp_path: pathlib.Path, location: str, after: int, wrong: str, requests: int
) -> None:
    there = location.format(web.port)
    web.replies = [b"HTTP/1.1 302 X\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % there.encode()]
    web.reply = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % after
    async with probes.Prober() as prober:
        assert await http(prober, web, tmp_path) == probes.Answer(not wrong, wrong)
    assert len(web.requests) == requests


async def test_redirects_without_end(prober: probes.Prober, web: Web, tmp_path: pathlib.Path) -> None:
    web.reply = b"HTTP/1.1 307 X\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"
    answer = await http(prober, web, tmp_path, path="/a")
    assert answer == probes.Answer(False, f'Get "http://127.64.0.9:{web.port}/a": stopped after 10 redirects')
    assert len(web.requests) == 10


async def test_a_port_by_its_name(prober: probes.Prober, web: Web, tmp_path: pathlib.Path) -> None:
    assert (await http(prober, web, tmp_path, port="http")).success
    assert (await http(prober, web, tmp_path, port="nope")).message == "the container has no port named 'nope'"


async def test_nobody_listens(prober: probes.Prober, tmp_path: pathlib.Path) -> None:
    answer = await prober.run({"httpGet": {"port": 1, "path": "/x"}}, target(tmp_path), 5.0)
    assert answer == probes.Answer(False, 'Get "http://127.64.0.9:1/x": connection refused')


async def test_no_answer_in_time(prober: probes.Prober, web: Web, tmp_path: pathlib.Path) -> None:
    web.silent = True
    answer = await prober.run({"httpGet": {"port": web.port}}, target(tmp_path), 0.05)
    assert not answer.success
    assert "context deadline exceeded" in answer.message


async def test_an_answer_that_is_no_http(prober: probes.Prober, web: Web, tmp_path: pathlib.Path) -> None:
    web.reply = b"SSH-2.0-OpenSSH\r\n\r\n"
    assert not (await http(prober, web, tmp_path)).success


async def test_a_long_body_is_not_waited_for(prober: probes.Prober, web: Web, tmp_path: pathlib.Path) -> None:
    web.reply = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbeginning"
    assert (await http(prober, web, tmp_path)).success


async def test_a_strange_host_is_no_crash(prober: probes.Prober, web: Web, tmp_path: pathlib.Path) -> None:
    assert not (await http(prober, web, tmp_path, host="not a host")).success


async def test_https_is_not_verified(prober: probes.Prober, tmp_path: pathlib.Path) -> None:
    one = Web()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("elsewhere.example").configure_cert(context)
    server = await asyncio.start_server(one.handle, "127.64.0.9", 0, ssl=context)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        assert (await http(prober, one, tmp_path, scheme="HTTPS")).success


# TCP.


async def test_a_connection_is_enough(prober: probes.Prober, web: Web, tmp_path: pathlib.Path) -> None:
    assert (await prober.run({"tcpSocket": {"port": web.port}}, target(tmp_path), 5.0)).success
    refused = await prober.run({"tcpSocket": {"port": "1"}}, target(tmp_path), 5.0)
    assert refused.message == "dial tcp 127.64.0.9:1: connect: connection refused"
    assert not (await prober.run({"tcpSocket": {"port": "nope"}}, target(tmp_path), 5.0)).success


# Commands.


async def run(prober: probes.Prober, tmp_path: pathlib.Path, *argv: str, timeout: float = 10.0) -> probes.Answer:
    return await prober.run({"exec": {"command": list(argv)}}, target(tmp_path), timeout)


def left(tmp_path: pathlib.Path) -> list[procfs.Entry]:
    return procfs.strays({tmp_path.name}, ())


async def test_exit_code_decides(prober: probes.Prober, tmp_path: pathlib.Path) -> None:
    assert await run(prober, tmp_path, "true") == probes.Answer(True)
    assert await run(prober, tmp_path, "false") == probes.Answer(False, "command 'false' exited with code 1")


async def test_output_is_the_message(prober: probes.Prober, tmp_path: pathlib.Path) -> None:
    assert (await run(prober, tmp_path, "sh", "-c", "echo why; echo not >&2; exit 3")).message == "why\nnot"


async def test_a_command_runs_in_the_containers_world(prober: probes.Prober, tmp_path: pathlib.Path) -> None:
    answer = await run(prober, tmp_path, "sh", "-c", "echo $WHO; pwd; exit 1")
    assert answer.message.split() == ["me", str(tmp_path)]


async def test_endless_output_is_bounded(prober: probes.Prober, tmp_path: pathlib.Path) -> None:
    code = "import sys; sys.stdout.write('x' * 1000000); sys.exit(1)"
    assert len((await run(prober, tmp_path, sys.executable, "-c", code)).message) == probes.OUTPUT_LIMIT


async def test_a_command_that_takes_too_long_is_killed(prober: probes.Prober, tmp_path: pathlib.Path) -> None:
    answer = await run(prober, tmp_path, "sh", "-c", "sleep 60 & sleep 60", timeout=0.1)
    assert answer == probes.Answer(False, "command 'sh' timed out after 0.1 s")
    async with asyncio.timeout(5):
        while left(tmp_path):
            await asyncio.sleep(0.005)


async def test_a_grandchild_that_holds_the_pipe_does_not_hold_us(prober: probes.Prober, tmp_path: pathlib.Path) -> None:
    answer = await run(prober, tmp_path, "sh", "-c", "sleep 60 & echo started", timeout=0.5)
    assert not answer.success
    async with asyncio.timeout(5):
        while left(tmp_path):
            await asyncio.sleep(0.005)


async def test_a_missing_command_is_said(prober: probes.Prober, tmp_path: pathlib.Path) -> None:
    assert "no-such-thing" in (await run(prober, tmp_path, "no-such-thing")).message
    assert not (await run(prober, tmp_path)).success


async def test_a_cancelled_command_leaves_nothing(prober: probes.Prober, tmp_path: pathlib.Path) -> None:
    task = asyncio.create_task(run(prober, tmp_path, "sleep", "60"))
    async with asyncio.timeout(5):
        while not left(tmp_path):
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert left(tmp_path) == []


# Others.


async def test_sleep_is_bounded_by_the_timeout(prober: probes.Prober, tmp_path: pathlib.Path) -> None:
    assert (await prober.run({"sleep": {"seconds": 60}}, target(tmp_path), 0.01)).success


IMPOSSIBLE = [
    {"tcpSocket": {"host": "a..b", "port": 1}},
    {"tcpSocket": {"port": "70000"}},
    {"httpGet": {"port": 1, "httpHeaders": [{"name": "X-Name", "value": "Zoë"}]}},
    {"httpGet": {"port": 1, "host": "a..b"}},
    {"httpGet": {"port": "70000"}},
    {"exec": {"command": ["echo", "a\0b"]}},
]


@pytest.mark.parametrize("action", IMPOSSIBLE)
async def test_what_cannot_be_sent_is_an_answer(
    prober: probes.Prober, tmp_path: pathlib.Path, action: dict[str, object]
) -> None:
    answer = await prober.run(action, target(tmp_path), 1.0)
    assert not answer.success
    assert answer.message


@pytest.mark.parametrize("action", [{"nothing": {"port": 1}}, {}])
async def test_what_is_not_supported_is_said(
    prober: probes.Prober, tmp_path: pathlib.Path, action: dict[str, object]
) -> None:
    answer = await prober.run(action, target(tmp_path), 1.0)
    assert not answer.success
    assert "use httpGet, tcpSocket, grpc or exec" in answer.message
