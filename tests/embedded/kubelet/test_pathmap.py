"""Mount paths replaced by local ones."""

from __future__ import annotations

import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import pathmap

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
    assert pathmap.PathMap(MOUNTS).apply(text) == expected


@given(st.text(max_size=40))
def test_without_mounts_nothing_changes(text: str) -> None:
    assert pathmap.PathMap({}).apply(text) == text
    assert pathmap.PathMap({"/x": pathlib.Path("/x")}).apply(text) == text


def test_a_trailing_slash_of_a_mount_path_means_nothing() -> None:
    assert pathmap.PathMap({"/models/": pathlib.Path("/m")}).apply("/models/x") == "/m/x"


def test_what_was_replaced_is_not_replaced_again() -> None:
    swapped = pathmap.PathMap({"/a": pathlib.Path("/b"), "/b": pathlib.Path("/a")})
    assert swapped.apply_all(["/a/x", "/b/x"]) == ("/b/x", "/a/x")


# here, text, mapped: the machine's own programs stand for the image's
MACHINE = {"/opt/venv/bin/python", "/vol/data", "/opt/data"}
OWN = [
    ("/opt/venv/bin/python", "/opt/venv/bin/python"),
    ("/opt/data", "/vol/data"),
    ("/opt/new", "/vol/new"),
    ("/opt", "/vol"),
    ("/opt/", "/vol/"),
    ("PATH=/opt/venv/bin/python:/opt/x", "PATH=/opt/venv/bin/python:/vol/x"),
]


@pytest.mark.parametrize(("text", "expected"), OWN)
def test_what_the_machine_has_and_the_volume_has_not_stays(text: str, expected: str) -> None:
    found = pathmap.PathMap({"/opt": pathlib.Path("/vol")}, exists=MACHINE.__contains__)
    assert found.apply(text) == expected


@given(st.text(alphabet='/ab:= "', max_size=30))
def test_nothing_but_mount_paths_changes(text: str) -> None:
    mapped = pathmap.PathMap({"/a": pathlib.Path("/Z")}, exists=lambda _: False).apply(text)
    assert mapped.replace("/Z", "/a") == text
