"""Claims and volumes on an API in memory, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import controllers, testing
from brickyard.kube.client import testing as clients
from brickyard.kube.objects import meta
from brickyard.lib import tasks

pytestmark = pytest.mark.looptime


@dataclasses.dataclass
class World:
    client: clients.MemoryClient
    folder: pathlib.Path

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.05)

    async def claim(self, name: str = "data", **spec: Any) -> None:
        await self.client.create(resources.PERSISTENT_VOLUME_CLAIM, testing.unstored(testing.claim(name, **spec)))

    def bound(self) -> list[str]:
        held = self.client.all(resources.PERSISTENT_VOLUME_CLAIM)
        return [each["spec"]["volumeName"] for each in held if (each.get("status") or {}).get("phase") == "Bound"]

    def phases(self, kind: resources.ResourceType = resources.PERSISTENT_VOLUME) -> dict[str, str]:
        return {meta.name(each): (each.get("status") or {}).get("phase", "") for each in self.client.all(kind)}

    def reasons(self) -> set[str]:
        return {each["reason"] for each in self.client.all(resources.EVENT)}


@contextlib.asynccontextmanager
async def world(
    tmp_path: pathlib.Path, *seeds: tuple[resources.ResourceType, resources.Object]
) -> AsyncIterator[World]:
    client = clients.MemoryClient(testing.LoopClock())
    for kind, obj in seeds:
        client.seed(kind, obj)
    async with tasks.Scope("world") as scope:
        scope.start(testing.FakeKubelet(client, testing.LoopClock()).run(), name="node")
        scope.start(controllers.run(client, testing.LoopClock(), volumes=tmp_path), name="controllers")
        yield World(client, tmp_path)


async def test_a_claim_gets_a_folder_and_the_folder_goes_with_it(tmp_path: pathlib.Path) -> None:
    async with world(tmp_path) as it:
        await it.claim()
        await it.until(it.bound)
        (volume,) = it.client.all(resources.PERSISTENT_VOLUME)
        await it.until(lambda: it.phases() == {meta.name(volume): "Bound"})
        (claim,) = it.client.all(resources.PERSISTENT_VOLUME_CLAIM)
        assert claim["status"]["capacity"] == {"storage": "1Gi"}
        assert claim["spec"]["storageClassName"] == "brickyard"
        place = pathlib.Path(volume["spec"]["hostPath"]["path"])
        assert place.parent == tmp_path
        (place / "deep").mkdir(parents=True)
        await it.client.delete(resources.PERSISTENT_VOLUME_CLAIM, meta.key(claim))
        await it.until(lambda: not it.client.all(resources.PERSISTENT_VOLUME))
        assert not place.exists()
        assert tmp_path.exists()
        assert "ProvisioningSucceeded" in it.reasons()


async def test_several_claims_share_out_the_volumes_there_are(tmp_path: pathlib.Path) -> None:
    disks = [(resources.PERSISTENT_VOLUME, testing.volume(f"disk-{each}")) for each in range(3)]
    async with world(tmp_path, *disks) as it:
        for number in range(3):
            await it.claim(f"data-{number}", storageClassName="")
        await it.until(lambda: len(it.bound()) == 3)
        assert sorted(it.bound()) == ["disk-0", "disk-1", "disk-2"]


async def test_a_claim_waits_for_a_volume_and_takes_it_when_it_comes(tmp_path: pathlib.Path) -> None:
    async with world(tmp_path) as it:
        await it.claim(storageClassName="")
        await it.until(lambda: "FailedBinding" in it.reasons())
        await it.client.create(resources.PERSISTENT_VOLUME, testing.unstored(testing.volume()))
        await it.until(lambda: it.bound() == ["disk"])
        await it.client.delete(resources.PERSISTENT_VOLUME_CLAIM, ("default", "data"))
        await it.until(lambda: it.phases() == {"disk": "Released"})


async def test_a_claim_in_use_outlives_its_deletion(tmp_path: pathlib.Path) -> None:
    async with world(tmp_path) as it:
        await it.claim()
        pod = testing.unstored(testing.pod())
        pod["spec"] |= {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}
        await it.client.create(resources.POD, pod)
        await it.until(it.bound)
        await it.until(lambda: it.client.all(resources.POD)[0]["spec"].get("nodeName"))
        await it.client.delete(resources.PERSISTENT_VOLUME_CLAIM, ("default", "data"))
        await testing.quiet(it.client)
        assert meta.is_deleting(it.client.all(resources.PERSISTENT_VOLUME_CLAIM)[0])
        await it.client.delete(resources.POD, ("default", "web-1"))
        await it.until(lambda: not it.client.all(resources.PERSISTENT_VOLUME_CLAIM))


async def test_a_claim_grows(tmp_path: pathlib.Path) -> None:
    async with world(tmp_path) as it:
        await it.claim()
        await it.until(it.bound)
        grown = {"spec": {"resources": {"requests": {"storage": "7Gi"}}}}
        await it.client.patch(resources.PERSISTENT_VOLUME_CLAIM, ("default", "data"), grown)

        def size() -> str:
            (claim,) = it.client.all(resources.PERSISTENT_VOLUME_CLAIM)
            return str(claim["status"]["capacity"]["storage"])

        await it.until(lambda: size() == "7Gi")


async def test_a_pods_own_volume(tmp_path: pathlib.Path) -> None:
    async with world(tmp_path) as it:
        pod = testing.unstored(testing.pod())
        template = {"spec": testing.claim()["spec"]}
        pod["spec"]["volumes"] = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]
        await it.client.create(resources.POD, pod)
        await it.until(it.bound)
        assert it.phases(resources.PERSISTENT_VOLUME_CLAIM) == {"web-1-scratch": "Bound"}


async def test_stateful_pods_have_claims_that_outlive_them(tmp_path: pathlib.Path) -> None:
    async with world(tmp_path) as it:
        templates = [{"metadata": {"name": "data"}, "spec": testing.claim()["spec"]}]
        made = testing.stateful_set(replicas=2, volumeClaimTemplates=templates)
        await it.client.create(resources.STATEFUL_SET, testing.unstored(made))
        await it.until(lambda: len(it.bound()) == 2)
        before = it.bound()
        await it.client.patch(resources.STATEFUL_SET, ("default", "web"), {"spec": {"replicas": 0}})
        await it.until(lambda: not it.client.all(resources.POD))
        await it.client.patch(resources.STATEFUL_SET, ("default", "web"), {"spec": {"replicas": 2}})
        await it.until(lambda: len(it.client.all(resources.POD)) == 2)
        assert it.bound() == before


async def test_the_default_class_is_made_once_and_kept_as_it_is(tmp_path: pathlib.Path) -> None:
    own = testing.storage_class(reclaimPolicy="Retain")
    async with world(tmp_path, (resources.STORAGE_CLASS, own)) as it:
        await it.claim()
        await it.until(it.bound)
        (found,) = it.client.all(resources.STORAGE_CLASS)
        assert found["reclaimPolicy"] == "Retain"
        await it.client.delete(resources.PERSISTENT_VOLUME_CLAIM, ("default", "data"))
        await it.until(lambda: list(it.phases().values()) == ["Released"])
