"""A collection kept current in memory: list, then watch; list again when the API has forgotten where we were.

    run:  list (paged) ──► synced ──► watch ──► … ──┐
            ▲  ▲                        │           │
            │  └── 410 Gone ────────────┤           │  every event goes to the store, then to the handlers
            └───── back-off ◄── error ──┘           ▼

With ``query.initial_events`` the watch itself begins with all there is, where the API can do that, and the list is left out: the API
need not hold a page of a large collection in one piece, and neither need we. Where it cannot, we list.

Nothing here gives up: whatever the API or the network does is waited out with back-off. A relist compares with what is held, so
that handlers hear of every object that appeared, changed or vanished in between, once.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import store
from brickyard.kube.objects import meta
from brickyard.lib import backoff, logs, tasks

log = logs.get(__name__)

Handler = Callable[[resources.Object | None, resources.Object | None], None]
"""Told (old, new): (None, new) on appearance, (old, new) on change and on resync (then old is new), (old, None) on end."""

PAGE = 500
"""Objects asked for at a time."""
STREAM = 60.0
"""Seconds that a streaming list may take."""

RETRY = backoff.Backoff(0.2, 2.0, 30.0)
_EVERYTHING = contract.Query()


class Informer:
    """Keeps the objects of ``kind`` that ``query`` selects.

    Objects are handed out as they are held and shared: **never change one**, copy it first. Handlers are called on the loop, one
    after another, and must not block; they see every object already held when they subscribe.

    Args:
        client: where objects come from.
        kind: of which kind.
        query: which of them; only namespace, selectors and ``initial_events`` count.
        indexers: name → the values under which ``indexed`` finds an object.
        resync: seconds after which every object is told to the handlers again, None for never.
        backoff: how long to wait after the n-th failure in a row.
    """

    def __init__(
        self,
        client: contract.Client,
        kind: resources.ResourceType,
        query: contract.Query = _EVERYTHING,
        *,
        indexers: Mapping[str, store.Indexer] | None = None,
        resync: float | None = None,
        backoff: backoff.Backoff = RETRY,
    ) -> None:
        self._streaming = query.initial_events
        self.kind = kind
        self._client = client
        self._query = query
        self._store = store.Store(indexers or {})
        self._resync = resync
        self._backoff = backoff
        self._handlers: list[Handler] = []
        self._synced = asyncio.Event()
        self._version = ""
        self._failures = 0

    # Reading.

    @property
    def synced(self) -> bool:
        """Whether the collection was read to its end once; before that, absence means nothing."""
        return self._synced.is_set()

    def get(self, namespace: str, name: str) -> resources.Object | None:
        """The object, or None when it is not there (or not selected)."""
        return self._store.get(meta.Key(namespace, name))

    def list(self, namespace: str = "") -> Sequence[resources.Object]:
        """Every object, or those of one namespace, ordered by namespace and name."""
        return self._store.list(namespace)

    def indexed(self, index: str, value: str) -> Sequence[resources.Object]:
        """Objects that the indexer ``index`` files under ``value``."""
        return self._store.indexed(index, value)

    def add_index(self, name: str, indexer: store.Indexer) -> None:
        """Let ``indexed`` find objects by ``indexer`` too, from now on and among those held. The same again changes nothing.

        Raises:
            ValueError: ``name`` means another indexer.
        """
        self._store.add_index(name, indexer)

    def subscribe(self, handler: Handler) -> Callable[[], None]:
        """Tell ``handler`` of what is held now and of every change from here on; call the answer to end it."""
        self._handlers.append(handler)
        for obj in self._store.list():
            self._call(handler, None, obj)

        def unsubscribe() -> None:
            if handler in self._handlers:
                self._handlers.remove(handler)

        return unsubscribe

    async def wait_synced(self, timeout: float) -> None:
        """Wait until the collection was read to its end.

        Raises:
            TimeoutError: it was not within ``timeout`` seconds.
        """
        async with asyncio.timeout(timeout):
            await self._synced.wait()

    # Following.

    async def run(self) -> None:
        """Keep the collection current until cancelled. Runs once at a time."""
        async with tasks.Scope(f"informer/{self.kind.plural}") as scope:
            if self._resync is not None:
                scope.start(self._resync_forever(self._resync), name="resync")
            await self._follow()

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._pass()
            except errors.Gone:
                log.debug("history is gone, listing again", kind=self.kind.plural)
                self._version = ""
            except errors.KubeError as error:
                log.warning("watch interrupted", kind=self.kind.plural, failures=self._failures + 1, error=error)
            # A quiet watch that held for long was no failure, however it ended.
            self._failures = 1 if loop.time() - began > self._backoff.cap else self._failures + 1
            await asyncio.sleep(self._backoff.delay(self._failures))

    async def _pass(self) -> None:
        """Follow from where we are until something breaks."""
        if not self._version and self._streaming:
            try:
                await self._stream()
            except (errors.Invalid, errors.BadRequest, TimeoutError) as error:
                log.info("no streaming list here, listing", kind=self.kind.plural, error=error)
                self._streaming = False
        if not self._version:
            await self._relist()
        await self._watch()

    async def _relist(self) -> None:
        """Read every page, then make the store equal to what was read."""
        found: dict[meta.Key, resources.Object] = {}
        query, token = self._query, ""
        while True:
            page = await self._client.list(self.kind, _page(query, token))
            found.update((meta.key(each), each) for each in page.items)
            token = page.continue_token
            if not token:
                break
        self._replace(found, page.resource_version)

    def _replace(self, found: Mapping[meta.Key, resources.Object], version: str) -> None:
        """Make the store equal to ``found``, which is all there was at ``version``."""
        for key in self._store.known():
            if key not in found:
                self._forget(key)
        for obj in found.values():
            self._hold(obj)
        self._version = version
        self._synced.set()

    async def _stream(self) -> None:
        """Read everything from a watch, then follow the same watch.

        Raises:
            TimeoutError: the API did not say within ``STREAM`` seconds that this was all; it knows no streaming lists.
        """
        found: dict[meta.Key, resources.Object] = {}
        query = dataclasses.replace(self._query, initial_events=True, resource_version="")
        async with asyncio.timeout(STREAM) as limit:
            async for event in self._client.watch(self.kind, query):
                if self._version:
                    self._take(event)
                elif event.ends_initial:
                    self._replace(found, meta.resource_version(event.object))
                    limit.reschedule(None)
                elif event.type is not contract.EventType.BOOKMARK:
                    found[meta.key(event.object)] = event.object

    async def _watch(self) -> None:
        query = contract.Query(
            namespace=self._query.namespace,
            label_selector=self._query.label_selector,
            field_selector=self._query.field_selector,
            resource_version=self._version,
        )
        async for event in self._client.watch(self.kind, query):
            self._take(event)

    def _take(self, event: contract.WatchEvent) -> None:
        self._failures = 0
        match event.type:
            case contract.EventType.ADDED | contract.EventType.MODIFIED:
                self._hold(event.object)
            case contract.EventType.DELETED:
                self._forget(meta.key(event.object))
            case contract.EventType.BOOKMARK:
                pass
        self._version = meta.resource_version(event.object) or self._version

    def _hold(self, obj: resources.Object) -> None:
        key = meta.key(obj)
        held = self._store.get(key)
        if held is not None and meta.uid(held) != meta.uid(obj):
            # A name was used again while nobody watched: that is an end and a beginning, not a change.
            self._forget(key)
        old = self._store.put(obj)
        if old is None or meta.resource_version(old) != meta.resource_version(obj):
            self._tell(old, obj)

    def _forget(self, key: meta.Key) -> None:
        if (old := self._store.remove(key)) is not None:
            self._tell(old, None)

    def _tell(self, old: resources.Object | None, new: resources.Object | None) -> None:
        for handler in tuple(self._handlers):
            self._call(handler, old, new)

    def _call(self, handler: Handler, old: resources.Object | None, new: resources.Object | None) -> None:
        try:
            handler(old, new)
        except Exception as error:  # noqa: BLE001 - a handler's fault must not stop what everybody reads
            self._report(error)

    def _report(self, error: Exception) -> None:
        log.error("informer handler failed", kind=self.kind.plural, exc=error)

    async def _resync_forever(self, period: float) -> None:
        while True:
            await asyncio.sleep(period)
            for obj in self._store.list():
                self._tell(obj, obj)


def _page(query: contract.Query, token: str) -> contract.Query:
    return contract.Query(
        namespace=query.namespace,
        label_selector=query.label_selector,
        field_selector=query.field_selector,
        limit=PAGE,
        continue_token=token,
    )
