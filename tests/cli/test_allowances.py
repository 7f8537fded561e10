"""What a control group leaves us."""

from __future__ import annotations

import pathlib

import psutil
import pytest

from brickyard.cli import allowances

GIB = 1024**3


def group(place: pathlib.Path, limit: str, used: int, *, version: int = 2) -> None:
    place.mkdir(parents=True, exist_ok=True)
    names = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}[version]
    for name, text in zip(names, (limit, str(used)), strict=True):
        (place / name).write_text(f"{text}\n")


@pytest.fixture
def own(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "cgroup"


def test_without_control_groups_the_machine_is_what_there_is(tmp_path: pathlib.Path, own: pathlib.Path) -> None:
    found = allowances.memory(tmp_path, own)
    assert found.limit == 0
    assert 0 < found.free <= psutil.virtual_memory().total


@pytest.mark.parametrize("version", [1, 2])
def test_the_tightest_group_on_the_way_up_counts(tmp_path: pathlib.Path, own: pathlib.Path, version: int) -> None:
    root = tmp_path / "memory" if version == 1 else tmp_path
    own.write_text("4:cpu,memory:/a/b\n" if version == 1 else "0::/a/b\n")
    group(root / "a", str(GIB // 4), GIB // 8, version=version)
    group(root / "a" / "b", str(GIB // 2), GIB // 16, version=version)
    assert allowances.memory(tmp_path, own) == allowances.Memory(free=GIB // 8, limit=GIB // 4)


def test_a_group_that_is_over_its_limit_has_nothing_left(tmp_path: pathlib.Path, own: pathlib.Path) -> None:
    own.write_text("0::/\n")
    group(tmp_path, str(GIB), 2 * GIB)
    assert allowances.memory(tmp_path, own) == allowances.Memory(free=0, limit=GIB)


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])
def test_no_limit_is_none(tmp_path: pathlib.Path, own: pathlib.Path, limit: str) -> None:
    own.write_text("1:name=systemd:/\n0::/\n")
    group(tmp_path, limit, GIB)
    assert allowances.memory(tmp_path, own).limit == 0
