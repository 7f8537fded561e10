"""Where the two halves of a request meet in SGLang's manner: the prefill engine keeps rooms, the decode engine waits at the door.

Both halves get the request at the same time. The decode engine connects to ``bootstrap_host:bootstrap_port``, writes the room's number
on a line, and reads how many tokens were computed as soon as they were. The protocol is the double's own; who meets whom, when, and
what happens when one does not come is as it is between real engines.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
from typing import Final, Self

from brickyard.lib import logs
from brickyard.sim.engine.core import disagg, errors

log = logs.get(__name__)

DEADLINE: Final = 60.0
KEPT: Final = 10_000
"""Rooms remembered at most; the oldest is forgotten."""
LINE: Final = 64


class Rooms:
    """The prefill engine's side: ``async with Rooms(host, port) as rooms``; ``rooms.computed(number, tokens)``."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self.port = port
        self._rooms: collections.OrderedDict[int, asyncio.Future[int]] = collections.OrderedDict()
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(self._visit, self._host, self.port, limit=LINE)
        except OSError as error:
            raise errors.ListenError(
                f"the bootstrap server cannot listen on {self._host}:{self.port}: {error.strerror or error}",
                hint="choose another port with --disaggregation-bootstrap-port",
            ) from error
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._server is not None:
            self._server.close()
        for visit in tuple(self._visits):
            visit.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    def computed(self, number: int, tokens: int) -> None:
        """The prompt of room ``number`` is there."""
        room = self._room(number)
        if not room.done():
            room.set_result(tokens)

    def _room(self, number: int) -> asyncio.Future[int]:
        room = self._rooms.get(number)
        if room is None:
            room = self._rooms[number] = asyncio.get_running_loop().create_future()
            while len(self._rooms) > KEPT:
                self._rooms.popitem(last=False)[1].cancel()
        return room

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._visits.add(task)
            task.add_done_callback(self._visits.discard)
        try:
            async with asyncio.timeout(DEADLINE):
                number = int(await reader.readline())
                writer.write(b"%d\n" % await asyncio.shield(self._room(number)))
                await writer.drain()
                self._rooms.pop(number, None)
        except (OSError, ValueError, TimeoutError) as error:
            log.info("nobody met in a room", error=error)
        finally:
            writer.close()


async def wait_for(room: disagg.Room, *, deadline: float = DEADLINE) -> int:
    """The decode engine's side: how many prompt tokens the other half has computed.

    Raises:
        TransferError: it cannot be reached, has left, or does not answer in ``deadline`` seconds.
    """
    where = f"{room.host}:{room.port}"
    try:
        async with asyncio.timeout(deadline):
            reader, writer = await asyncio.open_connection(room.host, room.port, limit=LINE)
            try:
                writer.write(b"%d\n" % room.number)
                return int(await reader.readline())
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except TimeoutError as error:
        raise errors.TransferError(
            f"the prefill engine at {where} did not hand over room {room.number} in time"
        ) from error
    except (OSError, ValueError) as error:
        raise errors.TransferError(
            f"the prefill engine at {where} did not hand over room {room.number}: {error}"
        ) from error
