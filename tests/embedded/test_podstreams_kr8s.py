"""exec and port-forward by kr8s, which names no subprotocol for the latter."""

from __future__ import annotations

import pathlib
from collections.abc import AsyncIterator
from typing import Any

import kr8s.asyncio
import pytest
from tests.embedded import streaming
from tests.embedded.test_podstreams_kubectl import get

from brickyard.embedded.kubelet.testing_agent import fetch, server

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Kubernetes version:UserWarning")]


@pytest.fixture
async def machine(tmp_path: pathlib.Path) -> AsyncIterator[streaming.Machine]:
    async with streaming.machine(tmp_path) as found:
        yield found


async def pod(machine: streaming.Machine) -> Any:
    await fetch(await machine.pod("a", server()))
    api: Any = await kr8s.asyncio.api(kubeconfig=str(machine.api.kubeconfig))
    objects: Any = kr8s.asyncio.objects
    return await objects.Pod.get("a", api=api)


async def test_exec(machine: streaming.Machine) -> None:
    done = await (await pod(machine)).exec(["sh", "-c", "echo out; echo err >&2"])
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 0)


async def test_port_forward(machine: streaming.Machine) -> None:
    async with (await pod(machine)).portforward(remote_port=8000) as port:
        for _ in range(3):
            assert (await get(port)).endswith(b"hello")
