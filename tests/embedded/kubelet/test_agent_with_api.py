"""The agent against the real API server: what the API in memory is too kind to refuse."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator, Callable

import pytest

from brickyard.api.kinds import podlogs, resources
from brickyard.embedded.apiserver import testing as api_testing
from brickyard.embedded.kubelet import agent, settings
from brickyard.embedded.kubelet.testing import FakeModels, container, pod
from brickyard.embedded.kubelet.testing_agent import fetch, ready, server, state
from brickyard.kube.client import contract as kube
from brickyard.kube.client import errors as kube_errors
from brickyard.kube.client import rest
from brickyard.lib import clock


class LogsLater:
    """The agent's logs, once there is an agent."""

    source: podlogs.PodLogs | None = None

    async def open(self, query: podlogs.PodLogQuery) -> AsyncIterator[bytes]:
        if self.source is None:
            raise podlogs.LogsUnavailable("no agent yet")
        return await self.source.open(query)


@pytest.fixture
async def client(tmp_path: pathlib.Path) -> AsyncIterator[rest.RestClient]:
    later, stop = LogsLater(), asyncio.Event()
    wanted = settings.KubeletSettings(data_dir=tmp_path / "kubelet", node_name="here")
    async with (
        api_testing.running(tmp_path / "api", logs=later) as api,
        rest.RestClient.from_kubeconfig(api.kubeconfig) as found,
    ):
        one = agent.NodeAgent(found, wanted, [], FakeModels(), clock.SystemClock())
        later.source = one.logs
        task = asyncio.create_task(one.run(stop))
        yield found
        stop.set()
        await asyncio.wait_for(task, 30)


async def create(client: rest.RestClient, obj: resources.Object) -> None:
    del obj["metadata"]["uid"]
    await client.create(resources.POD, obj)


async def until(client: rest.RestClient, what: Callable[[resources.Object], bool], name: str = "a") -> resources.Object:
    async with asyncio.timeout(20):
        while True:
            found = await client.get(resources.POD, name, "default")
            if what(found):
                return found
            await asyncio.sleep(0.02)


async def log(client: rest.RestClient, name: str = "a", **params: str) -> str:
    path = resources.POD.path("default", name, "log")
    return b"".join([each async for each in await client.stream(path, params)]).decode()


async def test_a_pods_whole_life(client: rest.RestClient) -> None:
    await create(client, pod(server()))
    found = await until(client, ready)
    assert found["spec"]["nodeName"] == "here"
    assert (await fetch(found)).endswith(b"hello")
    assert await log(client) == "serving\n"
    node = await client.get(resources.NODE, "here")
    assert {each["type"]: each["status"] for each in node["status"]["conditions"]}["Ready"] == "True"

    following = asyncio.create_task(log(client, follow="true"))
    await client.delete(resources.POD, ("default", "a"), kube.DeleteOptions(grace_period_seconds=10))
    assert await asyncio.wait_for(following, 20) == "serving\nbye\n"
    with contextlib.suppress(kube_errors.NotFound):
        await until(client, lambda _: False)


async def test_a_crash_and_its_previous_log(client: rest.RestClient) -> None:
    await create(client, pod(container(command=["sh", "-c", "echo it broke; exit 3"])))
    found = await until(client, lambda obj: "CrashLoopBackOff" in str(state(obj)))
    assert state(found)["lastState"]["terminated"]["message"] == "it broke"
    assert await log(client, previous="true") == "it broke\n"


async def test_a_pod_that_does_not_fit_and_one_without_image(client: rest.RestClient) -> None:
    await create(client, pod(container(resources={"limits": {"nvidia.com/gpu": "1"}}, command=["true"])))
    found = await until(client, lambda obj: bool(obj["status"].get("conditions")))
    assert found["status"]["conditions"][0]["message"] == "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
    await create(client, pod(container(image="who/knows:v1"), name="b"))
    await until(client, lambda obj: "ErrImageNeverPull" in str(state(obj)), "b")
    with pytest.raises(kube_errors.BadRequest, match=r"waiting to start: ErrImageNeverPull: .*images\.yaml"):
        await log(client, "b")
