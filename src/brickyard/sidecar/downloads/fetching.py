"""Fetches what a reference on the network is made of: its files, a few at a time, into the cache.

What the cache has already under the same checksum is not fetched again, whichever reference brought it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping
from typing import Final

import httpx2

from brickyard.lib import clock as clocks
from brickyard.lib import logs
from brickyard.sidecar.downloads import (
    hub,
    identity,
    objects,
    pypi,
    references,
    remote,
    store,
    threads,
    transfer,
    trees,
    web,
    wheels,
)

log = logs.get(__name__)

_Arrived = wheels.Extracted | trees.Member
"""A file in the workspace, or one that is in the cache already."""
_INTERVAL: Final = 0.15
"""Seconds between two reports of progress."""


@dataclasses.dataclass(frozen=True, slots=True)
class Remotes:
    """How places on the network are asked.

    Attributes:
        hub: Hugging Face's address and token.
        stores: opens the buckets of object stores.
        parallel: files of one model that are fetched at the same time.
        suffixes: the only file types that a model's folder may hold, such as ``.json``; all when empty.
        force: ask again for what is cached.
        patience: when to give a file up.
        environ: the machine's own variables, in which ``hub`` and ``stores`` were found.
    """

    hub: hub.Access = hub.Access()  # noqa: RUF009 - a frozen value
    stores: objects.Make = objects.Stores({})  # noqa: RUF009 - a frozen value
    parallel: int = 4
    suffixes: frozenset[str] = frozenset()
    force: bool = False
    patience: transfer.Patience = transfer.PATIENCE
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    def asked_by(self, brought: Mapping[str, str]) -> Remotes:
        """The same places, asked with the credentials in ``brought`` where it has any."""
        full = identity.merged(self.environ, brought)
        if full == dict(self.environ):
            return self
        return dataclasses.replace(self, hub=hub.Access.configured(full), stores=objects.Stores(full))

    def source(self, reference: references.Remote, brought: Mapping[str, str]) -> str:
        """What the cache knows ``reference`` by when it is asked for with ``brought``: equal where the contents are the same."""
        if isinstance(reference, references.WebFile):
            return reference.identity
        scheme = reference.text.partition(":")[0]
        if isinstance(reference, references.HubModel) and not reference.revision:
            revision = self.asked_by(brought).hub.revision
            reference = dataclasses.replace(reference, revision="" if revision == hub.REVISION else revision)
        place = identity.address(scheme, identity.merged(self.environ, brought))
        elsewhere = place != identity.address(scheme, self.environ)
        return f"{reference.identity} at {place or 'its usual place'}" if elsewhere else reference.identity

    async def contents(self, http: httpx2.AsyncClient, reference: references.Remote) -> remote.Contents:
        """What ``reference`` is made of.

        Raises:
            DownloadError: it cannot be told.
        """
        match reference:
            case references.HubModel():
                return await hub.Hub(http, self.hub, self.suffixes, self.patience).contents(reference)
            case references.WebFile():
                return await web.Web(http).contents(reference)
            case references.ObjectPath():
                return await objects.Objects(self.stores, self.suffixes).contents(reference)


class _Meter:
    """Adds up the bytes of all files, and tells them not too often."""

    def __init__(self, total: int | None, progress: pypi.Progress, clock: clocks.Clock) -> None:
        self._done = 0
        self._total = total
        self._progress = progress
        self._clock = clock
        self._told = -_INTERVAL

    def moved(self, count: int) -> None:
        self._done += count
        now = self._clock.monotonic()
        if now - self._told >= _INTERVAL:
            self._told = now
            self._progress(self._done, self._total if self._total is None else max(self._total, self._done))


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One download; its caller holds the lock. ``source`` is what the cache will know it by, ``workspace`` where files grow."""

    store: store.Store
    source: str
    workspace: pathlib.Path
    remotes: Remotes
    clock: clocks.Clock
    progress: pypi.Progress

    async def run(self, reference: references.Remote) -> pathlib.Path:
        """Fetch ``reference`` into the cache; its place there.

        Raises:
            DownloadError: it could not be had. What has arrived stays, to go on with.
            OSError: the cache cannot be written.
        """
        async with web.client() as http:
            contents = await self.remotes.contents(http, reference)
            arrived = await self._arrived(contents.pieces)
        return await threads.run(lambda: self._publish(reference, contents, arrived))

    def _publish(
        self, reference: references.Remote, contents: remote.Contents, arrived: list[_Arrived]
    ) -> pathlib.Path:
        # Only now: until all is there, a file that came whole is taken up by the next try where it lies.
        members = [self._kept(piece, each) for piece, each in zip(contents.pieces, arrived, strict=True)]
        if len(members) == 1 and contents.entry:
            path = self.store.name(self.source, reference.text, members[0])
        else:
            path = self.store.publish(self.source, reference.text, members, contents.entry)
        store.discard(self.workspace)
        return path

    async def _arrived(self, pieces: tuple[remote.Piece, ...]) -> list[_Arrived]:
        """All pieces on this machine's disk, in their order."""
        sizes = [piece.size for piece in pieces]
        meter = _Meter(None if None in sizes else sum(size or 0 for size in sizes), self.progress, self.clock)
        gate = asyncio.Semaphore(self.remotes.parallel)
        await asyncio.to_thread(self._begin, pieces)
        work = [asyncio.create_task(self._member(each, meter, gate), name=f"model/{each.path}") for each in pieces]
        try:
            return await asyncio.gather(*work)
        finally:
            # After the first failure the others end too, and their threads with them, before the lock is given back.
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    def _begin(self, pieces: tuple[remote.Piece, ...]) -> None:
        self.workspace.mkdir(parents=True, exist_ok=True)
        missing = [piece for piece in pieces if not self._cached(piece)]
        self.store.room(sum(piece.size or 0 for piece in missing) - store.folder_size(self.workspace))

    def _cached(self, piece: remote.Piece) -> trees.Member | None:
        return self.store.blob(piece.sha256, _suffix(piece), piece.size) if piece.sha256 else None

    async def _member(self, piece: remote.Piece, meter: _Meter, gate: asyncio.Semaphore) -> _Arrived:
        async with gate:
            if (found := await asyncio.to_thread(self._cached, piece)) is not None:
                meter.moved(found.size)
                return found
            target = self.workspace / hashlib.sha256(piece.path.encode()).hexdigest()[:32]
            log.info("downloading model", file=piece.origin.label, bytes=piece.size)
            return await transfer.download(piece, target, meter.moved, self.remotes.patience)

    def _kept(self, piece: remote.Piece, arrived: _Arrived) -> trees.Member:
        member = self.store.keep(_suffix(piece), arrived) if isinstance(arrived, wheels.Extracted) else arrived
        return dataclasses.replace(member, path=piece.path)


def _suffix(piece: remote.Piece) -> str:
    return pathlib.PurePosixPath(piece.path).suffix
