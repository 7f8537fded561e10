"""exec and port-forward by the official Python client: its own reading of the same protocols."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import pathlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import kubernetes
import pytest
from kubernetes import stream as streams
from tests.embedded import streaming

from brickyard.embedded.apiserver import settings as api_settings
from brickyard.embedded.kubelet.testing_agent import fetch, python, server

pytestmark = [
    pytest.mark.slow,
    # The library leaves sockets open: of a refused handshake, of a port it has forwarded.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <(ssl.SSLSocket|socket.socket):pytest.PytestUnraisableExceptionWarning"
    ),
]
LISTENS = {"exec": {"command": ["sh", "-c", "grep -q :1F40 /proc/net/tcp"]}, "periodSeconds": 1}


@pytest.fixture
async def machine(tmp_path: pathlib.Path) -> AsyncIterator[streaming.Machine]:
    tuned = api_settings.ApiServerSettings(max_streams=2, stream_idle=1.5)
    async with streaming.machine(tmp_path, tuned) as found:
        yield found


@pytest.fixture
def client(machine: streaming.Machine) -> Iterator[Any]:
    configured: Any = kubernetes.config
    with configured.new_client_from_config(str(machine.api.kubeconfig)) as api:
        yield kubernetes.client.CoreV1Api(api)
    gc.collect()


@contextlib.contextmanager
def talking(client: Any, *command: str, **more: Any) -> Iterator[Any]:
    """A conversation with a command. The library itself never closes one that it has read to its end."""
    options = {"stderr": True, "stdin": False, "stdout": True, "tty": False, **more}
    call = client.connect_get_namespaced_pod_exec
    found = streams.stream(call, "a", "default", command=list(command), _preload_content=False, **options)
    try:
        yield found
    finally:
        found.close()


def said(client: Any, *command: str, **more: Any) -> str:
    """All that a command says."""
    with talking(client, *command, **more) as talk:
        talk.run_forever(timeout=5)
        found: str = talk.read_all()
        return found


async def test_one_command(machine: streaming.Machine, client: Any) -> None:
    await machine.pod()
    assert await asyncio.to_thread(said, client, "sh", "-c", "echo out; echo err >&2") == "out\nerr\n"


async def test_a_conversation(machine: streaming.Machine, client: Any) -> None:
    """v5: the input ends, and the answer still comes."""
    await machine.pod()

    def talk() -> tuple[str, int]:
        with talking(client, "sh", "-c", "read x; echo $x; cat >/dev/null; exit 7", stdin=True) as talk:
            talk.write_stdin("häh\n")
            line = talk.readline_stdout(timeout=5)
            talk.close_channel(0)
            talk.run_forever(timeout=5)
            return line, talk.returncode

    assert await asyncio.to_thread(talk) == ("häh", 7)


async def test_binary(machine: streaming.Machine, client: Any) -> None:
    await machine.pod()

    def talk() -> bytes:
        with talking(client, "cat", stdin=True, binary=True) as talk:
            talk.write_stdin(bytes(range(256)) * 100)
            talk.close_channel(0)
            talk.run_forever(timeout=5)
            found: bytes = talk.read_all()
            return found

    assert await asyncio.to_thread(talk) == bytes(range(256)) * 100


async def test_a_size(machine: streaming.Machine, client: Any) -> None:
    await machine.pod()

    def talk() -> str:
        with talking(client, "sh", stdin=True, tty=True) as talk:
            talk.write_channel(4, '{"Width": 123, "Height": 45}')
            talk.write_stdin("while [ \"$(stty size)\" != '45 123' ]; do sleep 0.05; done; echo size-$((1+1)); exit\n")
            talk.run_forever(timeout=5)
            found: str = talk.read_all()
            return found

    assert "size-2" in await asyncio.to_thread(talk)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda client: said(client, "true", container="other"), "container other is not valid for pod a"),
        (lambda client: said(client, "true", stdout=False, stderr=False), "at least one of stdin, stdout, stderr"),
        (said, "at least one command"),
    ],
)
async def test_refusals(machine: streaming.Machine, client: Any, call: Callable[[Any], Any], says: str) -> None:
    await machine.pod()
    with pytest.raises(kubernetes.client.ApiException) as refused:
        await asyncio.to_thread(call, client)
    assert says in str(refused.value)
    assert "400 Bad Request" in str(refused.value)


async def test_more_streams_than_may_be(machine: streaming.Machine, client: Any) -> None:
    await machine.pod()

    def third() -> None:
        with talking(client, "cat", stdin=True), talking(client, "cat", stdin=True):
            said(client, "true")

    with pytest.raises(kubernetes.client.ApiException, match="429"):
        await asyncio.to_thread(third)
    await machine.gone("cat")
    assert await asyncio.to_thread(said, client, "echo", "again") == "again\n"


async def test_silence_ends_it(machine: streaming.Machine, client: Any) -> None:
    await machine.pod()

    def talk() -> bool:
        with talking(client, "sleep", "1117") as talk:
            talk.run_forever(timeout=8)
            return bool(talk.is_open())

    assert not await asyncio.to_thread(talk)
    await machine.gone("sleep\x001117")


async def test_forwarded_ports(machine: streaming.Machine, client: Any) -> None:
    """One answers, one refuses; neither knows of the other."""
    await fetch(await machine.pod("a", server()))

    def talk() -> tuple[bytes, str]:
        forward = streams.portforward(client.connect_get_namespaced_pod_portforward, "a", "default", ports="8000,9")
        one = forward.socket(8000)
        one.settimeout(5)
        one.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while chunk := one.recv(4096):
            answer += chunk
        refused = forward.socket(9)
        refused.settimeout(5)
        assert refused.recv(1) == b""
        return answer, str(forward.error(9))

    answer, error = await asyncio.to_thread(talk)
    assert answer.endswith(b"hello")
    assert "connection refused" in error


async def test_much_by_one_port(machine: streaming.Machine, client: Any) -> None:
    code = "import os, socket\none, _ = socket.create_server((os.environ['BRICKYARD_POD_IP'], 8000)).accept()\n"
    code += "while data := one.recv(65536): one.sendall(data)"
    await machine.pod("a", python(code, readinessProbe=LISTENS))
    data = bytes(range(256)) * 20_000

    def talk() -> bytes:
        forward = streams.portforward(client.connect_get_namespaced_pod_portforward, "a", "default", ports="8000")
        one = forward.socket(8000)
        one.settimeout(10)
        got = b""
        for at in range(0, len(data), 65536):
            piece = data[at : at + 65536]
            one.sendall(piece)
            while len(got) < at + len(piece):
                got += one.recv(65536)
        one.close()
        return got

    assert await asyncio.to_thread(talk) == data
