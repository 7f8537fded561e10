"""The one truth: every object, every revision, in order.

Two views of the same objects. ``get`` and ``list`` show what is on disk; ``latest`` adds the writes that are still on their way, and
is what the next write must be decided on. A write is taken in at once (it gets its revision and becomes ``latest``), reaches the
disk together with whatever else is waiting, and only then becomes visible, is told to watchers and is acknowledged: no client
ever sees what a crash could take back.

    latest ──put/remove──► waiting ──commit (thread)──► committed view ──► history, subscribers ──► the writer's await returns

All methods belong to the event loop's thread; only ``Journal.commit`` runs elsewhere, one batch at a time. When it fails, the batch
and everything decided on top of it fail together and the views fall back to what is on disk.
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Self

from brickyard.api.kinds import resources
from brickyard.embedded.apiserver import errors, history, journal, records
from brickyard.lib import errors as base_errors
from brickyard.lib import logs

log = logs.get(__name__)

_BATCH = 256
"""Writes per commit. More would delay the first of them without sparing much: one sync already serves 256."""
_MAX_WAITING = 10_000

Subscriber = Callable[[records.Change], None]


@dataclasses.dataclass(slots=True, eq=False)
class _Waiting:
    write: journal.Write
    change: records.Change
    done: asyncio.Future[records.Record]


class StaleWriteError(base_errors.BrickyardError):
    """The write was decided on a state that is no longer the latest: decide again."""


class Store:
    """Use as ``async with Store.open(path) as store``; leaving it commits what waits and lets the directory go."""

    def __init__(self, disk: journal.Journal, limits: history.Limits) -> None:
        self._disk = disk
        self._limits = limits
        self._collections: dict[str, dict[str, dict[str, records.Record]]] = {}
        self._histories: dict[str, history.History] = {}
        self._overlay: dict[records.Key, tuple[int, records.Record | None]] = {}
        self._waiting: collections.deque[_Waiting] = collections.deque()
        self._committing: list[_Waiting] = []
        self._subscribers: list[Subscriber] = []
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="apiserver-store")
        self._writer: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._closing = False
        self.revision = disk.revision
        """The last committed revision."""
        self._taken = self._started_at = self.revision
        for record in disk.load():
            self._show(record)

    @classmethod
    def open(cls, directory: pathlib.Path, limits: history.Limits | None = None) -> Self:
        """Read the store under ``directory`` into memory. Blocks; meant for the start of a process.

        Raises:
            DirectoryInUseError: another process has it open.
            DirectoryUnreadableError: it is damaged or of a newer version.
        """
        disk = journal.Journal.open(directory)
        try:
            return cls(disk, limits or history.Limits())
        except BaseException:
            disk.close()
            raise

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._write_batches(), name="apiserver/store")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._wake.set()
        if self._writer is not None:
            # How it ended is for ``broken`` to tell.
            await asyncio.gather(self._writer, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disk.close)
        self._thread.shutdown()

    async def broken(self) -> None:
        """Wait until writing has come to an end that nobody asked for; that is a fault, and its error is raised."""
        if self._writer is not None:
            await asyncio.shield(self._writer)

    # What is there.

    def get(self, key: records.Key) -> records.Record | None:
        """The committed state of an object."""
        return self._collections.get(key.resource, {}).get(key.namespace, {}).get(key.name)

    def latest(self, key: records.Key) -> records.Record | None:
        """The state the next write has to be decided on: committed, or on its way to the disk."""
        waiting = self._overlay.get(key)
        return waiting[1] if waiting is not None else self.get(key)

    def list(self, resource: str, namespace: str = "") -> list[records.Record]:
        """Committed objects of a collection in order of namespace and name; ``namespace`` "" means all of them."""
        spaces = self._collections.get(resource, {})
        chosen = [namespace] if namespace else sorted(spaces)
        return [record for space in chosen for _, record in sorted(spaces.get(space, {}).items())]

    def latest_in(self, resource: str, namespace: str = "") -> Sequence[records.Record]:
        """Like ``list``, in no order, on the view that ``latest`` shows."""
        found = {record.key: record for record in self.list(resource, namespace)}
        for key, (_, record) in self._overlay.items():
            if key.resource != resource or (namespace and key.namespace != namespace):
                continue
            if record is None:
                found.pop(key, None)
            else:
                found[key] = record
        return list(found.values())

    def populated(self) -> Sequence[str]:
        """Collections that hold something, or did since the start."""
        return list(self._collections)

    def history(self, resource: str) -> history.History:
        """The recent changes of a collection."""
        found = self._histories.get(resource)
        if found is None:
            # Nothing has happened to it since the start, so everything up to now is covered by a list.
            found = self._histories[resource] = history.History(self._started_at, self._limits)
        return found

    # Writing.

    async def put(self, key: records.Key, obj: resources.Object, over: records.Record | None) -> records.Record:
        """Keep ``obj`` (changed in place: it gets its resourceVersion) instead of ``over``; None means it must not exist yet.

        The decision falls before the first suspension, so nothing comes between a caller's look at ``latest`` and this call.

        Raises:
            StaleWriteError: ``over`` is not the latest state.
            TooManyRequestsError: too many writes are waiting for the disk.
            StorageError: the disk refused.
        """
        self._check(key, over)
        record = records.make(key, self._taken + 1, obj)
        kind: records.ChangeType = "ADDED" if over is None else "MODIFIED"
        return await self._take(journal.Write(record), records.Change(kind, record, over), record)

    async def remove(self, over: records.Record, final: resources.Object | None = None) -> records.Record:
        """Forget ``over``; gives back its last state (``final`` where given) at the revision of the removal. Raises as ``put``."""
        self._check(over.key, over)
        record = records.make(over.key, self._taken + 1, final if final is not None else over.decode())
        return await self._take(journal.Write(record, gone=True), records.Change("DELETED", record, over), None)

    async def settled(self, record: records.Record) -> records.Record:
        """``record`` once it is on disk: for writes that change nothing but were decided on one that is still on its way.

        Raises:
            StaleWriteError: ``record`` is not the latest state: it was overwritten or refused while its reader looked elsewhere.
            StorageError: the disk refused it.
        """
        if self.latest(record.key) is not record:
            raise StaleWriteError(f"{record.key} is no longer what the write was decided on")
        if record.key in self._overlay:
            for each in (*self._committing, *self._waiting):
                if each.change.record is record:
                    return await asyncio.shield(each.done)
        return record

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call ``subscriber`` with every change, in order, as it becomes visible. Returns how to stop that."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def _check(self, key: records.Key, over: records.Record | None) -> None:
        if self._closing:
            raise errors.StorageError("the API server is stopping")
        if len(self._waiting) >= _MAX_WAITING:
            raise errors.TooManyRequestsError("too many writes are waiting for the disk, please try again later")
        if self.latest(key) is not over:
            raise StaleWriteError(f"{key} is no longer what the write was decided on")

    async def _take(
        self, write: journal.Write, change: records.Change, latest: records.Record | None
    ) -> records.Record:
        self._taken = change.revision
        self._overlay[change.record.key] = (change.revision, latest)
        done: asyncio.Future[records.Record] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(write, change, done))
        self._wake.set()
        # A client that goes away does not take its write back.
        return await asyncio.shield(done)

    # From waiting to visible.

    async def _write_batches(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                count = min(_BATCH, len(self._waiting))
                self._committing = batch = [self._waiting.popleft() for _ in range(count)]
                try:
                    await loop.run_in_executor(self._thread, self._disk.commit, [each.write for each in batch])
                except errors.StorageError as error:
                    self._refuse(batch, error)
                    if isinstance(error, errors.DamagedStoreError):
                        self._closing = True
                        raise
                else:
                    self._publish(batch)
                self._committing = []
            if self._closing:
                return

    def _publish(self, batch: Iterable[_Waiting]) -> None:
        for each in batch:
            change, record = each.change, each.change.record
            if change.type == "DELETED":
                self._hide(record.key)
            else:
                self._show(record)
            if self._overlay[record.key][0] == record.revision:
                del self._overlay[record.key]
            self.history(record.key.resource).append(change)
            self.revision = record.revision
            for subscriber in tuple(self._subscribers):
                subscriber(change)
            if not each.done.done():
                each.done.set_result(record)

    def _refuse(self, batch: Sequence[_Waiting], error: errors.StorageError) -> None:
        log.error("writes refused by the disk", writes=len(batch) + len(self._waiting), error=error)
        refused = [*batch, *self._waiting]
        self._waiting.clear()
        self._overlay.clear()
        for each in refused:
            if not each.done.done():
                each.done.set_exception(error)

    def _show(self, record: records.Record) -> None:
        key = record.key
        self._collections.setdefault(key.resource, {}).setdefault(key.namespace, {})[key.name] = record

    def _hide(self, key: records.Key) -> None:
        spaces = self._collections[key.resource]
        del spaces[key.namespace][key.name]
        if not spaces[key.namespace]:
            del spaces[key.namespace]
