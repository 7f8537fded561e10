"""The whole agent with real processes, against the API in memory."""

from __future__ import annotations

import os
import pathlib
import signal
import sys

import psutil
import pytest

from brickyard.api.kinds import podlogs, resources
from brickyard.embedded.kubelet import settings
from brickyard.embedded.kubelet.testing import container, pod
from brickyard.embedded.kubelet.testing_agent import (
    House,
    eventually,
    fetch,
    phase,
    pid,
    python,
    ready,
    server,
    state,
    waiting,
)
from brickyard.kube.client import errors as kube_errors

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
        await eventually(lambda: any("status" in each for each in house.client.all(resources.NODE)))
        node = await house.client.get(resources.NODE, "here")
        reasons = {each["type"]: each["reason"] for each in node["status"]["conditions"]}
        assert reasons["Ready"] == "KubeletReady"
        assert set(reasons) == {"MemoryPressure", "DiskPressure", "PIDPressure", "Ready"}
        assert node["status"]["capacity"]["cpu"] == str(os.cpu_count())
        assert node["status"]["capacity"]["pods"] == "250"
        lease = await house.client.get(resources.LEASE, "here", "kube-node-lease")
        assert lease["spec"]["holderIdentity"] == "here"
    node = await house.client.get(resources.NODE, "here")
    assert node["status"]["conditions"][-1]["status"] == "False"


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


async def test_a_hook_that_the_disk_refuses_has_failed_and_its_pod_goes(house: House) -> None:
    script = "rm -r ../../volumes/v && touch ../../volumes/v broken && exec sleep 60"
    hook = {"preStop": {"exec": {"command": ["true"]}}}
    volume = {"name": "v", "emptyDir": {}}
    async with house.running():
        made = await house.create(pod(container(command=["sh", "-c", script], lifecycle=hook), volumes=[volume]))
        broken = house.settings.folder / "pods" / made["metadata"]["uid"] / "containers/web/broken"
        await eventually(broken.exists)
        await house.until(phase("Running"))
        await house.delete(grace=5)
        await house.gone()
    assert any(reason == "FailedPreStopHook" and "File exists" in text for reason, text in house.events())
