"""GPUs without NVML's bindings: what ``nvidia-smi -L`` lists, or what the driver's files in /proc say."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess

from brickyard.embedded.kubelet.gpus import cards

FILES = pathlib.Path("/proc/driver/nvidia/gpus")
SMI = "nvidia-smi"
DEADLINE = 20.0
"""Seconds for ``nvidia-smi``: it wakes the driver, once for each GPU."""

_GPU = re.compile(r"GPU (\d+): (.+) \(UUID: (GPU-[^)]+)\)")
_PART = re.compile(r"\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[^)]+)\)")


def ask(program: str = SMI) -> list[cards.Card] | None:
    """The GPUs that ``nvidia-smi`` lists; None where there is no such program or it fails. Blocks."""
    path = shutil.which(program)
    if path is None:
        return None
    try:
        done = subprocess.run([path, "-L"], capture_output=True, text=True, timeout=DEADLINE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse(done.stdout) if done.returncode == 0 else None


def parse(listing: str) -> list[cards.Card]:
    """What ``nvidia-smi -L`` says. Pure.

    GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-5c89…)
      MIG 1g.10gb     Device  0: (UUID: MIG-377e…)
    """
    found: list[cards.Card] = []
    for line in listing.splitlines():
        if gpu := _GPU.fullmatch(line):
            found.append(cards.Card(gpu[3], int(gpu[1]), gpu[2]))
        elif (part := _PART.fullmatch(line)) and found:
            whole = found[-1]
            if not whole.profile:
                found.pop()
            found.append(cards.Card(part[2], whole.index, whole.name, part[1]))
    return found


def read(folder: pathlib.Path = FILES) -> list[cards.Card]:
    """The GPUs of the driver's files, one folder each, named by bus address. They know nothing of MIG."""
    if not folder.is_dir():
        return []
    found = []
    for index, each in enumerate(sorted(folder.iterdir())):
        fields = _fields(each / "information")
        uuid = fields.get("GPU UUID", "")
        # Before the driver has looked at a card, its UUID is question marks.
        found.append(cards.Card(str(index) if not uuid or "?" in uuid else uuid, index, fields.get("Model", "")))
    return found


def _fields(path: pathlib.Path) -> dict[str, str]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
