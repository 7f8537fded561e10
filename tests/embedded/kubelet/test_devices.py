"""Extended resources and who has them."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import devices, errors
from brickyard.embedded.kubelet.testing import container
from brickyard.lib import settings


@pytest.mark.parametrize(
    ("name", "extended"),
    [
        ("nvidia.com/gpu", True),
        ("example.com/x", True),
        ("cpu", False),
        ("memory", False),
        ("hugepages-2Mi", False),
        ("kubernetes.io/x", False),
        ("attachable.kubernetes.io/x", False),
    ],
)
def test_what_is_extended(name: str, extended: bool) -> None:
    assert devices.is_extended(name) is extended


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("nvidia.com/gpu=2", {"nvidia.com/gpu": ("0", "1")}),
        (" a.b/c=1 , d.e/f=0,", {"a.b/c": ("0",), "d.e/f": ()}),
    ],
)
def test_inventories_are_read(text: str, expected: dict[str, tuple[str, ...]]) -> None:
    assert devices.parse(text) == expected


@pytest.mark.parametrize("text", ["gpu=2", "nvidia.com/gpu", "nvidia.com/gpu=x", "nvidia.com/gpu=-1", "cpu=4"])
def test_what_is_no_inventory_is_said(text: str) -> None:
    with pytest.raises(settings.SettingError, match="is no extended resource with its count"):
        devices.parse(text)


def test_nvidia_gpus_are_found(tmp_path: pathlib.Path) -> None:
    assert devices.detect({}, tmp_path / "none") == {}
    assert devices.detect({"CUDA_VISIBLE_DEVICES": "0"}, tmp_path / "none") == {}
    for bus in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / bus).mkdir()
    assert devices.detect({}, tmp_path) == {"nvidia.com/gpu": ("0", "1")}
    assert devices.detect({"CUDA_VISIBLE_DEVICES": "1, GPU-7"}, tmp_path) == {"nvidia.com/gpu": ("1", "GPU-7")}
    assert devices.detect({"CUDA_VISIBLE_DEVICES": ""}, tmp_path) == {}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, {}),
        ({"limits": {"nvidia.com/gpu": "2", "cpu": "1"}}, {"nvidia.com/gpu": 2}),
        ({"requests": {"nvidia.com/gpu": 1}}, {"nvidia.com/gpu": 1}),
        ({"limits": {"nvidia.com/gpu": "1.5"}}, {}),
    ],
)
def test_requests(resources: dict[str, Any], expected: dict[str, int]) -> None:
    assert devices.requested(container(resources=resources)) == expected


def test_variables() -> None:
    assert devices.variables({}) == {}
    assert devices.variables({"example.com/x": ("0",)}) == {}
    held = {"nvidia.com/gpu": ("1", "3")}
    assert devices.variables(held) == {"CUDA_VISIBLE_DEVICES": "1,3", "NVIDIA_VISIBLE_DEVICES": "1,3"}


def test_devices_are_given_once_and_come_back() -> None:
    table = devices.Devices(devices.parse("nvidia.com/gpu=3"))
    assert table.capacity == {"nvidia.com/gpu": 3}
    assert table.claim("a", "web", {"nvidia.com/gpu": 2}) == {"nvidia.com/gpu": ("0", "1")}
    assert table.claim("a", "web", {"nvidia.com/gpu": 2}) == {"nvidia.com/gpu": ("0", "1")}
    with pytest.raises(errors.NotStarted, match="asked for, 1 free of 3"):
        table.claim("b", "web", {"nvidia.com/gpu": 2})
    assert table.claim("b", "web", {"nvidia.com/gpu": 1}) == {"nvidia.com/gpu": ("2",)}
    table.release("a")
    assert table.claim("c", "web", {"nvidia.com/gpu": 2}) == {"nvidia.com/gpu": ("0", "1")}


def test_who_asks_for_nothing_gets_nothing() -> None:
    assert devices.Devices({}).claim("a", "web", {}) == {}


def test_what_was_written_down_is_kept() -> None:
    table = devices.Devices(devices.parse("nvidia.com/gpu=2"))
    table.restore("a", "web", {"nvidia.com/gpu": ("1",)})
    assert table.claim("a", "web", {"nvidia.com/gpu": 1}) == {"nvidia.com/gpu": ("1",)}
    assert table.claim("b", "web", {"nvidia.com/gpu": 1}) == {"nvidia.com/gpu": ("0",)}


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3), st.booleans()), max_size=30))
def test_no_device_is_ever_given_twice(steps: list[tuple[str, int, bool]]) -> None:
    table = devices.Devices(devices.parse("nvidia.com/gpu=4"))
    held: dict[str, tuple[str, ...]] = {}
    for uid, count, back in steps:
        if back:
            table.release(uid)
            held.pop(uid, None)
            continue
        try:
            held[uid] = table.claim(uid, "web", {"nvidia.com/gpu": count})["nvidia.com/gpu"]
        except errors.NotStarted:
            assert count > 4 - sum(map(len, held.values()))
        everything = [each for ids in held.values() for each in ids]
        assert len(everything) == len(set(everything))
