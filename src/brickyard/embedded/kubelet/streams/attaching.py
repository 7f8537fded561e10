"""The session of an attach: what a container says from now on. Both its outputs go into one log, so everything arrives as one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from brickyard.api.kinds import podstreams
from brickyard.embedded.kubelet import podlogs


class AttachSession:
    """Fills ``podstreams.Session`` for a run of a container; ends with the run."""

    def __init__(self, run: podlogs.Run) -> None:
        self._run = run

    async def run(self, client: podstreams.Client) -> int:
        async with contextlib.aclosing(
            _generator(podlogs.read(self._run, podlogs.Wanted(follow=True, tail=0)))
        ) as said:
            async for chunk in said:
                await client.output(podstreams.Output.STDOUT, chunk)
        return 0


async def _generator(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for chunk in chunks:
        yield chunk
