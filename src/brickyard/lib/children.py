"""How a child process is ended."""

from __future__ import annotations

import asyncio
import contextlib


async def end(child: asyncio.subprocess.Process, patience: float) -> bool:
    """SIGTERM, ``patience`` seconds, SIGKILL. Returns once ``child`` has ended; whether it did in time."""
    if child.returncode is not None:
        return True
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        await asyncio.wait_for(child.wait(), patience)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        return False
    return True
