"""The watch verb: a watcher's changes as lines of JSON.

    resourceVersion   sendInitialEvents   the stream begins with
    "" or "0"         absent              every object as ADDED
    N                 absent              what happened after N
    any               true                every object as ADDED, then a bookmark that says so
    "" or "0"         false               nothing: from now on
    N                 false               what happened after N

A revision that is no longer held is answered by an ERROR event of code 410, so that clients list again. A stream ends after
``timeoutSeconds`` (by default half an hour to an hour, spread so that clients do not all come back at once), when the client
reads too slowly, or when the server stops.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

import orjson

from brickyard.api.kinds import faults
from brickyard.embedded.apiserver import errors, pieces, reads, records, requests, selection, shapes, watch
from brickyard.embedded.apiserver.context import Context

INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
_BOOKMARK_EVERY = 60.0
_SHORTEST_LIFE = 1800.0


@dataclasses.dataclass(frozen=True, slots=True)
class WatchQuery:
    """What a watch asks beside its selection. ``timeout`` None means the server's choice, ``initial`` None the client's silence."""

    resource_version: str = ""
    timeout: float | None = None
    bookmarks: bool = False
    initial: bool | None = None

    @property
    def from_state(self) -> bool:
        """Whether the stream begins with every object."""
        return self.initial if self.initial is not None else self.resource_version in ("", "0")


def watch_query(query: requests.Query) -> WatchQuery:
    """Read the parameters of a watch.

    Raises:
        BadRequestError: one of them cannot be read.
        InvalidError: they contradict each other.
    """
    initial = query.flag("sendInitialEvents") if "sendInitialEvents" in query else None
    match = query.text("resourceVersionMatch")
    path, wrong = "resourceVersionMatch", list[faults.FieldError]()
    if match and initial is None:
        wrong.append(faults.forbidden(path, f"{path} is forbidden for watch unless sendInitialEvents is provided"))
    if initial is not None and match != "NotOlderThan":
        wrong.append(faults.forbidden(path, f"sendInitialEvents requires setting {path} to NotOlderThan"))
    if initial is not None and query.text("continue"):
        wrong.append(faults.forbidden("continue", "continue is forbidden when sendInitialEvents is provided"))
    if wrong:
        raise errors.invalid_options("ListOptions", wrong)
    timeout = query.number("timeoutSeconds")
    version = query.text("resourceVersion")
    reads.revision_of(version)
    return WatchQuery(version, float(timeout) if timeout else None, query.flag("allowWatchBookmarks"), initial)


async def lines(
    context: Context, view: shapes.View, wanted: selection.Selection, asked: WatchQuery
) -> AsyncIterator[bytes]:
    """The stream, in chunks of whole lines."""
    resource = records.resource_of(view.kind)
    at = reads.revision_of(asked.resource_version)
    # Opening and reading the state happen without suspending, so nothing falls between the two.
    try:
        if asked.initial and at > context.store.revision:
            raise errors.in_the_future(at, context.store.revision)
        watcher = context.watches.open(resource, wanted, None if asked.from_state or not at else at)
    except errors.ApiError as error:
        yield records.watch_line("ERROR", orjson.dumps(error.status()))
        return
    try:
        writer = _Writer(context, view, asked)
        if asked.from_state:
            for chunk in writer.state(reads.find(context, resource, wanted), context.store.revision):
                yield chunk
        async for chunk in writer.changes(watcher):
            yield chunk
    finally:
        context.watches.release(resource, watcher)


class _Writer:
    """Turns records and changes into lines of one client's shape."""

    def __init__(self, context: Context, view: shapes.View, asked: WatchQuery) -> None:
        self._context = context
        self._view = view
        self._asked = asked
        self._shared = view.shape == "Object"
        self._header = True

    def state(self, found: Sequence[records.Record], revision: int) -> Iterator[bytes]:
        for piece in pieces.cut(found, lambda record: len(record.raw)):
            yield b"".join(self._line("ADDED", record) for record in piece)
        if self._asked.initial and self._asked.bookmarks:
            yield self._bookmark(revision, {INITIAL_EVENTS_END: "true"})

    async def changes(self, watcher: watch.Watcher) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        life = self._asked.timeout or _SHORTEST_LIFE * (1 + self._context.rng.random())
        end = loop.time() + life
        every = _BOOKMARK_EVERY if self._asked.bookmarks else math.inf
        due = min(end, loop.time() + every)
        while True:
            heard = await watcher.take(due - loop.time())
            # Everything up to here has been taken: the revision is safe to resume from once the lines are out.
            revision, now = self._context.store.revision, loop.time()
            for piece in pieces.cut(heard, lambda each: len(each.change.record.raw)):
                yield b"".join(self._heard(each) for each in piece)
            if watcher.closed is not None:
                return
            if now >= due:
                if self._asked.bookmarks:
                    yield self._bookmark(revision, None)
                if now >= end:
                    return
                due = min(end, now + every)

    def _heard(self, heard: watch.Heard) -> bytes:
        change = heard.change
        if self._shared and change.record.api_version == self._view.kind.api_version:
            return change.line(heard.seen_as)
        record = change.departed() if heard.seen_as == "DELETED" else change.record
        return self._line(heard.seen_as, record)

    def _line(self, kind: str, record: records.Record) -> bytes:
        body = self._view.event(record, self._context.now(), header=self._header)
        self._header = False
        return records.watch_line(kind, body)

    def _bookmark(self, revision: int, annotations: dict[str, str] | None) -> bytes:
        return records.watch_line("BOOKMARK", self._view.bookmark(revision, annotations))
