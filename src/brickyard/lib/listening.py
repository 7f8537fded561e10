"""The beginning and the end of an HTTP server that is a part of a process: take the port, serve, stop politely and in time.

The server is uvicorn; its signals stay with whoever owns the process, and an address is taken before anything else is done, so that one
that is not free is found out at once and worded by its room.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import socket
from collections.abc import AsyncIterator, Generator
from typing import Any, Final

import uvicorn
from uvicorn import server as uvicorn_server
from uvicorn.protocols.http import httptools_impl

from brickyard.lib import connections, logs

log = logs.get(__name__)

START: Final = 30.0
"""Seconds until requests are answered: loading the application is all there is to do."""
OVERDUE: Final = 5.0
"""Seconds beyond its grace after which a server that does not end is left."""
_GOODBYE: Final = 0.1
"""Seconds between two looks for connections that do not end by themselves."""
_LAST_TURNS: Final = 20
_DATE: Final = 1.0
"""Seconds for which a reply's ``date`` is right."""


def bind(host: str, port: int, backlog: int = 0) -> socket.socket:
    """A socket at ``host``:``port``; port 0 takes a free one. With a ``backlog`` it listens at once.

    Raises:
        OSError: somebody else listens there, or it is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it, every answer waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        if backlog:
            # Two sockets that both reuse the address may bind, and only one may listen: the second one learns it here.
            listener.listen(backlog)
        listener.setblocking(False)
    except OverflowError as error:
        listener.close()
        raise OSError(errno.EINVAL, "ports are numbers from 0 to 65535") from error
    except (TypeError, UnicodeError) as error:
        listener.close()
        raise OSError(errno.EINVAL, "this is no name of a host") from error
    except BaseException:
        listener.close()
        raise
    return listener


def url(listener: socket.socket, scheme: str = "http") -> str:
    """Where ``listener`` is found."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def configuration(application: Any, *, grace: float, **more: Any) -> uvicorn.Config:
    """What all our servers have in common; ``more`` are uvicorn's own settings. Requests under way get ``grace`` seconds, rounded up."""
    settings: dict[str, Any] = {
        "http": "httptools",
        "ws": "none",
        "loop": "none",
        "lifespan": "off",
        "access_log": False,
        # Its own lines are about connections that clients broke; ours say what matters.
        "log_config": None,
        "log_level": "critical",
        "server_header": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": max(1, math.ceil(grace)),
    }
    return uvicorn.Config(application, **(settings | more))


@contextlib.asynccontextmanager
async def listening(config: uvicorn.Config, listener: socket.socket, name: str) -> AsyncIterator[None]:
    """Requests are answered inside the block. On the way out nobody is let in any more, idle connections end, and what is under way
    gets the configuration's grace; then all that is left is dropped. ``name`` is the server's task.

    Raises:
        TimeoutError: the server does not start.
    """
    if not config.loaded:
        config.load()
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]), name=name)
    try:
        await asyncio.wait_for(server.up(running), START)
        yield
    finally:
        server.end()
        await _ended(server, running, (config.timeout_graceful_shutdown or 0) + OVERDUE)


class _Server(uvicorn.Server):
    """Leaves signals to whoever owns the process, and hears at once when it has started and when it shall end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._started = asyncio.Event()
        self._ending = asyncio.Event()

    async def up(self, running: asyncio.Task[None]) -> None:
        """Once requests are answered. Raises what ``running`` ended with, if it ended instead."""
        started = asyncio.create_task(self._started.wait())
        try:
            await asyncio.wait([started, running], return_when=asyncio.FIRST_COMPLETED)
        finally:
            started.cancel()
        if running.done():
            running.result()

    def end(self) -> None:
        self.should_exit = True
        self._ending.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started.set()

    async def main_loop(self) -> None:
        while not self._ending.is_set():
            await self.on_tick(0)  # the date header
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _DATE)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def _ended(server: _Server, running: asyncio.Task[None], seconds: float) -> None:
    state, loop = server.server_state, asyncio.get_running_loop()
    due = loop.time() + seconds
    idle: set[httptools_impl.HttpToolsProtocol] = set()
    try:
        while not running.done() and loop.time() < due:
            await asyncio.wait([running], timeout=_GOODBYE)
            idle = _drop(idle, state)
        if not running.done():
            log.error("a server does not end", server=running.get_name(), seconds=seconds)
    finally:
        running.cancel()
        for connection in tuple(state.connections):
            connection.transport.abort()
    await asyncio.wait([running, *state.tasks], timeout=OVERDUE)
    # Connections say goodbye within a few turns of the loop.
    for _ in range(_LAST_TURNS):
        if not state.connections:
            break
        await asyncio.sleep(0)
    if running.done() and not running.cancelled():
        running.result()


def _drop(
    before: set[httptools_impl.HttpToolsProtocol], state: uvicorn_server.ServerState
) -> set[httptools_impl.HttpToolsProtocol]:
    """End connections that were idle ``before`` and still are; who is idle now. TLS waits half a minute for its client's goodbye, and
    clients keep theirs open."""
    idle = {each for each in state.connections if isinstance(each, httptools_impl.HttpToolsProtocol) and _idle(each)}
    for connection in idle & before:
        connection.transport.abort()
    return idle


def _idle(connection: httptools_impl.HttpToolsProtocol) -> bool:
    """Whether nothing is under way, and what was written has been taken."""
    return connections.idle(connection) and not connection.transport.get_write_buffer_size()
