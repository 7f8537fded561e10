"""The session of a command in a container: its process between the client's input and the client's screen.

    ends                                what becomes of it
    the command                         what it has written still reaches the client, then its exit code
    the client (the session is          hang-up, SIGTERM and, after a grace, SIGKILL for the command's whole session
    cancelled)
    the container                       SIGKILL with everything of the container: exit code 137

Nothing is buffered here: a client that does not read stops the command, as a full pipe does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from brickyard.api.kinds import podstreams
from brickyard.embedded.kubelet.streams import children, descriptors
from brickyard.lib import tasks

END_OF_INPUT = b"\x04"
"""What a person types to end the input of a terminal."""
LOOK_EVERY = 1.0
"""Seconds between two looks at the container: a command that began while it ended is not found by its end."""


class CommandSession:
    """Fills ``podstreams.Session``. ``make`` resolves what to run; ``alive`` tells whether the container still runs."""

    def __init__(self, make: Callable[[], Awaitable[children.Command]], alive: Callable[[], bool]) -> None:
        self._make = make
        self._alive = alive

    async def run(self, client: podstreams.Client) -> int:
        child = await children.start(await self._make())
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(child.close)
            if not self._alive():
                raise podstreams.StreamFailed("the container has ended")
            return await self._converse(child, client)

    async def _converse(self, child: children.Child, client: podstreams.Client) -> int:
        async with tasks.Scope("exec") as scope:
            scope.start(self._look(child), name="container")
            if child.stdin is not None:
                scope.start(_feed(client, child.stdin, terminal=child.terminal), name="input")
            showing = [
                scope.start(_show(source, name, client), name=name.value) for name, source in child.outputs.items()
            ]
            exit_code = await child.wait()
            for source in child.outputs.values():
                source.linger()
            await asyncio.gather(*showing)
            return exit_code

    async def _look(self, child: children.Child) -> None:
        while self._alive():  # noqa: ASYNC110 - a container's state is a question to the pod's machine, and no event of ours
            await asyncio.sleep(LOOK_EVERY)
        await child.kill()


async def _show(source: descriptors.Source, name: podstreams.Output, client: podstreams.Client) -> None:
    while data := await source.read():
        await client.output(name, data)


async def _feed(client: podstreams.Client, sink: descriptors.Sink, *, terminal: bool) -> None:
    async for piece in client.input():
        if isinstance(piece, podstreams.Size):
            if terminal:
                sink.resize(piece)
        elif not await sink.write(piece):
            # Nobody reads any more: the rest is taken and dropped, so that the client is not held up.
            continue
    if terminal:
        await sink.write(END_OF_INPUT)
    else:
        sink.close()
