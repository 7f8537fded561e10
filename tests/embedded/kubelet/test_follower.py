"""Running pods whose names and files follow the API: real containers, mounts where this machine allows them."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest

from brickyard.api.kinds import resources
from brickyard.embedded.kubelet import follower, records, surroundings, views
from brickyard.embedded.kubelet.testing import container, pod
from brickyard.embedded.kubelet.testing_agent import House, eventually
from brickyard.kube.client import contract
from brickyard.kube.client import testing as kube_testing
from brickyard.lib import tasks

pytestmark = pytest.mark.slow
GROUND = views.survey([])
mounting = pytest.mark.skipif(not GROUND.mounts, reason="this machine allows no mount namespaces")


def config_map(**data: str) -> resources.Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}, "data": data}


def service(**spec: Any) -> resources.Object:
    meta = {"name": "web", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"clusterIP": "127.128.0.9", **spec}}


def shell(script: str, **fields: Any) -> dict[str, Any]:
    return container(command=["sh", "-c", script], **fields)


OUT: dict[str, Any] = {"name": "out", "emptyDir": {}}
AT_OUT = {"name": "out", "mountPath": "/out"}


@mounting
async def test_a_name_that_comes_later_is_known_to_who_runs(tmp_path: pathlib.Path) -> None:
    script = "until getent hosts web.default.svc.cluster.local > /out/said; do sleep 0.05; done; sleep 60"
    async with House(tmp_path) as house, house.running():
        await house.create(pod(shell(script, volumeMounts=[AT_OUT]), volumes=[OUT], terminationGracePeriodSeconds=0))
        await house.until(lambda obj: (obj.get("status") or {}).get("phase") == "Running")
        await house.client.create(resources.SERVICE, service())
        uid = next(iter(house.uids))
        said = tmp_path / "pods" / uid / "volumes/out/said"
        await eventually(lambda: said.is_file() and said.read_text().startswith("127.128.0.9"))


@pytest.mark.parametrize("mounts", [pytest.param(True, marks=mounting), False])
async def test_files_of_a_config_map_follow_it(
    tmp_path: pathlib.Path, mounts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "PERIOD", 0.1)
    script = "until grep -q new /conf/key; do sleep 0.05; done; cat /conf/key > /out/said; sleep 60"
    async with House(tmp_path) as house:
        house.settings = dataclasses.replace(house.settings, mounts=mounts)
        async with house.running():
            await house.client.create(resources.CONFIG_MAP, config_map(key="old"))
            mount = {"name": "conf", "mountPath": "/conf"}
            volumes = [OUT, {"name": "conf", "configMap": {"name": "c"}}]
            one = shell(script, volumeMounts=[AT_OUT, mount])
            await house.create(pod(one, volumes=volumes, terminationGracePeriodSeconds=0))
            await house.until(lambda obj: (obj.get("status") or {}).get("phase") == "Running")
            await house.client.patch(resources.CONFIG_MAP, ("default", "c"), {"data": {"key": "new"}})
            uid = next(iter(house.uids))
            said = tmp_path / "pods" / uid / "volumes/out/said"
            await eventually(lambda: said.is_file() and said.read_text() == "new")
            # A source that goes leaves what there is.
            await house.client.delete(resources.CONFIG_MAP, ("default", "c"), contract.DeleteOptions())
            assert (tmp_path / "pods" / uid / "volumes/conf/key").read_text() == "new"


async def test_a_claim_that_is_bound_a_moment_later_is_waited_for(tmp_path: pathlib.Path) -> None:
    disk = tmp_path / "disk"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "disk"},
    }
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "disk"},
        "spec": {"hostPath": {"path": str(disk), "type": "DirectoryOrCreate"}},
    }
    async with House(tmp_path / "house") as house, house.running():
        await house.client.create(resources.PERSISTENT_VOLUME, volume)
        mounts = [{"name": "data", "mountPath": "/var/lib/brickyard-data"}]
        source = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
        one = shell("echo kept > /var/lib/brickyard-data/file", volumeMounts=mounts)
        await house.create(pod(one, volumes=[source], restartPolicy="Never"))
        await house.client.create(resources.PERSISTENT_VOLUME_CLAIM, claim)
        bound = {"status": {"phase": "Bound"}}
        await house.client.patch(resources.PERSISTENT_VOLUME_CLAIM, ("default", "data"), bound, subresource="status")
        await house.until(lambda obj: (obj.get("status") or {}).get("phase") == "Succeeded")
    assert (disk / "file").read_text() == "kept\n"


async def test_names_do_not_bring_back_a_pod_that_is_gone(tmp_path: pathlib.Path) -> None:
    obj, folder = pod(), records.PodFolder(tmp_path, "u")
    place = surroundings.Place(obj, folder, "127.64.0.1")
    client = kube_testing.MemoryClient()
    names = follower.Names(client, tmp_path / "none")
    following = follower.Follower(names, surroundings.Objects(client, surroundings.Site("n", "h", {})), lambda: [place])
    async with tasks.Scope("test") as scope:
        await names.write(place)
        assert "127.64.0.1" in (folder.path / surroundings.HOSTS).read_text()
        folder.remove()
        scope.start(following.run(), name="follower")
        names.changed.set()
        await eventually(lambda: not names.changed.is_set())
        await names.write(place, make=False)
    assert not folder.path.exists()
