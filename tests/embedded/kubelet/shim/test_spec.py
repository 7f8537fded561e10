"""What goes to a shim arrives as it was."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from brickyard.embedded.kubelet.shim import spec


@given(st.lists(st.binary()), st.dictionaries(st.binary(), st.binary()), st.text(), st.integers(0, 2**70))
def test_there_and_back(argv: list[bytes], env: dict[bytes, bytes], path: str, limit: int) -> None:
    wanted: spec.Spec = {
        "argv": argv,
        "env": env,
        "log": path,
        "log_limit": limit,
        "log_files": 2,
        "exit": path,
    }
    memory = os.memfd_create("spec")
    try:
        os.write(memory, spec.dump(wanted))
        os.lseek(memory, 0, os.SEEK_SET)
        assert spec.read(memory) == wanted
    finally:
        os.close(memory)
