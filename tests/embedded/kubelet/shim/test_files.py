"""Rotation by renaming."""

from __future__ import annotations

import errno
import os
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet.shim import files


def opened(path: pathlib.Path, limit: int = 10, keep: int = 5) -> files.RotatingFile:
    return files.RotatingFile(str(path), limit, keep, lambda count, why: f"({count} lost: {why})".encode())


def everything(path: pathlib.Path) -> bytes:
    paths = [*(name for _, name in files.generations(str(path))), str(path)]
    return b"".join(pathlib.Path(each).read_bytes() for each in paths)


@given(st.lists(st.binary(max_size=20), max_size=40), st.integers(1, 60))
def test_nothing_is_lost_and_nothing_is_divided(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], limit: int
) -> None:
    path = tmp_path_factory.mktemp("logs") / "log"
    log = opened(path, limit, keep=1000)
    for each in pieces:
        log.write(each)
    log.close()
    assert everything(path) == b"".join(pieces)
    longest = max([0, *map(len, pieces)])
    assert all(each.stat().st_size <= max(limit, longest) for each in path.parent.iterdir())


def test_the_oldest_goes(tmp_path: pathlib.Path) -> None:
    log = opened(tmp_path / "log", limit=1, keep=3)
    for number in range(12):
        log.write(b"%d," % number)
    log.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["log", "log.10", "log.11"]
    assert everything(tmp_path / "log") == b"9,10,11,"


def test_two_files_are_the_least(tmp_path: pathlib.Path) -> None:
    log = opened(tmp_path / "log", limit=1, keep=0)
    for number in range(3):
        log.write(b"%d" % number)
    log.close()
    assert everything(tmp_path / "log") == b"12"


def test_numbers_count_as_numbers_and_other_files_do_not(tmp_path: pathlib.Path) -> None:
    for name in ("log", "log.2", "log.10", "log.x", "log.1.new", "other.3"):
        (tmp_path / name).touch()
    assert [number for number, _ in files.generations(str(tmp_path / "log"))] == [2, 10]
    assert files.generations(str(tmp_path / "no" / "log")) == []


def test_an_old_log_is_gone_on_with(tmp_path: pathlib.Path) -> None:
    for text in (b"12345678", b"9", b"0ab"):
        log = opened(tmp_path / "log")
        log.write(text)
        log.close()
    assert (tmp_path / "log").read_bytes() == b"0ab"
    assert (tmp_path / "log.1").read_bytes() == b"123456789"


def test_a_full_disk_costs_lines_and_is_told_when_there_is_room(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, write = opened(tmp_path / "log", limit=1000), os.write
    log.write(b"before ")

    def full(descriptor: int, data: memoryview) -> int:
        if len(data) > 2:
            return write(descriptor, data[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        log.write(b"half of this")
        log.write(b"none of this")
    log.write(b" after")
    log.close()
    assert (tmp_path / "log").read_bytes() == b"before (24 lost: No space left on device) after"


def test_no_room_for_another_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(tmp_path / "log", limit=4)
    log.write(b"one ")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        log.write(b"two ")
    log.write(b"three")
    log.close()
    assert everything(tmp_path / "log") == b"one (4 lost: No space left on device)three"


def test_a_generation_that_cannot_be_deleted_is_left(tmp_path: pathlib.Path) -> None:
    (tmp_path / "log.1").mkdir()
    log = opened(tmp_path / "log", limit=1, keep=2)
    for number in range(3):
        log.write(b"%d" % number)
    log.close()
    assert (tmp_path / "log").read_bytes() == b"2"
