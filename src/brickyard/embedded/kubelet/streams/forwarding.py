"""Connections to a pod's own address: what port-forward leads to."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from brickyard.api.kinds import podstreams

CHUNK = 64 * 1024
CONNECT_DEADLINE = 10.0


class PodForwarder:
    """Fills ``podstreams.Forwarder``. ``address`` gives the pod's, None once the pod is gone or over."""

    def __init__(self, pod: str, address: Callable[[], str | None]) -> None:
        self._pod = pod
        self._address = address

    async def connect(self, port: int) -> podstreams.Connection:
        address = self._address()
        if address is None:
            raise podstreams.StreamFailed(
                f"error forwarding port {port} to pod {self._pod}: the pod does not run any more"
            )
        why = f"error forwarding port {port} to pod {self._pod}: dial tcp {address}:{port}"
        try:
            async with asyncio.timeout(CONNECT_DEADLINE):
                reader, writer = await asyncio.open_connection(address, port, limit=CHUNK)
        except TimeoutError:
            raise podstreams.StreamFailed(f"{why}: i/o timeout") from None
        except OSError as error:
            text = os.strerror(error.errno).lower() if error.errno else str(error)
            raise podstreams.StreamFailed(f"{why}: connect: {text}") from error
        return _Connection(reader, writer)


class _Connection:
    """Fills ``podstreams.Connection``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        return await self._reader.read(CHUNK)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._writer.write_eof()

    async def close(self) -> None:
        # What could not be handed over is dropped: a pod that does not read would hold the connection for ever.
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
