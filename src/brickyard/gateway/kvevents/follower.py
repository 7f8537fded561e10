"""Keeps one subscription per endpoint that publishes: begins it when the endpoint comes, ends it when it goes or moves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Final

from brickyard.engines import contract as engines
from brickyard.gateway.kvevents import book, settings, sources
from brickyard.lib import logs
from brickyard.routing import contract as routing

if TYPE_CHECKING:
    import zmq.asyncio

log = logs.get(__name__)

LOOK_EVERY: Final = 0.25
"""Seconds between two looks at which endpoints there are and which requests can be learned from."""
WITHOUT: Final = (
    "pods publish KV events and nobody listens: pip install 'brickyard[kvevents]', or take their label away"
)


class Follower:
    """Fills ``prefixes.Witness``. ``run`` it until it is cancelled.

    ``endpoints`` are all there are, by key; ``decoders`` read an engine's messages, by its name.
    """

    def __init__(
        self,
        endpoints: Callable[[], Mapping[str, routing.Endpoint]],
        known: book.Book,
        decoders: Mapping[str, engines.KvEventDecoder],
        given: settings.KvEventSettings,
        *,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._endpoints = endpoints
        self._book = known
        self._decoders = decoders
        self._given = given
        self._pause = look_every
        self._tasks: dict[str, tuple[sources.Source, asyncio.Task[None]]] = {}
        self._context: zmq.asyncio.Context | None = None
        self._said: set[str] = set()

    async def run(self) -> None:
        """Follow until cancelled; all sockets are closed then."""
        async with self._closing():
            while True:
                await self.look()
                self._book.settle()
                await asyncio.sleep(self._pause)

    def follows(self, endpoint: str) -> bool:
        """Whether the endpoint of this key is listened to."""
        return self._book.follows(endpoint)

    def finished(self, event: routing.Finished) -> None:
        """A request ended."""
        self._book.finished(event)

    def gone(self, key: str) -> None:
        """The endpoint of this key is no more; one of the same key that comes later is another one."""
        found = self._tasks.get(key)
        if found is not None:
            found[1].cancel()
        self._book.leave(key)

    async def look(self) -> None:
        """Begin what is wanted and end what is not."""
        wanted = {
            key: found
            for key, each in self._endpoints().items()
            if (found := sources.source(each, self._given)) is not None
        }
        for key, (source, task) in list(self._tasks.items()):
            if wanted.get(key) != source or task.done():
                await self._end(key)
        for key, source in wanted.items():
            if key not in self._tasks:
                self._begin(key, source)

    def _begin(self, key: str, source: sources.Source) -> None:
        decoder = self._decoders.get(source.engine)
        if decoder is None:
            self._warn(f"engine {source.engine} has no KV events that are understood", source)
            return
        try:
            from brickyard.gateway.kvevents import subscriber  # noqa: PLC0415 - needs the extra, and only where pods publish
        except ImportError:
            self._warn(WITHOUT, source)
            return
        import zmq.asyncio  # noqa: PLC0415 - as above

        if self._context is None:
            self._context = zmq.asyncio.Context()
            self._context.max_sockets = 16384
        told = self._book.join(source)
        made = subscriber.Subscription(self._context, source, decoder, self._book, told, self._given.replay_timeout)
        self._tasks[key] = (source, asyncio.create_task(made.run(), name=f"kv-events/{key}"))

    def _warn(self, text: str, source: sources.Source) -> None:
        if text not in self._said:
            self._said.add(text)
            log.warning(text, endpoint=source.key)

    async def _end(self, key: str) -> None:
        _, task = self._tasks.pop(key)
        task.cancel()
        (failed,) = await asyncio.gather(task, return_exceptions=True)
        if failed is not None and not isinstance(failed, asyncio.CancelledError):
            log.error("a subscription to KV events ended", endpoint=key, exc=failed)
        if key in self._book.publishers:
            self._book.reset(key)
            self._book.leave(key)

    @contextlib.asynccontextmanager
    async def _closing(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for key in list(self._tasks):
                await self._end(key)
            if self._context is not None:
                self._context.destroy(linger=0)
                self._context = None
