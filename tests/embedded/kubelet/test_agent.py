"""The whole agent with real processes, against the API in memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import psutil
import pytest

from brickyard.api.kinds import podlogs, resources
from brickyard.embedded.kubelet import agent as agents
from brickyard.embedded.kubelet import errors, procfs, settings
from brickyard.embedded.kubelet.plan import container as container_module
from brickyard.embedded.kubelet.testing import FakeModels, container, pod
from brickyard.engines import contract as engines
from brickyard.kube.client import contract as kube
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.client import testing as kube_testing
from brickyard.lib import backoff, clock

SERVER = """
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), os._exit(0)))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'hello')
    def log_message(self, *args): pass
server = http.server.HTTPServer((os.environ['BRICKYARD_POD_IP'], 8000), Handler)
print('serving', flush=True)
server.serve_forever()
"""


def python(code: str, **fields: Any) -> dict[str, Any]:
    return container(command=[sys.executable, "-c", code], **fields)


def server(**fields: Any) -> dict[str, Any]:
    return python(SERVER, ports=[{"name": "http", "containerPort": 8000}], **fields)


class House:
    """An API in memory, and agents on one folder, one after another."""

    def __init__(self, folder: pathlib.Path) -> None:
        # Uids of their own: other runs of these tests on this machine look for processes by them too.
        self.client = kube_testing.MemoryClient(seed=int.from_bytes(os.urandom(8)))
        self.uids: set[str] = set()
        self.settings = settings.KubeletSettings(data_dir=folder, node_name="here")
        self.models = FakeModels()
        self.launchers: list[engines.Launcher] = []

    def agent(self) -> agents.NodeAgent:
        return agents.NodeAgent(self.client, self.settings, self.launchers, self.models, clock.SystemClock())

    @contextlib.asynccontextmanager
    async def running(self, *, stop_containers: bool = True) -> AsyncIterator[agents.NodeAgent]:
        one, stop = self.agent(), asyncio.Event()
        one.stop_containers = stop_containers
        task = asyncio.create_task(one.run(stop))
        try:
            yield one
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)

    async def create(self, obj: resources.Object) -> resources.Object:
        del obj["metadata"]["uid"]
        made = await self.client.create(resources.POD, obj)
        self.uids.add(made["metadata"]["uid"])
        return made

    async def pod(self, name: str = "a") -> resources.Object:
        return await self.client.get(resources.POD, name, "default")

    async def until(self, what: Callable[[resources.Object], Any], name: str = "a") -> resources.Object:
        try:
            async with asyncio.timeout(15):
                while not what(found := await self.pod(name)):
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"still {(await self.pod(name)).get('status')}") from None
        return found

    async def gone(self, name: str = "a") -> None:
        async with asyncio.timeout(15):
            with contextlib.suppress(kube_errors.NotFound):
                while True:
                    await self.pod(name)
                    await asyncio.sleep(0.01)

    async def delete(self, name: str = "a", grace: int | None = None) -> None:
        await self.client.delete(resources.POD, ("default", name), kube.DeleteOptions(grace_period_seconds=grace))

    async def forgotten(self) -> None:
        """Until no pod has a folder any more."""
        async with asyncio.timeout(10):
            while list((self.settings.folder / "pods").iterdir()):
                await asyncio.sleep(0.005)

    async def settled(self, one: agents.NodeAgent) -> None:
        """Until an agent without pods has nothing left to do."""
        await self.forgotten()
        async with asyncio.timeout(10):
            while one._workers:
                await asyncio.sleep(0.005)
        for _ in range(5):
            await asyncio.sleep(0)

    def events(self) -> list[tuple[str, str]]:
        return [(each["reason"], each["message"]) for each in self.client.all(resources.EVENT)]

    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.events()]

    def processes(self) -> list[procfs.Identity]:
        """Everything that runs for a pod of this house."""
        return [each.identity for each in procfs.strays(self.uids, ())]


@pytest.fixture
async def house(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(container_module, "START_BACKOFF", backoff.Backoff(0.05, 1.0, 0.05))
    built = House(tmp_path)
    yield built
    left = built.processes()
    for each in left:
        procfs.send(each, signal.SIGKILL)
    assert left == []


def ready(obj: resources.Object) -> bool:
    found = obj.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in found)


def phase(wanted: str) -> Callable[[resources.Object], bool]:
    return lambda obj: bool(obj.get("status", {}).get("phase") == wanted)


def state(obj: resources.Object, index: int = 0) -> Mapping[str, Any]:
    statuses: Sequence[Mapping[str, Any]] = obj.get("status", {}).get("containerStatuses") or ({},)
    return statuses[index]


def waiting(reason: str) -> Callable[[resources.Object], bool]:
    return lambda obj: bool((state(obj).get("state", {}).get("waiting") or {}).get("reason") == reason)


def pid(obj: resources.Object) -> int:
    return int(state(obj)["containerID"].removeprefix("process://").partition("-")[0])


async def fetch(obj: resources.Object, port: int = 8000) -> bytes:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                reader, writer = await asyncio.open_connection(obj["status"]["podIP"], port)
                break
            await asyncio.sleep(0.01)
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


# The ordinary life.


@pytest.mark.slow
async def test_a_pod_is_bound_started_probed_and_answers(house: House) -> None:
    probe = {"httpGet": {"port": "http", "path": "/health"}, "periodSeconds": 1}
    async with house.running():
        await house.create(pod(server(readinessProbe=probe)))
        found = await house.until(ready)
        assert found["spec"]["nodeName"] == "here"
        assert found["status"]["podIP"].startswith("127.")
        assert found["status"]["phase"] == "Running"
        assert (await fetch(found)).endswith(b"hello")
    assert house.reasons()[:3] == ["Scheduled", "Created", "Started"]
    assert house.events()[0][1] == "Successfully assigned default/a to here"
    assert not house.processes()


async def test_two_pods_use_the_same_port(house: House) -> None:
    async with house.running():
        for name in ("a", "b"):
            await house.create(pod(server(), name=name))
        one, two = await house.until(ready), await house.until(ready, "b")
        assert one["status"]["podIP"] != two["status"]["podIP"]
        assert (await fetch(one)).endswith(b"hello")
        assert (await fetch(two)).endswith(b"hello")


async def test_a_deleted_pod_is_ended_and_forgotten(house: House) -> None:
    async with house.running():
        await house.create(pod(server()))
        await house.until(ready)
        await house.delete(grace=20)
        await house.gone()
        assert not house.processes()
        await house.forgotten()
    assert "Killing" in house.reasons()


@pytest.mark.slow
async def test_a_process_that_ignores_term_is_killed_after_its_grace(house: House) -> None:
    code = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)"
    async with house.running():
        await house.create(pod(python(code)))
        found = await house.until(ready)
        await house.delete(grace=1)
        await house.gone()
        assert not psutil.pid_exists(pid(found))


async def test_a_killed_process_comes_back_on_the_same_address(house: House) -> None:
    async with house.running():
        await house.create(pod(server()))
        before = await house.until(ready)
        os.kill(pid(before), signal.SIGKILL)
        after = await house.until(lambda obj: ready(obj) and state(obj)["restartCount"] == 1)
        assert after["status"]["podIP"] == before["status"]["podIP"]
        assert state(after)["lastState"]["terminated"]["exitCode"] == 137
        assert (await fetch(after)).endswith(b"hello")


async def test_a_crash_loop_shows_the_last_words(house: House) -> None:
    async with house.running():
        await house.create(pod(python("print('it broke'); raise SystemExit(3)")))
        found = await house.until(waiting("CrashLoopBackOff"))
        last = state(found)["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"], last["message"]) == (3, "Error", "it broke")
    assert "BackOff" in house.reasons()


async def test_a_job_like_pod_ends(house: House) -> None:
    async with house.running():
        await house.create(
            pod(python("print('done')"), init=[python("print('first')", name="init")], restartPolicy="Never")
        )
        found = await house.until(phase("Succeeded"))
        assert state(found)["state"]["terminated"]["reason"] == "Completed"
        assert house.processes() == []


async def test_a_termination_message_is_read(house: House) -> None:
    code = "import sys; open(sys.argv[1], 'w').write('my own words'); print('noise'); sys.exit(1)"
    one = container(command=[sys.executable, "-c", code, "/dev/termination-log"])
    async with house.running():
        await house.create(pod(one, restartPolicy="Never"))
        found = await house.until(phase("Failed"))
        assert state(found)["state"]["terminated"]["message"] == "my own words"


async def test_exec_probe_and_hooks_run_in_the_containers_world(house: House, tmp_path: pathlib.Path) -> None:
    marker = tmp_path / "stopped"
    volume = {"name": "data", "emptyDir": {}}
    one = python(
        "import time; time.sleep(60)",
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
        lifecycle={
            "postStart": {"exec": {"command": ["touch", "/data/started"]}},
            "preStop": {"exec": {"command": ["touch", str(marker)]}},
        },
        readinessProbe={"exec": {"command": ["test", "-f", "/data/started"]}},
    )
    async with house.running():
        await house.create(pod(one, volumes=[volume]))
        await house.until(ready)
        await house.delete(grace=10)
        await house.gone()
    assert marker.exists()


async def test_environment_volumes_and_words(house: House) -> None:
    await house.client.create(
        resources.CONFIG_MAP, {"metadata": {"name": "conf", "namespace": "default"}, "data": {"k": "v1"}}
    )
    secret = {"metadata": {"name": "safe", "namespace": "default"}, "type": "Opaque", "data": {"key": "c2VzYW1l"}}
    await house.client.create(resources.SECRET, secret)
    code = (
        "import os, sys; print(os.environ['WHO'], os.environ['KEY'], open(sys.argv[1]).read(), sys.argv[2], flush=True)"
    )
    one = container(
        command=[sys.executable, "-c", code],
        args=["/etc/conf/k", "$(WHO)!"],
        env=[
            {"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "safe", "key": "key"}}},
        ],
        volumeMounts=[{"name": "conf", "mountPath": "/etc/conf"}],
    )
    volumes = [{"name": "conf", "configMap": {"name": "conf"}}]
    async with house.running() as one_agent:
        await house.create(pod(one, volumes=volumes, restartPolicy="Never"))
        await house.until(phase("Succeeded"))
        chunks = [each async for each in await one_agent.logs.open(podlogs.PodLogQuery("default", "a"))]
    assert b"".join(chunks) == b"a sesame v1 a!\n"


# What cannot be started.


async def test_an_unknown_image_says_what_to_do_and_is_cured_by_the_table(house: House) -> None:
    async with house.running():
        await house.create(pod(container(image="my/tool:v1", args=["print('cured')"]), restartPolicy="Never"))
        found = await house.until(waiting("ErrImageNeverPull"))
        message = state(found)["state"]["waiting"]["message"]
        table = house.settings.folder / "images.yaml"
        assert str(table) in message
        assert '{image: "my/tool:*", command: [program, argument]}' in message
        table.write_text(f'- {{image: "my/tool:*", command: ["{sys.executable}", "-c"]}}\n')
        await house.until(phase("Succeeded"))


async def test_a_missing_program_is_named(house: House) -> None:
    async with house.running():
        await house.create(pod(container(command=["no-such-program"]), restartPolicy="Never"))
        end = state(await house.until(phase("Failed")))["state"]["terminated"]
        assert (end["exitCode"], end["reason"]) == (128, "StartError")
        assert "no-such-program" in end["message"]


async def test_a_missing_config_map_is_waited_for(house: House) -> None:
    one = python("print('ok')", envFrom=[{"configMapRef": {"name": "later"}}])
    async with house.running():
        await house.create(pod(one, restartPolicy="Never"))
        found = await house.until(waiting("CreateContainerConfigError"))
        assert state(found)["state"]["waiting"]["message"] == 'configmap "later" not found'
        await house.client.create(resources.CONFIG_MAP, {"metadata": {"name": "later", "namespace": "default"}})
        await house.until(phase("Succeeded"))


class Engine:
    """A launcher that wants a model."""

    images = ("engine/*",)

    def launch(self, container: engines.ContainerSpec) -> engines.Launch:
        if not container.args:
            raise engines.LaunchError("UnsupportedArgument", "name a model")
        return engines.Launch((sys.executable, "-c", "import sys; print(sys.argv[1])", "m://one"), models=("m://one",))


async def test_models_are_fetched_and_put_in_place(house: House) -> None:
    house.launchers.append(Engine())
    house.models.steps = [(10, 100), (100, 100)]
    async with house.running() as one:
        await house.create(pod(container(image="engine/x:1", args=["y"]), restartPolicy="Never"))
        await house.until(phase("Succeeded"))
        chunks = [each async for each in await one.logs.open(podlogs.PodLogQuery("default", "a"))]
        assert b"".join(chunks) == b"/models/one\n"
    assert [each for each in house.reasons() if each.startswith("Pull")] == ["Pulling", "Pulled"]


async def test_a_model_that_cannot_be_had_is_said_and_tried_again(house: House) -> None:
    house.launchers.append(Engine())
    house.models.failures = ["no such package: check the name"]
    async with house.running():
        await house.create(pod(container(image="engine/x:1", args=["y"]), restartPolicy="Never"))
        found = await house.until(waiting("ErrModelPull"))
        assert state(found)["state"]["waiting"]["message"] == "no such package: check the name"
        await house.until(phase("Succeeded"))


async def test_a_pod_can_be_deleted_while_its_model_is_fetched(house: House) -> None:
    house.launchers.append(Engine())
    house.models.hang = True
    async with house.running():
        await house.create(pod(container(image="engine/x:1", args=["y"])))
        await house.until(lambda obj: bool(house.models.asked))
        await house.delete(grace=30)
        await house.gone()
    assert house.models.cancelled == 1


async def test_what_a_launcher_refuses_is_shown(house: House) -> None:
    house.launchers.append(Engine())
    async with house.running():
        await house.create(pod(container(image="engine/x:1")))
        found = await house.until(waiting("UnsupportedArgument"))
        assert state(found)["state"]["waiting"]["message"] == "name a model"


# Binding.


async def test_a_pod_that_wants_what_is_not_there_stays_pending(house: House) -> None:
    async with house.running():
        await house.create(pod(python("", resources={"limits": {"nvidia.com/a100": "1"}})))
        found = await house.until(lambda obj: obj.get("status", {}).get("conditions"))
        said = found["status"]["conditions"][0]
        assert (said["type"], said["status"], said["reason"]) == ("PodScheduled", "False", "Unschedulable")
        assert said["message"] == "0/1 nodes are available: 1 Insufficient nvidia.com/a100."
        assert "nodeName" not in found["spec"]
    assert house.reasons() == ["FailedScheduling"]


async def test_devices_are_given_out_and_come_back(house: House) -> None:
    house.settings = settings.KubeletSettings(
        data_dir=house.settings.data_dir, node_name="here", resources="nvidia.com/gpu=1"
    )
    code = "import os, time; print('got', os.environ['CUDA_VISIBLE_DEVICES'], flush=True); time.sleep(60)"
    wants = {"limits": {"nvidia.com/gpu": "1"}}
    async with house.running():
        await house.create(pod(python(code, resources=wants)))
        await house.until(ready)
        await house.create(pod(python(code, resources=wants), name="b"))
        await house.until(lambda obj: obj.get("status", {}).get("conditions"), "b")
        assert "nodeName" not in (await house.pod("b"))["spec"]
        await house.delete(grace=1)
        await house.until(ready, "b")


async def test_pods_of_other_nodes_are_left_alone(house: House) -> None:
    async with house.running():
        await house.create(pod(python(""), nodeName="elsewhere"))
        await house.create(pod(python(""), name="b", restartPolicy="Never"))
        await house.until(phase("Succeeded"), "b")
        assert "conditions" not in (await house.pod()).get("status", {})


# Node.


async def test_the_node_and_its_lease(house: House) -> None:
    async with house.running():
        async with asyncio.timeout(5):
            while not house.client.all(resources.LEASE):
                await asyncio.sleep(0.01)
        node = await house.client.get(resources.NODE, "here")
        reasons = {each["type"]: each["reason"] for each in node["status"]["conditions"]}
        assert reasons["Ready"] == "KubeletReady"
        assert set(reasons) == {"MemoryPressure", "DiskPressure", "Ready"}
        assert node["status"]["capacity"]["cpu"] == str(os.cpu_count())
        assert node["status"]["capacity"]["pods"] == "250"
        lease = await house.client.get(resources.LEASE, "here", "kube-node-lease")
        assert lease["spec"]["holderIdentity"] == "here"
    node = await house.client.get(resources.NODE, "here")
    assert node["status"]["conditions"][-1]["status"] == "False"


# One agent after another.


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
    async with asyncio.timeout(5):
        while house.processes():
            await asyncio.sleep(0.005)
    async with house.running():
        after = await house.until(lambda obj: ready(obj) and state(obj)["restartCount"] == 1)
        assert state(after)["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"
        assert after["status"]["podIP"] == before["status"]["podIP"]


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


async def test_a_process_that_no_record_knows_is_killed(house: House) -> None:
    async with house.running(stop_containers=False):
        await house.create(pod(server()))
        before = await house.until(ready)
    uid = before["metadata"]["uid"]
    stray = await asyncio.create_subprocess_exec("sleep", "60", env={procfs.COOKIE: f"{uid}/web/1"})
    async with house.running():
        assert await asyncio.wait_for(stray.wait(), 10) == -signal.SIGKILL
        assert state(await house.until(ready))["containerID"] == state(before)["containerID"]


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


@pytest.mark.slow
async def test_fifty_pods_come_and_go_and_leave_nothing(house: House) -> None:
    async with house.running() as one:
        for name in ("warm", "up"):
            await house.create(pod(container(command=["sleep", "60"]), name=name))
            await house.until(ready, name)
            await house.delete(name, grace=1)
            await house.gone(name)
        await house.settled(one)
        descriptors, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        for start in range(0, 50, 10):
            names = [f"p{number}" for number in range(start, start + 10)]
            for name in names:
                await house.create(pod(container(command=["sleep", "60"]), name=name))
            await asyncio.gather(*(house.until(ready, name) for name in names))
            for name in names:
                await house.delete(name, grace=5)
            await asyncio.gather(*(house.gone(name) for name in names))
        await house.settled(one)
        assert not house.processes()
        assert (len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())) == (descriptors, tasks)


# Trouble with the API.


@pytest.mark.slow
async def test_hiccups_of_the_api_are_waited_out(house: House) -> None:
    house.client.fail_next(kube_errors.Unavailable("starting"), verb="list", kind=resources.POD, times=2)
    house.client.fail_next(kube_errors.Unavailable("starting"), verb="get", kind=resources.NODE)
    async with house.running():
        await house.create(pod(server()))
        house.client.fail_next(kube_errors.Unavailable("busy"), verb="update", times=2)
        house.client.fail_next(kube_errors.Unavailable("busy"), verb="patch", kind=resources.POD)
        house.client.break_watches(kube_errors.Unreachable("reset"))
        await house.until(ready)
        await house.delete(grace=5)
        house.client.fail_next(kube_errors.Unavailable("busy"), verb="delete", times=2)
        await house.gone()


async def test_an_object_held_by_a_finalizer_does_not_come_back_to_life(house: House) -> None:
    async with house.running():
        await house.create(pod(server(), meta={"finalizers": ["x/wait"]}))
        await house.until(ready)
        await house.delete(grace=5)
        found = await house.until(phase("Failed"))
        await house.forgotten()
        patch = {"metadata": {"annotations": {"still": "there"}}}
        await house.client.patch(resources.POD, ("default", "a"), patch)
        await house.create(pod(python(""), name="b", restartPolicy="Never"))
        await house.until(phase("Succeeded"), "b")
        assert house.processes() == []
        assert (await house.pod())["metadata"]["uid"] == found["metadata"]["uid"]


async def test_status_is_not_written_without_need(house: House) -> None:
    async with house.running():
        await house.create(pod(server()))
        await house.until(ready)
        before = len(house.client.wrote("update", resources.POD))
        for name in ("b", "c"):
            await house.create(pod(python(""), name=name, restartPolicy="Never"))
            await house.until(phase("Succeeded"), name)
        after = house.client.wrote("update", resources.POD)[before:]
        assert "a" not in {each.name for each in after}
