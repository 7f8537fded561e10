"""NVML through NVIDIA's own bindings: against a library in C that answers as a driver would, and against what may go wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import types
from typing import Any

import pytest

from brickyard.embedded.kubelet.gpus import cards, nvml

COMPILER = shutil.which("cc")
BINDINGS = importlib.util.find_spec("pynvml") is not None

# GPU 0 whole, GPU 1 cut into two parts of which the second place is empty, GPU 2 lost, GPU 3 without memory of its own.
LIBRARY = r"""
#include <string.h>
#define OK 0
#define NOT_SUPPORTED 3
#define NOT_FOUND 6
#define LOST 15
typedef unsigned int uint;
typedef unsigned long long u64;
static const char *uuids[] = {"GPU-aaaa", "GPU-bbbb", "GPU-cccc", "GPU-dddd", "MIG-1111", "", "MIG-3333"};
static const char *names[] = {"NVIDIA H100", "NVIDIA H100", "", "NVIDIA GB10",
                              "NVIDIA H100 MIG 1g.10gb", "", "NVIDIA H100 MIG 2g.20gb+me"};
static int at(void *handle) { return (int)((long)handle) - 1; }
int nvmlInitWithFlags(uint flags) { return OK; }
int nvmlInit_v2(void) { return OK; }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { return "trouble"; }
int nvmlDeviceGetCount_v2(uint *count) { *count = 4; return OK; }
int nvmlDeviceGetHandleByIndex_v2(uint index, void **handle) {
    if (index == 2) return LOST;
    *handle = (void *)(long)(index + 1);
    return OK;
}
int nvmlDeviceGetUUID(void *handle, char *text, uint size) { strncpy(text, uuids[at(handle)], size); return OK; }
int nvmlDeviceGetName(void *handle, char *text, uint size) { strncpy(text, names[at(handle)], size); return OK; }
int nvmlDeviceGetMemoryInfo(void *handle, u64 *memory) {
    if (at(handle) == 3) return NOT_SUPPORTED;
    memory[0] = (at(handle) < 4 ? 80ULL : 10ULL) << 30;
    return OK;
}
int nvmlDeviceGetMigMode(void *handle, uint *current, uint *pending) {
    if (at(handle) == 3) return NOT_SUPPORTED;
    *current = *pending = at(handle) == 1;
    return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(void *handle, uint *count) { *count = 3; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, uint index, void **part) {
    if (index == 1) return NOT_FOUND;
    *part = (void *)(long)(index + 5);
    return OK;
}
"""
ASK = """
import dataclasses, json
from brickyard.embedded.kubelet.gpus import nvml
print(json.dumps([dataclasses.astuple(each) for each in nvml.find()]))
"""


@pytest.mark.slow
@pytest.mark.skipif(COMPILER is None or not BINDINGS, reason="there is no C compiler, or no nvidia-ml-py")
def test_what_a_driver_says(tmp_path: pathlib.Path) -> None:
    source = tmp_path / "nvml.c"
    source.write_text(LIBRARY)
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    # The loader reads its path once, when a process starts.
    env = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", ASK], env=env, capture_output=True, text=True, timeout=60, check=True)
    gibi = 2**30
    assert [cards.Card(*each) for each in json.loads(done.stdout)] == [
        cards.Card("GPU-aaaa", 0, "NVIDIA H100", "", 80 * gibi),
        cards.Card("MIG-1111", 1, "NVIDIA H100", "1g.10gb", 10 * gibi),
        cards.Card("MIG-3333", 1, "NVIDIA H100", "2g.20gb+me", 10 * gibi),
        cards.Card("GPU-dddd", 3, "NVIDIA GB10", "", 0),
    ]


class TroubleError(Exception):
    pass


def bindings(**changed: Any) -> Any:
    """A driver with no GPU."""
    made = types.SimpleNamespace(
        NVMLError=TroubleError,
        NVMLError_GpuIsLost=type("Lost", (TroubleError,), {}),
        NVMLError_NotFound=type("NotFound", (TroubleError,), {}),
        NVML_DEVICE_MIG_ENABLE=1,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 0,
        closed=0,
    )
    made.nvmlShutdown = lambda: setattr(made, "closed", made.closed + 1)
    vars(made).update(changed)
    return made


def fails(*_: object) -> Any:
    raise TroubleError("Driver/library version mismatch")


def test_a_driver_without_a_gpu() -> None:
    driver = bindings()
    assert nvml.find(driver) == []
    assert driver.closed == 1


def test_a_driver_that_does_not_start() -> None:
    driver = bindings(nvmlInit=fails)
    with pytest.raises(nvml.NoNvmlError, match="does not start: Driver/library version mismatch"):
        nvml.find(driver)
    assert driver.closed == 0


def test_a_driver_that_does_not_answer() -> None:
    driver = bindings(nvmlDeviceGetCount=fails)
    with pytest.raises(nvml.NoNvmlError, match="does not answer"):
        nvml.find(driver)
    assert driver.closed == 1


def test_without_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "_BINDINGS", "no_such_bindings_here")
    with pytest.raises(nvml.NoNvmlError, match=r"brickyard\[gpu\]"):
        nvml.find()
