"""Folders that change as a whole."""

from __future__ import annotations

import pathlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import atomicfiles

File = atomicfiles.File


def content(folder: pathlib.Path) -> dict[str, bytes]:
    data = folder / atomicfiles.DATA
    return {str(each.relative_to(data)): each.read_bytes() for each in data.rglob("*") if each.is_file()}


def test_the_layout_is_that_of_kubernetes(tmp_path: pathlib.Path) -> None:
    assert atomicfiles.write(tmp_path, {"a": File(b"1"), "deep/b": File(b"2")})
    assert (tmp_path / "a").readlink() == pathlib.Path("..data/a")
    assert (tmp_path / "deep").readlink() == pathlib.Path("..data/deep")
    version = (tmp_path / atomicfiles.DATA).readlink()
    assert str(version).startswith("..")
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(["..data", str(version), "a", "deep"])


def test_the_same_content_is_not_written_again(tmp_path: pathlib.Path) -> None:
    atomicfiles.write(tmp_path, {"a": File(b"1")})
    assert not atomicfiles.write(tmp_path, {"a": File(b"1")})
    assert atomicfiles.write(tmp_path, {"a": File(b"1", 0o600)})
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_what_was_open_stays_readable(tmp_path: pathlib.Path) -> None:
    atomicfiles.write(tmp_path, {"a": File(b"old")})
    with (tmp_path / "a").open("rb") as held:
        atomicfiles.write(tmp_path, {"a": File(b"new")})
        assert held.read() == b"old"
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_reader_never_sees_half_of_a_change(tmp_path: pathlib.Path) -> None:
    folder, done = tmp_path / "v", threading.Event()
    atomicfiles.write(folder, {"a": File(b"0"), "b": File(b"0")})
    torn: list[tuple[bytes, bytes]] = []

    def read() -> None:
        while not done.is_set():
            # One look at where the data is: that is how programs that care read several files.
            version = folder / (folder / atomicfiles.DATA).readlink()
            try:
                pair = (version / "a").read_bytes(), (version / "b").read_bytes()
            except FileNotFoundError:
                continue  # replaced meanwhile
            if pair[0] != pair[1]:
                torn.append(pair)

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(100):
        text = str(turn).encode()
        atomicfiles.write(folder, {"a": File(text), "b": File(text)})
    done.set()
    reader.join(10)
    assert not torn


def test_what_a_killed_writer_left_is_swept(tmp_path: pathlib.Path) -> None:
    (tmp_path / "..new-x").mkdir()
    (tmp_path / "stray").mkdir()
    (tmp_path / "a").mkdir()
    atomicfiles.write(tmp_path, {"a": File(b"1")})
    assert {each.name for each in tmp_path.iterdir() if not each.name.startswith("..")} == {"a"}
    assert (tmp_path / "a").read_bytes() == b"1"


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", ""])
def test_nothing_leaves_the_folder(tmp_path: pathlib.Path, path: str) -> None:
    with pytest.raises(ValueError, match="leaves the volume"):
        atomicfiles.write(tmp_path / "v", {path: File(b"")})


def test_a_refused_change_leaves_what_there_is(tmp_path: pathlib.Path) -> None:
    atomicfiles.write(tmp_path, {"a": File(b"1")})
    with pytest.raises(ValueError, match="a file and a folder at once"):
        atomicfiles.write(tmp_path, {"a": File(b"2"), "a/b": File(b"3")})
    assert content(tmp_path) == {"a": b"1"}
    assert not list(tmp_path.glob("..new-*"))


_trees = st.dictionaries(st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"]), st.binary(max_size=3), max_size=5)


@given(st.lists(_trees, min_size=1, max_size=4))
def test_the_last_content_is_all_there_is(
    tmp_path_factory: pytest.TempPathFactory, trees: list[dict[str, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("v")
    for tree in trees:
        atomicfiles.write(folder, {path: File(text) for path, text in tree.items()})
        assert content(folder) == tree
    names = {path.split("/")[0] for path in trees[-1]}
    assert {each.name for each in folder.iterdir() if not each.name.startswith("..")} == names
    assert len(list(folder.iterdir())) == len(names) + 2
