"""Volumes as folders, and mount paths as local ones."""

from __future__ import annotations

import base64
import pathlib
import threading
from concurrent import futures
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import environment, errors, volumes
from brickyard.embedded.kubelet.testing import container, pod

MOUNTS = {
    "/models": pathlib.Path("/data/m"),
    "/models/hot": pathlib.Path("/fast"),
    "/etc/conf": pathlib.Path("/pods/c"),
}

# text, mapped
TEXTS = [
    ("/models", "/data/m"),
    ("/models/", "/data/m/"),
    ("/models/a/b.gguf", "/data/m/a/b.gguf"),
    ("--model=/models/x", "--model=/data/m/x"),
    ("/a:/models:/etc/conf/k", "/a:/data/m:/pods/c/k"),
    ("cat '/models/x' > /models/y", "cat '/data/m/x' > /data/m/y"),
    ("/models/hot/x", "/fast/x"),
    ("/models/hotter/x", "/data/m/hotter/x"),
    ("/models2", "/models2"),
    ("/models.bak", "/models.bak"),
    ("/srv/models", "/srv/models"),
    ("http://host/models/x", "http://host/models/x"),
    ("models/x", "models/x"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_mount_paths_are_replaced_on_their_borders(text: str, expected: str) -> None:
    assert volumes.PathMap(MOUNTS).apply(text) == expected


@given(st.text(max_size=40))
def test_without_mounts_nothing_changes(text: str) -> None:
    assert volumes.PathMap({}).apply(text) == text
    assert volumes.PathMap({"/x": pathlib.Path("/x")}).apply(text) == text


def test_a_trailing_slash_of_a_mount_path_means_nothing() -> None:
    assert volumes.PathMap({"/models/": pathlib.Path("/m")}).apply("/models/x") == "/m/x"


def test_what_was_replaced_is_not_replaced_again() -> None:
    swapped = volumes.PathMap({"/a": pathlib.Path("/b"), "/b": pathlib.Path("/a")})
    assert swapped.apply_all(["/a/x", "/b/x"]) == ("/b/x", "/a/x")


def prepared(tmp_path: pathlib.Path, *found: dict[str, Any], **held: Any) -> dict[str, pathlib.Path]:
    obj = pod(volumes=list(found))
    return volumes.prepare(obj, tmp_path, environment.Facts(obj, "here", "h", "p", **held))


def test_an_empty_dir_is_made_and_kept(tmp_path: pathlib.Path) -> None:
    place = prepared(tmp_path, {"name": "v", "emptyDir": {"medium": "Memory"}})["v"]
    (place / "x").write_text("kept")
    assert prepared(tmp_path, {"name": "v", "emptyDir": {}})["v"] == place
    assert (place / "x").read_text() == "kept"


CONFIG = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}, "binaryData": {"bin": "AAE="}}


def test_a_config_map_becomes_files_and_follows_changes(tmp_path: pathlib.Path) -> None:
    volume = {"name": "v", "configMap": {"name": "c"}}
    place = prepared(tmp_path, volume, config_maps={"c": CONFIG})["v"]
    assert {each.name: each.read_bytes() for each in place.iterdir()} == {"a": b"1", "b": b"2", "bin": b"\0\1"}
    prepared(tmp_path, volume, config_maps={"c": {**CONFIG, "data": {"a": "new"}, "binaryData": {}}})
    assert {each.name: each.read_bytes() for each in place.iterdir()} == {"a": b"new"}


def test_items_choose_and_rename(tmp_path: pathlib.Path) -> None:
    source = {"name": "c", "items": [{"key": "a", "path": "deep/er"}], "defaultMode": 0o755}
    place = prepared(tmp_path, {"name": "v", "configMap": source}, config_maps={"c": CONFIG})["v"]
    assert (place / "deep/er").read_text() == "1"
    assert (place / "deep/er").stat().st_mode & 0o777 == 0o755
    assert [each.name for each in place.iterdir()] == ["deep"]


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
    left = {each.name for each in (tmp_path / "v").iterdir()}
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


# volume, what the refusal says
REFUSED = [
    ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
    ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
    ({"configMap": {"name": "c", "items": [{"key": "zz", "path": "x"}]}}, "couldn't find key zz in configmap c"),
    ({"configMap": {"name": "c", "items": [{"key": "a", "path": "../x"}]}}, "leaves the volume"),
    ({"hostPath": {"path": "/no/such/place", "type": "Directory"}}, "is no directory on this machine: create it"),
    ({"hostPath": {"path": "/no/such/place", "type": "File"}}, "is no file on this machine"),
    ({"hostPath": {"path": "/proc/x/y", "type": "DirectoryOrCreate"}}, "cannot be made"),
    ({"persistentVolumeClaim": {"claimName": "x"}}, "persistentVolumeClaim is not supported on one machine"),
]


@pytest.mark.parametrize(("volume", "message"), REFUSED)
def test_what_cannot_be_had_is_said(tmp_path: pathlib.Path, volume: dict[str, Any], message: str) -> None:
    with pytest.raises(errors.NotStarted) as caught:
        prepared(tmp_path, {"name": "v", **volume}, config_maps={"c": CONFIG, "none": None}, secrets={"none": None})
    assert caught.value.reason == "CreateContainerConfigError"
    assert message in str(caught.value)


def test_optional_sources_may_be_missing(tmp_path: pathlib.Path) -> None:
    volume = {"name": "v", "configMap": {"name": "none", "optional": True}}
    assert list(prepared(tmp_path, volume, config_maps={"none": None})["v"].iterdir()) == []


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
            {"name": "v", "mountPath": "/b", "subPath": "in/side"},
            {"name": "v", "mountPath": "/c", "subPathExpr": "$(POD)"},
        ]
    )
    found = volumes.mounts(one, {"v": tmp_path}, {"POD": "web-1"})
    assert found == {"/a": tmp_path, "/b": tmp_path / "in/side", "/c": tmp_path / "web-1"}
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
