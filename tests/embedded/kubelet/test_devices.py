"""Extended resources and who has them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet import devices, errors
from brickyard.embedded.kubelet.gpus import cards, find
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


# What is held → what the process is told.
@pytest.mark.parametrize(
    ("held", "told"),
    [
        ({}, {}),
        ({"example.com/x": ("0",)}, {}),
        (
            {"nvidia.com/gpu": ("GPU-b", "GPU-d")},
            {"CUDA_VISIBLE_DEVICES": "1,3", "NVIDIA_VISIBLE_DEVICES": "GPU-b,GPU-d", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        ),
        (
            {"nvidia.com/mig-1g.10gb": ("MIG-1",)},
            {"CUDA_VISIBLE_DEVICES": "MIG-1", "NVIDIA_VISIBLE_DEVICES": "MIG-1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        ),
        (
            {"nvidia.com/gpu.shared": ("GPU-b::0", "GPU-b::3")},
            {"CUDA_VISIBLE_DEVICES": "1", "NVIDIA_VISIBLE_DEVICES": "GPU-b", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        ),
        ({"amd.com/gpu": ("0", "2")}, {"HIP_VISIBLE_DEVICES": "0,2"}),
    ],
)
def test_variables(held: dict[str, tuple[str, ...]], told: dict[str, str]) -> None:
    table = devices.Devices({}, {"GPU-b": "1", "GPU-d": "3"})
    assert table.variables(held) == told


def test_the_machines_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told by name stands beside what is found, and wins."""
    found = [cards.Card("GPU-a", 0, "H100"), cards.Card("GPU-b", 1, "H100")]
    monkeypatch.setattr(find, "find", lambda environ: found)
    assert devices.of_machine("", 1, {}).capacity == {"nvidia.com/gpu": 2}
    assert devices.of_machine("", 3, {}).capacity == {"nvidia.com/gpu.shared": 6}
    assert devices.of_machine("amd.com/gpu=1", 1, {}).capacity == {"nvidia.com/gpu": 2, "amd.com/gpu": 1}
    assert devices.of_machine("nvidia.com/gpu=1", 1, {}).capacity == {"nvidia.com/gpu": 1}
    with pytest.raises(settings.SettingError):
        devices.of_machine("gpu", 1, {})


def test_what_an_init_container_had_is_its_pods(table_of_two: devices.Devices) -> None:
    table, gpu = table_of_two, "nvidia.com/gpu"
    first = table.claim("a", "init", {gpu: 2}, init=True)
    assert table.claim("a", "next", {gpu: 2}, init=True) == first
    with pytest.raises(errors.NotStarted):
        table.claim("b", "web", {gpu: 1})
    one = table.claim("a", "web", {gpu: 1})
    other = table.claim("a", "side", {gpu: 1})
    assert {*one[gpu], *other[gpu]} == {*first[gpu]}
    with pytest.raises(errors.NotStarted):
        table.claim("a", "more", {gpu: 1})
    table.release("a")
    assert len(table.claim("b", "web", {gpu: 2})[gpu]) == 2


def test_an_init_containers_devices_are_its_pods_after_a_restart_of_the_agent(table_of_two: devices.Devices) -> None:
    table_of_two.restore("a", "init", {"nvidia.com/gpu": ("0", "1")}, init=True)
    assert table_of_two.claim("a", "web", {"nvidia.com/gpu": 2}) == {"nvidia.com/gpu": ("0", "1")}


def test_a_device_that_was_written_down_by_index_is_known_by_its_uuid() -> None:
    table = devices.Devices({"nvidia.com/gpu": ("GPU-a", "GPU-b")}, {"GPU-a": "0", "GPU-b": "1"})
    table.restore("a", "web", {"nvidia.com/gpu": ("1",)})
    assert table.held("a", "web") == {"nvidia.com/gpu": ("GPU-b",)}
    assert table.claim("b", "web", {"nvidia.com/gpu": 1}) == {"nvidia.com/gpu": ("GPU-a",)}


@pytest.fixture
def table_of_two() -> devices.Devices:
    return devices.Devices(devices.parse("nvidia.com/gpu=2"))


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
