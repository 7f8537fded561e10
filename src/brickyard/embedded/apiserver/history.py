"""The recent past of one collection: what watches resume from.

Bounded by number and by bytes; what falls out raises ``compacted``, and a watch from before that must list again.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Sequence

from brickyard.embedded.apiserver import records


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How much of the past is held per collection."""

    events: int = 8192
    size: int = 16 * 1024 * 1024


class CompactedError(Exception):
    """The asked revision is no longer held; ``oldest`` is the first that can be resumed from."""

    def __init__(self, oldest: int) -> None:
        super().__init__(f"nothing is held before revision {oldest}")
        self.oldest = oldest


class History:
    """Changes in order of revision. ``compacted`` is the last revision that is not held any more."""

    def __init__(self, compacted: int, limits: Limits) -> None:
        self.compacted = compacted
        self._limits = limits
        self._changes: collections.deque[records.Change] = collections.deque()
        self._size = 0

    def append(self, change: records.Change) -> None:
        """Remember ``change``; the oldest fall out when a limit is passed, but never the newest."""
        self._changes.append(change)
        self._size += len(change.record.raw)
        while len(self._changes) > self._limits.events or (self._size > self._limits.size and len(self._changes) > 1):
            oldest = self._changes.popleft()
            self._size -= len(oldest.record.raw)
            self.compacted = oldest.revision

    def since(self, revision: int) -> Sequence[records.Change]:
        """Everything after ``revision``, oldest first. Costs as much as it returns.

        Raises:
            CompactedError: some of it has fallen out.
        """
        if revision < self.compacted:
            raise CompactedError(self.compacted)
        newest_first = itertools.takewhile(lambda change: change.revision > revision, reversed(self._changes))
        return list(newest_first)[::-1]
