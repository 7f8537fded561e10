"""Volumes as folders."""

from __future__ import annotations

import base64
import pathlib
import threading
from concurrent import futures
from typing import Any

import pytest

from brickyard.embedded.kubelet import atomicfiles, environment, errors, volumes
from brickyard.embedded.kubelet.testing import container, pod


def prepared(tmp_path: pathlib.Path, *found: dict[str, Any], **held: Any) -> dict[str, pathlib.Path]:
    obj = pod(volumes=list(found))
    return volumes.prepare(obj, tmp_path, environment.Facts(obj, "here", "h", "p", **held))


def shown(place: pathlib.Path) -> list[pathlib.Path]:
    """What a program that lists the folder is shown, but for the links behind it."""
    return sorted(each for each in place.iterdir() if not each.name.startswith(".."))


def content(place: pathlib.Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in shown(place)}


def test_an_empty_dir_is_made_and_kept(tmp_path: pathlib.Path) -> None:
    place = prepared(tmp_path, {"name": "v", "emptyDir": {}})["v"]
    (place / "x").write_text("kept")
    assert prepared(tmp_path, {"name": "v", "emptyDir": {}})["v"] == place
    assert (place / "x").read_text() == "kept"


CONFIG = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}, "binaryData": {"bin": "AAE="}}


def test_a_config_map_becomes_files_and_follows_changes(tmp_path: pathlib.Path) -> None:
    volume = {"name": "v", "configMap": {"name": "c"}}
    place = prepared(tmp_path, volume, config_maps={"c": CONFIG})["v"]
    assert content(place) == {"a": b"1", "b": b"2", "bin": b"\0\1"}
    prepared(tmp_path, volume, config_maps={"c": {**CONFIG, "data": {"a": "new"}, "binaryData": {}}})
    assert content(place) == {"a": b"new"}


def test_items_choose_and_rename(tmp_path: pathlib.Path) -> None:
    source = {"name": "c", "items": [{"key": "a", "path": "deep/er"}], "defaultMode": 0o755}
    place = prepared(tmp_path, {"name": "v", "configMap": source}, config_maps={"c": CONFIG})["v"]
    assert (place / "deep/er").read_text() == "1"
    assert (place / "deep/er").stat().st_mode & 0o777 == 0o755
    assert [each.name for each in shown(place)] == ["deep"]


# mode of the item, defaultMode, the file's
MODES = [(None, None, 0o644), (None, 0o600, 0o600), (0o755, None, 0o755), (0o400, 0o755, 0o400), (0o777, None, 0o755)]


@pytest.mark.parametrize(("own", "default", "found"), MODES)
def test_an_items_own_mode_wins(tmp_path: pathlib.Path, own: int | None, default: int | None, found: int) -> None:
    source = {"name": "c", "items": [{"key": "a", "path": "x", "mode": own}], "defaultMode": default}
    place = prepared(tmp_path, {"name": "v", "configMap": source}, config_maps={"c": CONFIG})["v"]
    assert (place / "x").stat().st_mode & 0o777 == found


def test_containers_that_start_together_do_not_disturb_each_other(tmp_path: pathlib.Path) -> None:
    volume = {"name": "v", "configMap": {"name": "c"}}
    together = threading.Barrier(4)

    def start(_: int) -> None:
        for turn in range(10):
            held = {**CONFIG, "data": {f"{turn}.{each}": "x" for each in range(20)}}
            together.wait(10)
            prepared(tmp_path, volume, config_maps={"c": held})

    with futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(start, range(4)))
    left = {each.name for each in shown(tmp_path / "v")}
    assert left == {"bin", *(f"9.{each}" for each in range(20))}
    assert [each.name for each in tmp_path.iterdir()] == ["v"]


def test_a_secret_is_for_nobody_else(tmp_path: pathlib.Path) -> None:
    held = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"k": base64.b64encode(b"sesame").decode()}}
    volume = {"name": "v", "secret": {"secretName": "s", "defaultMode": 0o400}}
    place = prepared(tmp_path, volume, secrets={"s": held})["v"]
    assert (place / "k").read_bytes() == b"sesame"
    assert (place / "k").stat().st_mode & 0o777 == 0o400
    assert place.stat().st_mode & 0o077 == 0
    prepared(tmp_path, volume, secrets={"s": {**held, "data": {"k": base64.b64encode(b"other").decode()}}})
    assert (place / "k").read_bytes() == b"other"


def held(**spec: Any) -> environment.Claimed:
    return environment.Claimed({}, {"metadata": {"name": "disk"}, "spec": {"capacity": {}, **spec}})


CLAIMS = {
    "none": None,
    "open": environment.Claimed({}),
    "far": held(nfs={"server": "x"}),
    "gone": held(local={"path": "/no/such/place"}),
}

# volume, what the refusal says
REFUSED = [
    ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
    ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
    ({"configMap": {"name": "c", "items": [{"key": "zz", "path": "x"}]}}, "couldn't find key zz in configmap c"),
    ({"configMap": {"name": "c", "items": [{"key": "a", "path": "../x"}]}}, "leaves the volume"),
    ({"hostPath": {"path": "/no/such/place", "type": "Directory"}}, "is no directory on this machine: create it"),
    ({"hostPath": {"path": "/no/such/place", "type": "File"}}, "is no file on this machine"),
    ({"hostPath": {"path": "/proc/x/y", "type": "DirectoryOrCreate"}}, "cannot be made"),
    ({"nfs": {"server": "x", "path": "/"}}, "nfs is not supported on one machine"),
    ({"persistentVolumeClaim": {"claimName": "none"}}, 'persistentvolumeclaim "none" not found'),
    ({"persistentVolumeClaim": {"claimName": "open"}}, "is not bound to a volume: see `kubectl describe pvc open`"),
    ({"persistentVolumeClaim": {"claimName": "far"}}, "volume disk is of kind nfs: on one machine"),
    ({"persistentVolumeClaim": {"claimName": "gone"}}, "hostPath /no/such/place is no directory"),
    ({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}, "ServiceAccounts have no tokens"),
    ({"projected": {"sources": [{"clusterTrustBundle": {"path": "t"}}]}}, "clusterTrustBundle is not supported"),
    ({"projected": {"sources": [{"secret": {"name": "none"}}]}}, 'secret "none" not found'),
    (
        {"configMap": {"name": "c", "items": [{"key": "a", "path": "x"}, {"key": "b", "path": "x/y"}]}},
        "file and a folder",
    ),
]


@pytest.mark.parametrize(("volume", "message"), REFUSED)
def test_what_cannot_be_had_is_said(tmp_path: pathlib.Path, volume: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.NotStarted) as caught:
        prepared(
            tmp_path,
            {"name": "v", **volume},
            config_maps={"c": CONFIG, "none": None},
            secrets={"none": None},
            claims=CLAIMS,
        )
    assert caught.value.reason == "CreateContainerConfigError"
    assert message in str(caught.value)


def test_optional_sources_may_be_missing(tmp_path: pathlib.Path) -> None:
    volume = {"name": "v", "configMap": {"name": "none", "optional": True}}
    assert shown(prepared(tmp_path, volume, config_maps={"none": None})["v"]) == []


def test_host_paths_are_what_they_are(tmp_path: pathlib.Path) -> None:
    made = tmp_path / "made"
    found = prepared(
        tmp_path / "pod",
        {"name": "d", "hostPath": {"path": str(made), "type": "DirectoryOrCreate"}},
        {"name": "f", "hostPath": {"path": str(tmp_path / "file"), "type": "FileOrCreate"}},
        {"name": "any", "hostPath": {"path": "/no/such/place"}},
    )
    assert found == {"d": made, "f": tmp_path / "file", "any": pathlib.Path("/no/such/place")}
    assert made.is_dir()
    assert (tmp_path / "file").is_file()


# Mounts.


def test_mounts_and_sub_paths(tmp_path: pathlib.Path) -> None:
    one = container(
        volumeMounts=[
            {"name": "v", "mountPath": "/a"},
            {"name": "v", "mountPath": "/b", "subPath": "in/side", "readOnly": True},
            {"name": "v", "mountPath": "/c", "subPathExpr": "$(POD)"},
        ]
    )
    found = volumes.mounts(one, {"v": tmp_path}, {"POD": "web-1"})
    assert found == [
        volumes.Mount("/a", tmp_path),
        volumes.Mount("/b", tmp_path / "in/side", read_only=True),
        volumes.Mount("/c", tmp_path / "web-1"),
    ]
    assert (tmp_path / "in/side").is_dir()


@pytest.mark.parametrize("path", ["../up", "/root", "a/../../b"])
def test_a_sub_path_stays_inside(tmp_path: pathlib.Path, path: str) -> None:
    one = container(volumeMounts=[{"name": "v", "mountPath": "/a", "subPath": path}])
    with pytest.raises(errors.NotStarted, match="leaves the volume"):
        volumes.mounts(one, {"v": tmp_path}, {})


def test_a_mount_without_volume_names_those_there_are(tmp_path: pathlib.Path) -> None:
    one = container(volumeMounts=[{"name": "w", "mountPath": "/a"}])
    with pytest.raises(errors.NotStarted, match="there is no volume 'w'; known are v"):
        volumes.mounts(one, {"v": tmp_path}, {})


def test_a_sub_path_does_not_follow_a_link_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume/out").symlink_to("/etc")
    one = container(volumeMounts=[{"name": "v", "mountPath": "/a", "subPath": "out"}])
    with pytest.raises(errors.NotStarted, match="leaves the volume by a link"):
        volumes.mounts(one, {"v": tmp_path / "volume"}, {})


def test_a_sub_path_of_files_is_one_of_them(tmp_path: pathlib.Path) -> None:
    place = prepared(tmp_path, {"name": "v", "configMap": {"name": "c"}}, config_maps={"c": CONFIG})["v"]
    (found,) = volumes.mounts(
        container(volumeMounts=[{"name": "v", "mountPath": "/a", "subPath": "a"}]), {"v": place}, {}
    )
    assert found.target.read_bytes() == b"1"
    none = container(volumeMounts=[{"name": "v", "mountPath": "/a", "subPath": "z"}])
    with pytest.raises(errors.NotStarted, match="has no file 'z'"):
        volumes.mounts(none, {"v": place}, {})


# Claims.


def test_a_claims_volume_is_its_folder(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "disk"
    claims = {
        "made": held(hostPath={"path": str(folder), "type": "DirectoryOrCreate"}),
        "a-own": held(hostPath={"path": str(tmp_path)}),
        "local": held(local={"path": str(tmp_path)}),
    }
    found = prepared(
        tmp_path / "pod",
        {"name": "v", "persistentVolumeClaim": {"claimName": "made"}},
        {"name": "own", "ephemeral": {"volumeClaimTemplate": {}}},
        {"name": "w", "persistentVolumeClaim": {"claimName": "local"}},
        claims=claims,
    )
    assert found == {"v": folder, "own": tmp_path, "w": tmp_path}
    assert folder.is_dir()


# Memory.


def test_memory_is_memory_and_goes_with_the_pod(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "MEMORY", tmp_path / "shm")
    (tmp_path / "shm").mkdir()
    obj = pod(volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}])
    facts = environment.Facts(obj, "here", "h", "p")
    place = volumes.prepare(obj, tmp_path / "pod", facts)["v"]
    assert place.parent == tmp_path / "shm"
    (place / "x").write_text("kept")
    assert (volumes.prepare(obj, tmp_path / "pod", facts)["v"] / "x").read_text() == "kept"
    volumes.discard(tmp_path / "pod")
    assert not place.exists()
    # After a boot the folder is there and the memory is not.
    assert volumes.prepare(obj, tmp_path / "pod", facts)["v"] == place
    assert place.is_dir()


def test_memory_is_made_once_for_containers_that_start_together(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "MEMORY", tmp_path / "shm")
    (tmp_path / "shm").mkdir()
    obj = pod(volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}])
    facts = environment.Facts(obj, "here", "h", "p")
    together = threading.Barrier(4)

    def prepare(folder: pathlib.Path) -> pathlib.Path:
        together.wait(10)
        return volumes.prepare(obj, folder, facts)["v"]

    with futures.ThreadPoolExecutor(4) as pool:
        for number in range(50):
            places = list(pool.map(prepare, [tmp_path / f"pod-{number}"] * 4))
            assert len(set(places)) == 1


def test_only_memory_of_ours_is_discarded(tmp_path: pathlib.Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "pod").mkdir()
    (tmp_path / "pod/link").symlink_to(tmp_path / "precious")
    volumes.discard(tmp_path / "pod")
    volumes.discard(tmp_path / "none")
    assert (tmp_path / "precious").is_dir()


# The pod's own fields, and several sources in one.


def test_fields_of_the_pod_are_files(tmp_path: pathlib.Path) -> None:
    items = [
        {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
        {"path": "cpu", "resourceFieldRef": {"containerName": "web", "resource": "limits.cpu", "divisor": "1m"}},
    ]
    one = container(resources={"limits": {"cpu": "1500m"}})
    obj = pod(one, volumes=[{"name": "v", "downwardAPI": {"items": items, "defaultMode": 0o600}}])
    obj["metadata"]["labels"] = {"app": "web", "tier": "front"}
    place = volumes.prepare(obj, tmp_path, environment.Facts(obj, "here", "h", "p"))["v"]
    assert content(place) == {"labels": b'app="web"\ntier="front"', "cpu": b"1500"}
    assert (place / "labels").stat().st_mode & 0o777 == 0o600


def test_several_sources_make_one_volume(tmp_path: pathlib.Path) -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"k": base64.b64encode(b"sesame").decode()}}
    sources = [
        {"configMap": {"name": "c", "items": [{"key": "a", "path": "conf/a"}]}},
        {"secret": {"name": "s", "items": [{"key": "k", "path": "conf/k", "mode": 0o400}]}},
        {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        {"configMap": {"name": "none", "optional": True}},
    ]
    volume = {"name": "v", "projected": {"sources": sources}}
    place = prepared(tmp_path, volume, config_maps={"c": CONFIG, "none": None}, secrets={"s": secret})["v"]
    assert sorted(each.name for each in shown(place)) == ["conf", "name"]
    assert (place / "conf/k").read_bytes() == b"sesame"
    assert (place / "conf/k").stat().st_mode & 0o777 == 0o400


# Following the API.


def test_files_change_all_at_once(tmp_path: pathlib.Path) -> None:
    volume = {"name": "v", "configMap": {"name": "c"}}
    place = prepared(tmp_path, volume, config_maps={"c": CONFIG})["v"]
    before = (place / atomicfiles.DATA).readlink()
    obj = pod(volumes=[volume, {"name": "later", "configMap": {"name": "c"}}])
    same = environment.Facts(obj, "here", "h", "p", config_maps={"c": CONFIG})
    assert volumes.follows(obj)
    assert volumes.refresh(obj, tmp_path, same) == []
    newer = {**CONFIG, "data": {"a": "9"}}
    assert volumes.refresh(obj, tmp_path, environment.Facts(obj, "h", "h", "p", config_maps={"c": newer})) == ["v"]
    assert (place / "a").read_bytes() == b"9"
    assert (place / atomicfiles.DATA).readlink() != before
    assert not volumes.follows(pod(volumes=[{"name": "e", "emptyDir": {}}]))
