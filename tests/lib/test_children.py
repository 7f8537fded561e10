"""Children that end when they are asked, and those that do not."""

from __future__ import annotations

import asyncio
import signal
import sys

from brickyard.lib import children

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
POLITE = "import time; print('up', flush=True); time.sleep(60)"


async def started(code: str) -> asyncio.subprocess.Process:
    child = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", code, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    assert await child.stdout.readline() == b"up\n"
    return child


async def test_one_that_listens_is_asked() -> None:
    child = await started(POLITE)
    assert await children.end(child, 30)
    assert child.returncode == -signal.SIGTERM


async def test_one_that_does_not_is_killed() -> None:
    child = await started(DEAF)
    assert not await children.end(child, 0.05)
    assert child.returncode == -signal.SIGKILL


async def test_one_that_has_ended_is_left_alone() -> None:
    child = await started("print('up', flush=True)")
    assert await child.wait() == 0
    assert await children.end(child, 30)
    assert child.returncode == 0
