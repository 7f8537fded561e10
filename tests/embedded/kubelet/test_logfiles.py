"""Rotated logs read back, whatever happens to them meanwhile."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import logfiles
from brickyard.embedded.kubelet.shim import files


def rest(reader: logfiles.Reader) -> bytes:
    parts = []
    while chunk := reader.next():
        parts.append(chunk)
    return b"".join(parts)


def text(path: pathlib.Path, tail: int | None = None, ends: Callable[[bytes], bool] = bool) -> bytes:
    reader = logfiles.Reader(path, tail, ends)
    try:
        return rest(reader)
    finally:
        reader.close()


def rotating(path: pathlib.Path, limit: int = 10, keep: int = 100) -> files.RotatingFile:
    return files.RotatingFile(str(path), limit, keep, lambda *_: b"")


lines = st.lists(st.binary(max_size=30).map(lambda each: each.replace(b"\n", b"") + b"\n"), max_size=40)


@given(lines, st.integers(0, 50), st.integers(1, 60), st.booleans())
def test_the_tail_is_the_tail_of_everything(
    tmp_path_factory: pytest.TempPathFactory, written: list[bytes], tail: int, limit: int, unfinished: bool
) -> None:
    path = tmp_path_factory.mktemp("logs") / "log"
    log = rotating(path, limit)
    written = [*written, b"and so"] if unfinished else written
    for each in written:
        log.write(each)
    log.close()
    assert text(path) == b"".join(written)
    assert text(path, tail) == b"".join(written[len(written) - tail :] if tail < len(written) else written)


@given(lines, st.integers(0, 50))
def test_blocks_of_any_size_give_the_same_tail(
    tmp_path_factory: pytest.TempPathFactory, written: list[bytes], tail: int
) -> None:
    path = tmp_path_factory.mktemp("logs") / "log"
    path.write_bytes(b"".join(written))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logfiles, "CHUNK", 7)
        assert text(path, tail) == b"".join(written[max(0, len(written) - tail) :])


@given(lines, st.integers(1, 200), st.lists(st.integers(0, 5), max_size=40))
def test_a_reader_misses_nothing_while_the_log_is_rotated(
    tmp_path_factory: pytest.TempPathFactory, written: list[bytes], limit: int, reads: list[int]
) -> None:
    path = tmp_path_factory.mktemp("logs") / "log"
    log = rotating(path, limit)
    reader, seen = logfiles.Reader(path), b""
    for each, count in zip(written, [*reads, *[0] * len(written)], strict=False):
        log.write(each)
        for _ in range(count):
            seen += reader.next()
    seen += rest(reader)
    reader.close()
    log.close()
    assert seen == b"".join(written)


def test_a_reader_that_was_left_far_behind_goes_on_with_what_is_kept(tmp_path: pathlib.Path) -> None:
    log = rotating(tmp_path / "log", limit=1, keep=3)
    log.write(b"0\n")
    reader = logfiles.Reader(tmp_path / "log")
    for number in range(1, 9):
        log.write(b"%d\n" % number)
    assert rest(reader) == b"0\n6\n7\n8\n"
    reader.close()
    log.close()


def test_between_the_renaming_and_the_new_file_there_is_nothing_yet(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    reader = logfiles.Reader(path)
    assert rest(reader) == b"one\n"
    path.rename(tmp_path / "log.1")
    assert rest(reader) == b""
    path.write_bytes(b"two\n")
    assert rest(reader) == b"two\n"
    reader.close()


def test_a_log_that_is_deleted_is_read_to_its_end(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    reader = logfiles.Reader(path)
    path.unlink()
    assert rest(reader) == b"one\n"
    assert rest(reader) == b""
    reader.close()


def test_what_is_not_there(tmp_path: pathlib.Path) -> None:
    assert not logfiles.exists(tmp_path / "log")
    with pytest.raises(FileNotFoundError):
        logfiles.Reader(tmp_path / "log")


def test_no_descriptor_is_left_open(tmp_path: pathlib.Path) -> None:
    log = rotating(tmp_path / "log", limit=1)
    for _ in range(5):
        log.write(b"x\n")
    log.close()
    before = len(os.listdir("/proc/self/fd"))
    for tail in (None, 0, 2, 99):
        text(tmp_path / "log", tail)
    assert len(os.listdir("/proc/self/fd")) == before
