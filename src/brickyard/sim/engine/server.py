"""The double's beginning and end: its listeners, what is behind them, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Self

from brickyard.lib import clock, logs
from brickyard.sim.engine import api, completions, driver, http, options, replies, rooms
from brickyard.sim.engine.core import disagg, errors, faults, lora

if TYPE_CHECKING:
    from brickyard.sim.engine import kvevents

log = logs.get(__name__)

BACKLOG: Final = 4096
DRAIN: Final = 5.0
"""Seconds that answers under way get when the server stops."""


class Server:
    """``async with Server(options) as server``; leaving it lets answers end, for ``DRAIN`` seconds at most.

    Attributes:
        port: the port it listens on.
        bootstrap_port: SGLang's, 0 unless this is a prefill engine.
        events_endpoint, replay_endpoint: of KV events, "" without.
        publisher: what publishes KV events; None without.
        driver: the engine, to be read.
    """

    def __init__(
        self,
        chosen: options.Options,
        *,
        time: clock.Clock | None = None,
        crash: Callable[[int], None] = replies.crash,
        drain: float = DRAIN,
    ) -> None:
        self._options = chosen
        self._clock = time or clock.SystemClock()
        self._crash = crash
        self._drain = drain
        self._connections = http.Connections()
        self._stack = contextlib.AsyncExitStack()
        self.port = self.bootstrap_port = 0
        self.events_endpoint = self.replay_endpoint = ""
        self.publisher: kvevents.Publisher | None = None

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._api = api.Api(await self._machine(stack))
            stack.push_async_callback(self._api.close)
            await self._listen(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stack.aclose()

    async def _machine(self, stack: contextlib.AsyncExitStack) -> completions.Machine:
        chosen = self._options
        publish = None
        if chosen.kv_events is not None:
            publisher = await stack.enter_async_context(_publisher(chosen.kv_events, chosen.host, self._clock))
            self.publisher = publisher
            self.events_endpoint, self.replay_endpoint = publisher.endpoint, publisher.replay_endpoint
            publish = publisher.publish
        met = None
        if chosen.role == "prefill":
            met = await stack.enter_async_context(rooms.Rooms(chosen.host, chosen.bootstrap_port))
            self.bootstrap_port = met.port
        self.driver = driver.Driver(chosen.params, time=self._clock, publish=publish)
        stack.callback(self.driver.close)
        adapters = lora.Adapters(frozenset(chosen.models))
        for name, path in chosen.adapters:
            adapters.load(name, path, int(self._clock.wall()))
        return completions.Machine(
            options=chosen,
            driver=self.driver,
            adapters=adapters,
            faults=faults.Faults(chosen.seed, chosen.faults),
            identity=disagg.Identity(str(uuid.uuid4()), chosen.reachable or None),
            rooms=met,
            clock=self._clock,
            crash=self._crash,
        )

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        chosen = self._options
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: http.Connection(self._api.handle, self._connections),
                chosen.host,
                chosen.port,
                backlog=BACKLOG,
            )
        except OSError as error:
            raise errors.ListenError(
                f"the engine cannot listen on {chosen.host}:{chosen.port}: {error.strerror or error}",
                hint="choose another with --host and --port",
            ) from error
        self.port = int(server.sockets[0].getsockname()[1])
        stack.push_async_callback(self._stop, server)

    async def _stop(self, server: asyncio.Server) -> None:
        server.close()
        await self._connections.close(self._drain)


def _publisher(chosen: options.KvEvents, host: str, time: clock.Clock) -> kvevents.Publisher:
    try:
        from brickyard.sim.engine import kvevents  # noqa: PLC0415 - needs the extra `sim`, which the rest does not
    except ImportError as error:
        raise errors.ParamsError(
            f"KV events need packages that are not installed ({error.name})", hint="pip install 'brickyard[sim]'"
        ) from error
    return kvevents.Publisher(chosen, host, time)


async def serve(chosen: options.Options, stop: asyncio.Event, *, ready: Callable[[int], None] | None = None) -> None:
    """Serve until ``stop`` is set. ``ready`` hears the port.

    Raises:
        ListenError: an address cannot be listened on.
    """
    async with Server(chosen) as running:
        log.info(
            "engine double listens", host=chosen.host, port=running.port, engine=chosen.engine, models=chosen.models
        )
        if ready is not None:
            ready(running.port)
        await stop.wait()
        log.info("engine double stops")
