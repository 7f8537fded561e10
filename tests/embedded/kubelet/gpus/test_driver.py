"""GPUs without NVML: nvidia-smi's list, the driver's files, and who is asked first."""

from __future__ import annotations

import pathlib

import pytest

from brickyard.embedded.kubelet.gpus import cards, driver, find, nvml

LISTING = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-b8b2a4f4-9f1f-6a0e-6a9e-2c1b4f5f7f11)
  MIG 1g.10gb     Device  0: (UUID: MIG-377e0049-554c-540b-93c6-d0976f8426cb)
  MIG 2g.20gb     Device  1: (UUID: MIG-4c60d78c-506f-5593-938d-a136eaa1fa52)
GPU 2: NVIDIA H100 80GB HBM3 (UUID: GPU-11111111-9f1f-6a0e-6a9e-2c1b4f5f7f11)
"""
INFORMATION = """\
Model: \t\t NVIDIA A100-SXM4-40GB
IRQ:   \t\t 146
GPU UUID: \t {uuid}
Video BIOS: \t ??.??.??.??.??
Bus Type: \t PCIe
"""


def test_what_nvidia_smi_lists() -> None:
    assert [(each.uuid[:8], each.index, each.name, each.profile) for each in driver.parse(LISTING)] == [
        ("GPU-5c89", 0, "NVIDIA A100-SXM4-40GB", ""),
        ("MIG-377e", 1, "NVIDIA H100 80GB HBM3", "1g.10gb"),
        ("MIG-4c60", 1, "NVIDIA H100 80GB HBM3", "2g.20gb"),
        ("GPU-1111", 2, "NVIDIA H100 80GB HBM3", ""),
    ]


@pytest.mark.parametrize("text", ["", "No devices found.\n", "  MIG 1g.10gb     Device  0: (UUID: MIG-1)\n"])
def test_what_is_no_list(text: str) -> None:
    assert driver.parse(text) == []


def script(folder: pathlib.Path, body: str) -> str:
    path = folder / "smi"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return str(path)


def test_nvidia_smi_is_asked(tmp_path: pathlib.Path) -> None:
    (tmp_path / "listing").write_text(LISTING)
    found = driver.ask(script(tmp_path, f'[ "$1" = -L ] && cat {tmp_path}/listing'))
    assert found is not None
    assert len(found) == 4


def test_nvidia_smi_that_fails(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert driver.ask(str(tmp_path / "none")) is None
    assert driver.ask(script(tmp_path, "echo no driver; exit 9")) is None
    monkeypatch.setattr(driver, "DEADLINE", 0.05)
    assert driver.ask(script(tmp_path, "exec sleep 30")) is None


def files(folder: pathlib.Path, **uuids: str) -> pathlib.Path:
    for bus, uuid in uuids.items():
        (folder / bus).mkdir(parents=True)
        (folder / bus / "information").write_text(INFORMATION.format(uuid=uuid))
    return folder


def test_the_drivers_files(tmp_path: pathlib.Path) -> None:
    assert driver.read(tmp_path / "none") == []
    uuid = "GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f"
    found = driver.read(files(tmp_path, b2="GPU-????????-????-????-????-????????????", a1=uuid))
    (tmp_path / "c3").mkdir()
    assert found == [
        cards.Card(uuid, 0, "NVIDIA A100-SXM4-40GB"),
        cards.Card("1", 1, "NVIDIA A100-SXM4-40GB"),
    ]
    assert driver.read(tmp_path)[2] == cards.Card("2", 2, "")


ONE, TWO, THREE = (cards.Card(f"GPU-{name}", 0, "x") for name in ("nvml", "smi", "proc"))


# NVML, nvidia-smi, /proc → whose word is taken.
@pytest.mark.parametrize(
    ("by_nvml", "by_smi", "by_proc", "taken"),
    [
        ([ONE], [TWO], [THREE], [ONE]),
        ([], [TWO], [THREE], []),
        (None, [TWO], [THREE], [TWO]),
        (None, None, [THREE], [THREE]),
        (None, [], [THREE], [THREE]),
        (None, [TWO], [], [TWO]),
        (None, None, [], []),
    ],
)
def test_who_is_asked(
    monkeypatch: pytest.MonkeyPatch,
    by_nvml: list[cards.Card] | None,
    by_smi: list[cards.Card] | None,
    by_proc: list[cards.Card],
    taken: list[cards.Card],
) -> None:
    def of_nvml() -> list[cards.Card]:
        if by_nvml is None:
            raise nvml.NoNvmlError("no driver")
        return by_nvml

    monkeypatch.setattr(nvml, "find", of_nvml)
    monkeypatch.setattr(driver, "ask", lambda: by_smi)
    monkeypatch.setattr(driver, "read", lambda: by_proc)
    assert find.find({}) == taken
    assert find.find({"CUDA_VISIBLE_DEVICES": ""}) == []
