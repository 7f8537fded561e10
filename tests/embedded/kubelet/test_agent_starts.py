"""Containers that cannot be started, and what cures them; models on their way."""

from __future__ import annotations

import asyncio
import sys

from brickyard.api.kinds import podlogs, resources
from brickyard.embedded.kubelet.testing import container, pod
from brickyard.embedded.kubelet.testing_agent import House, eventually, phase, python, ready, server, state, waiting
from brickyard.engines import contract as engines


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
        told = [{"name": "HF_TOKEN", "value": "t"}]
        await house.create(pod(container(image="engine/x:1", args=["y"], env=told), restartPolicy="Never"))
        await house.until(phase("Succeeded"))
        assert house.models.environs[0]["HF_TOKEN"] == "t"
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


async def test_pods_that_are_gone_before_their_start_has_begun_are_forgotten(house: House) -> None:
    async with house.running() as one:
        await house.create(pod(server()))
        await house.until(ready)
        for turns in range(10):
            await house.create(pod(server(), name=f"brief-{turns}", nodeName="here"))
            for _ in range(turns):
                await asyncio.sleep(0)
            await house.delete(f"brief-{turns}", grace=0)
        await eventually(lambda: len(one.pods) == 1)


async def test_what_a_launcher_refuses_is_shown(house: House) -> None:
    house.launchers.append(Engine())
    async with house.running():
        await house.create(pod(container(image="engine/x:1")))
        found = await house.until(waiting("UnsupportedArgument"))
        assert state(found)["state"]["waiting"]["message"] == "name a model"
