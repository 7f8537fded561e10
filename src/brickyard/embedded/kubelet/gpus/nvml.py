"""GPUs by NVML, the driver's own library, through NVIDIA's bindings (``nvidia-ml-py``, the extra ``gpu``)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from brickyard.embedded.kubelet.gpus import cards

_BINDINGS = "pynvml"


class NoNvmlError(Exception):
    """NVML cannot be asked; the text says why."""


def find(bindings: Any = None) -> list[cards.Card]:
    """Every GPU in the order of the PCI bus, those cut by MIG as their parts. Blocks: an idle driver takes a second to wake.

    Raises:
        NoNvmlError: there are no bindings, no driver, or it does not answer.
    """
    nvml = bindings or _bindings()
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise NoNvmlError(f"NVML does not start: {error}") from error
    try:
        return [card for index in range(nvml.nvmlDeviceGetCount()) for card in _cards(nvml, index)]
    except nvml.NVMLError as error:
        raise NoNvmlError(f"NVML does not answer: {error}") from error
    finally:
        nvml.nvmlShutdown()


def _bindings() -> Any:
    try:
        return importlib.import_module(_BINDINGS)
    except ImportError as error:
        raise NoNvmlError("the bindings are not installed (pip install 'brickyard[gpu]')") from error


def _cards(nvml: Any, index: int) -> Iterator[cards.Card]:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError_GpuIsLost:
        # It has fallen off the bus: the others keep their indices.
        return
    if _is_cut(nvml, handle):
        yield from _parts(nvml, handle, index)
    else:
        yield cards.Card(
            nvml.nvmlDeviceGetUUID(handle), index, nvml.nvmlDeviceGetName(handle), "", _memory(nvml, handle)
        )


def _is_cut(nvml: Any, handle: Any) -> bool:
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError:
        return False  # a GPU that knows no MIG
    return bool(current == nvml.NVML_DEVICE_MIG_ENABLE)


def _parts(nvml: Any, handle: Any, index: int) -> Iterator[cards.Card]:
    for number in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            part = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
        except nvml.NVMLError_NotFound:
            continue
        # The name of a part ends in its profile: ``NVIDIA H100 80GB HBM3 MIG 1g.10gb``.
        name, _, profile = nvml.nvmlDeviceGetName(part).rpartition(" MIG ")
        yield cards.Card(nvml.nvmlDeviceGetUUID(part), index, name, profile, _memory(nvml, part))


def _memory(nvml: Any, handle: Any) -> int:
    """Bytes; 0 on machines whose GPU has no memory of its own."""
    try:
        return int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
    except nvml.NVMLError:
        return 0
