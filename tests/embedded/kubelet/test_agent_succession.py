"""One agent after another: containers that run on, pods that vanished, processes nobody knows."""

from __future__ import annotations

import asyncio
import os
import pathlib
import signal
import subprocess
import sys

import psutil
import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import agent as agents
from brickyard.embedded.kubelet import errors, procfs
from brickyard.embedded.kubelet.testing import container, pod
from brickyard.embedded.kubelet.testing_agent import House, eventually, phase, pid, python, ready, server, state


async def test_containers_outlive_an_agent_and_are_taken_over(house: House) -> None:
    async with house.running(stop_containers=False):
        await house.create(pod(server()))
        before = await house.until(ready)
    assert psutil.pid_exists(pid(before))
    async with house.running():
        os.kill(pid(before), 0)
        await asyncio.sleep(0)
        await house.create(pod(python(""), name="b", restartPolicy="Never"))
        await house.until(phase("Succeeded"), "b")
        after = await house.pod()
        assert state(after)["containerID"] == state(before)["containerID"]
        assert state(after)["restartCount"] == 0
        assert ready(after)
        os.kill(pid(before), signal.SIGKILL)
        await house.until(lambda obj: ready(obj) and state(obj)["restartCount"] == 1)


async def test_containers_that_end_between_two_agents_are_started_again(house: House) -> None:
    async with house.running(stop_containers=False):
        await house.create(pod(server()))
        before = await house.until(ready)
    os.kill(pid(before), signal.SIGKILL)
    await eventually(lambda: not house.processes())
    async with house.running():
        after = await house.until(lambda obj: ready(obj) and state(obj)["restartCount"] == 1)
        ended = state(after)["lastState"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("Error", 137)
        assert after["status"]["podIP"] == before["status"]["podIP"]


async def test_how_a_container_ended_between_two_agents_is_known(house: House) -> None:
    script = "import pathlib, time\nprint('last words')\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\nraise SystemExit(7)"
    async with house.running(stop_containers=False):
        made = await house.create(pod(python(script), restartPolicy="Never"))
        await house.until(ready)
    home = house.settings.folder / "pods" / made["metadata"]["uid"]
    (home / "containers/web/go").touch()
    await eventually(lambda: not house.processes() and not procfs.shims(house.uids))
    async with house.running():
        ended = state(await house.until(phase("Failed")))["state"]["terminated"]
        assert (ended["exitCode"], ended["reason"], ended["message"]) == (7, "Error", "last words")


async def test_an_end_of_which_there_is_no_word_is_told_as_that(house: House) -> None:
    async with house.running(stop_containers=False):
        made = await house.create(pod(server()))
        before = await house.until(ready)
    os.kill(pid(before), signal.SIGKILL)
    await eventually(lambda: not procfs.shims(house.uids))
    (house.settings.folder / "pods" / made["metadata"]["uid"] / "ends/web/0.json").unlink()
    async with house.running():
        after = await house.until(lambda obj: ready(obj) and state(obj)["restartCount"] == 1)
        assert state(after)["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"


async def test_a_shim_that_is_killed_takes_its_container_along_and_both_are_replaced(house: House) -> None:
    async with house.running():
        await house.create(pod(server()))
        await house.until(ready)
        (shim,) = procfs.shims(house.uids)
        os.kill(shim.identity.pid, signal.SIGKILL)
        after = await house.until(lambda obj: ready(obj) and state(obj)["restartCount"] == 1)
        ended = state(after)["lastState"]["terminated"]
        assert (ended["reason"], ended["exitCode"]) == ("ContainerStatusUnknown", 137)
        assert "process that served it" in ended["message"]
        assert len(procfs.shims(house.uids)) == len(house.processes()) == 1


async def test_pods_that_vanished_between_two_agents_are_ended(house: House) -> None:
    async with house.running(stop_containers=False):
        await house.create(pod(server()))
        await house.until(ready)
    await house.delete(grace=0)
    assert house.processes()
    async with house.running():
        await house.forgotten()
        assert not house.processes()


async def test_shut_down_ends_containers_and_the_next_agent_starts_them_again(house: House) -> None:
    async with house.running():
        await house.create(pod(server()))
        before = await house.until(ready)
    assert house.processes() == []
    assert not ready(await house.pod())
    async with house.running():
        after = await house.until(ready)
        assert after["status"]["podIP"] == before["status"]["podIP"]


def written(path: pathlib.Path) -> str:
    return path.read_text() if path.exists() else ""


async def test_a_pod_whose_record_is_lost_keeps_its_volumes(house: House) -> None:
    mount = [{"name": "v", "mountPath": "/pod-data"}]
    grows = python("open('/pod-data/n', 'a').write('x'); import time; time.sleep(60)", volumeMounts=mount)
    async with house.running(stop_containers=False):
        made = await house.create(pod(grows, volumes=[{"name": "v", "emptyDir": {}}]))
        home = house.settings.folder / "pods" / made["metadata"]["uid"]
        await eventually(lambda: written(home / "volumes/v/n") == "x")
    (home / "record.json").write_text("{")
    (stranger := home.with_name("stranger")).mkdir()
    async with house.running():
        await eventually(lambda: written(home / "volumes/v/n") == "xx")
        await eventually(lambda: not stranger.exists())
        await house.delete()
        await house.forgotten()


async def test_a_process_that_no_record_knows_is_killed(house: House) -> None:
    async with house.running(stop_containers=False):
        await house.create(pod(server()))
        before = await house.until(ready)
    uid = before["metadata"]["uid"]
    stray = await asyncio.create_subprocess_exec("sleep", "60", env={procfs.COOKIE: f"{uid}/web/1"})
    async with house.running():
        assert await asyncio.wait_for(stray.wait(), 10) == -signal.SIGKILL
        assert state(await house.until(ready))["containerID"] == state(before)["containerID"]


def test_what_no_record_knows_is_waited_for(tmp_path: pathlib.Path) -> None:
    uid = f"{tmp_path.name}-{os.getpid()}"
    code = "held = b'x' * (200 << 20); print('up', flush=True); import time; time.sleep(60)"
    words, env = [sys.executable, "-c", code], {procfs.COOKIE: f"{uid}/web/0"}
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE) as stray:
        assert stray.stdout is not None
        stray.stdout.readline()
        agents.end_strays({uid}, {f"{uid}/web/1"})
        assert procfs.strays({uid}, ()) == []
    assert stray.returncode == -signal.SIGKILL


async def test_two_agents_on_one_folder_are_refused(house: House) -> None:
    async with house.running():
        await house.create(pod(python(""), restartPolicy="Never"))
        await house.until(phase("Succeeded"))
        with pytest.raises(errors.AlreadyRunning, match="another node agent"):
            await house.agent().run(asyncio.Event())


AGENT = """
import asyncio, pathlib, sys
from brickyard.embedded.kubelet import agent as agents, settings
from brickyard.embedded.kubelet.testing import FakeModels, container, pod
from brickyard.kube.client import testing
from brickyard.api.kinds import resources
from brickyard.lib import clock

async def main():
    client = testing.MemoryClient()
    where = settings.KubeletSettings(data_dir=pathlib.Path(sys.argv[1]), node_name="here")
    obj = pod(container(command=["sh", "-c", "echo up; exec sleep 60"]), meta={"uid": "one-pod"})
    client.seed(resources.POD, obj)
    one = agents.NodeAgent(client, where, [], FakeModels(), clock.SystemClock())
    task = asyncio.create_task(one.run(asyncio.Event()))
    while True:
        found = client.all(resources.POD)[0].get("status", {})
        if (found.get("containerStatuses") or [{}])[0].get("ready"):
            print(found["containerStatuses"][0]["containerID"], flush=True)
            break
        await asyncio.sleep(0.01)
    await task
asyncio.run(main())
"""


@pytest.mark.slow
async def test_an_agent_that_was_killed_leaves_its_containers_to_the_next(house: House) -> None:
    folder = str(house.settings.folder)
    first = await asyncio.create_subprocess_exec(sys.executable, "-c", AGENT, folder, stdout=asyncio.subprocess.PIPE)
    assert first.stdout is not None
    container_id = (await asyncio.wait_for(first.stdout.readline(), 20)).decode().strip()
    first.kill()
    await first.wait()
    obj = pod(container(command=["sh", "-c", "echo up; exec sleep 60"]), meta={"uid": "one-pod"}, nodeName="here")
    house.client.seed(resources.POD, obj)
    async with house.running():
        found = await house.until(ready)
        assert state(found)["containerID"] == container_id
        assert state(found)["restartCount"] == 0
        await house.delete(grace=1)
        await house.gone()
