"""Commands beside containers, their ends, and connections to pods: real processes, no API server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import signal
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from brickyard.api.kinds import podstreams
from brickyard.embedded.kubelet import procfs
from brickyard.embedded.kubelet.streams import children, commands, descriptors, forwarding
from brickyard.embedded.kubelet.testing import container, pod
from brickyard.embedded.kubelet.testing_agent import House, eventually, python, ready, state

SLEEPER = "import time; time.sleep(1000)"
ALL = podstreams.CommandQuery("default", "a", stdin=True, stdout=True, stderr=True)


class Client:
    """Says ``said``, then, if it ``ends``, that this was all; keeps what it hears."""

    def __init__(self, *said: bytes | podstreams.Size, ends: bool = True) -> None:
        self._said = said
        self._ends = ends
        self.heard: dict[podstreams.Output, bytes] = dict.fromkeys(podstreams.Output, b"")
        self.news = asyncio.Event()

    async def input(self) -> AsyncIterator[bytes | podstreams.Size]:
        for each in self._said:
            yield each
        if not self._ends:
            await asyncio.Event().wait()

    async def output(self, source: podstreams.Output, data: bytes) -> None:
        self.heard[source] += data
        self.news.set()

    @property
    def out(self) -> bytes:
        return self.heard[podstreams.Output.STDOUT]

    @property
    def err(self) -> bytes:
        return self.heard[podstreams.Output.STDERR]


def session(
    *argv: str, query: podstreams.CommandQuery = ALL, cwd: pathlib.Path | None = None, lives: bool = True
) -> commands.CommandSession:
    async def make() -> children.Command:
        env = {"PATH": os.environ["PATH"], procfs.COOKIE: f"test-{os.getpid()}/c/0"}
        return children.Command(argv, env, cwd or pathlib.Path("/"), query)

    return commands.CommandSession(make, lambda: lives)


class TestCommands:
    async def test_input_outputs_and_exit_code(self, tmp_path: pathlib.Path) -> None:
        client = Client(b"one\n", b"two\n")
        code = await session("sh", "-c", "pwd; cat >&2; exit 9", cwd=tmp_path).run(client)
        assert (code, client.out, client.err) == (9, f"{tmp_path}\n".encode(), b"one\ntwo\n")

    async def test_death_by_a_signal(self) -> None:
        assert await session("sh", "-c", "kill -KILL $$").run(Client()) == 137

    async def test_what_is_not_asked_for_goes_nowhere(self) -> None:
        query = dataclasses.replace(ALL, stdin=False, stderr=False)
        client = Client(b"unheard")
        assert await session("sh", "-c", "cat; echo out; echo err >&2", query=query).run(client) == 0
        assert (client.out, client.err) == (b"out\n", b"")

    async def test_a_terminal(self) -> None:
        """One output, a size, an end of input; its session leader has it, and signals are as they should be."""
        query = dataclasses.replace(ALL, tty=True, stderr=False)
        words = "stty -echo; tty >/dev/null && stty size && : >/dev/tty && cat >/dev/null; echo err >&2; exit 4"
        client = Client(podstreams.Size(99, 33), b"typed\n")
        code = await session(
            "sh", "-c", f"while [ \"$(stty size)\" != '33 99' ]; do :; done; {words}", query=query
        ).run(client)
        assert code == 4
        assert b"33 99" in client.out
        assert client.out.endswith(b"err\r\n")

    async def test_the_environment_of_a_terminal_is_the_containers(self) -> None:
        query = dataclasses.replace(ALL, tty=True, stderr=False)
        client = Client(ends=False)
        assert await session("env", query=query).run(client) == 0
        assert {line.split(b"=")[0] for line in client.out.split()} == {b"PATH", b"TERM", procfs.COOKIE.encode()}

    @pytest.mark.parametrize("tty", [True, False])
    async def test_a_missing_program(self, tty: bool) -> None:
        query = dataclasses.replace(ALL, tty=tty)
        with pytest.raises(podstreams.StreamFailed, match="no-such-program"):
            await session("no-such-program", query=query).run(Client())
        with pytest.raises(podstreams.StreamFailed, match="cannot be run"):
            await session("sh", "a\0b", query=query).run(Client())

    async def test_no_descriptor_is_left(self) -> None:
        before = sorted(os.listdir("/proc/self/fd"))
        for tty in (True, False):
            query = dataclasses.replace(ALL, tty=tty)
            await session("true", query=query).run(Client())
            with contextlib.suppress(podstreams.StreamFailed):
                await session("no-such-program", query=query).run(Client())
            await _cancelled(session("sleep", "1000", query=query), Client(ends=False))
        assert sorted(os.listdir("/proc/self/fd")) == before

    async def test_a_container_that_ends_takes_it_along(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(commands, "LOOK_EVERY", 0.01)
        alive = [True] * 3
        waits = session("sleep", "1000")
        waits._alive = lambda: bool(alive) and alive.pop()
        assert await waits.run(Client(ends=False)) == 137

    async def test_a_container_that_is_gone_already(self) -> None:
        with pytest.raises(podstreams.StreamFailed, match="has ended"):
            await session("sleep", "1000", lives=False).run(Client())

    async def test_silence_after_the_end_is_the_end(self) -> None:
        """What it left behind holds its output open, and is left alone."""
        client = Client()
        assert await session("sh", "-c", "sleep 1000 & echo $!").run(client) == 0
        left = int(client.out)
        assert procfs.entry(left) is not None
        os.kill(left, signal.SIGKILL)

    async def test_all_that_was_written_arrives(self) -> None:
        client = Client()
        assert await session("sh", "-c", "head -c 3000000 /dev/zero").run(client) == 0
        assert len(client.out) == 3_000_000


async def _cancelled(running: commands.CommandSession, client: Client) -> None:
    task = asyncio.create_task(running.run(client))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class TestDescriptors:
    async def test_a_sink_waits_for_room(self) -> None:
        theirs, ours = os.pipe()
        sink = descriptors.Sink(ours)
        writing = asyncio.create_task(sink.write(b"x" * 300_000))
        source = descriptors.Source(theirs)
        got = b""
        while len(got) < 300_000:
            got += await source.read()
        assert await writing
        sink.close()
        assert await source.read() == b""
        source.close()
        source.close()

    async def test_a_sink_that_nobody_reads_any_more(self) -> None:
        theirs, ours = os.pipe()
        os.close(theirs)
        sink = descriptors.Sink(ours)
        assert not await sink.write(b"x")
        assert not await sink.write(b"y")
        sink.resize(podstreams.Size(1, 1))


class TestForwarding:
    async def test_there_and_back(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            forwarder = forwarding.PodForwarder("a", lambda: "127.0.0.1")
            connection = await forwarder.connect(listener.getsockname()[1])
            there, _ = await asyncio.get_running_loop().sock_accept(listener)
            with there:
                await connection.write(b"ping")
                connection.end()
                loop = asyncio.get_running_loop()
                assert [await loop.sock_recv(there, 100), await loop.sock_recv(there, 100)] == [b"ping", b""]
                there.sendall(b"pong")
                assert await connection.read() == b"pong"
            assert await connection.read() == b""
            await connection.close()
            await connection.close()

    async def test_nobody_listens(self) -> None:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            forwarder = forwarding.PodForwarder("a", lambda: "127.0.0.1")
            with pytest.raises(podstreams.StreamFailed, match=r"to pod a: dial tcp .* connection refused"):
                await forwarder.connect(held.getsockname()[1])

    async def test_the_pod_is_gone(self) -> None:
        with pytest.raises(podstreams.StreamFailed, match="does not run any more"):
            await forwarding.PodForwarder("a", lambda: None).connect(80)


class TestPods:
    async def test_refusals(self, tmp_path: pathlib.Path) -> None:
        async with House(tmp_path) as house, house.running() as agent:
            asked = dataclasses.replace(ALL, command=("true",))
            with pytest.raises(podstreams.StreamsUnavailable, match="does not have a host assigned"):
                await agent.streams.execute(asked)
            with pytest.raises(podstreams.StreamsUnavailable, match="does not have a host assigned"):
                await agent.streams.forward("default", "a")
            await house.create(pod(python(SLEEPER, name="one"), container("two", command=["no-such-program-here"])))
            await house.until(lambda obj: state(obj, 0).get("state", {}).get("running"))
            with pytest.raises(podstreams.StreamsUnavailable, match=r"choose one of: \[one two\]"):
                await agent.streams.execute(asked)
            with pytest.raises(podstreams.StreamsUnavailable, match="container three is not valid for pod a"):
                await agent.streams.execute(dataclasses.replace(asked, container="three"))
            with pytest.raises(podstreams.StreamsUnavailable, match='container not found \\("two"\\)'):
                await agent.streams.execute(dataclasses.replace(asked, container="two"))
            with pytest.raises(podstreams.StreamsUnavailable, match="kubectl exec -it a -c one"):
                await agent.streams.attach(dataclasses.replace(asked, container="one"))
            await house.delete(grace=1)
            await house.gone()

    async def test_what_the_disk_refuses_is_told(self, tmp_path: pathlib.Path) -> None:
        script = "rm -r ../../volumes/v && touch ../../volumes/v broken && exec sleep 60"
        async with House(tmp_path) as house, house.running() as agent:
            obj = pod(container(command=["sh", "-c", script]), volumes=[{"name": "v", "emptyDir": {}}])
            made = await house.create(obj)
            await house.until(ready)
            await eventually((tmp_path / "pods" / made["metadata"]["uid"] / "containers/web/broken").exists)
            session = await agent.streams.execute(dataclasses.replace(ALL, command=("true",)))
            with pytest.raises(podstreams.StreamFailed, match="File exists"):
                await session.run(Client())
            await house.delete(grace=0)
            await house.gone()

    async def test_a_command_ends_with_its_container(self, tmp_path: pathlib.Path) -> None:
        async with House(tmp_path) as house, house.running() as agent:
            await house.create(pod(python(SLEEPER)))
            await house.until(ready)
            asked = dataclasses.replace(ALL, command=(sys.executable, "-c", f"print(1, flush=True); {SLEEPER}"))
            client = Client(ends=False)
            running = asyncio.create_task((await agent.streams.execute(asked)).run(client))
            await asyncio.wait_for(client.news.wait(), 10)
            forwarder = await agent.streams.forward("default", "a")
            await house.delete(grace=1)
            assert await asyncio.wait_for(running, 20) in (137, 143)
            await house.gone()
            with pytest.raises(podstreams.StreamFailed, match="does not run any more"):
                await forwarder.connect(80)
