"""What was recommended lately, and how that holds back what is recommended now, as Kubernetes does it. Pure.

    up     no further than the lowest recommendation of the up window
    down   no further than the highest recommendation of the down window

A recommendation counts while it is strictly younger than its window: of 20 at 0 s, 30 at 10 s, 40 at 20 s and 50 at 30 s, a window of 30 s
holds the last three at 30 s.

Only those are kept that may still be the lowest or the highest of what is left: later ones that are lower (or higher) put out earlier ones.
"""

from __future__ import annotations

import collections
import copy
import dataclasses
from typing import Final, Self

_MOST: Final = 1000
"""Entries of each queue. So many steps down within one window are merged two by two, the higher with the later time."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """At that Unix time, so many replicas."""

    at: float
    replicas: int


class Advice:
    """Recommendations of the last ``window`` seconds."""

    __slots__ = ("_highest", "_lowest", "latest")

    def __init__(self) -> None:
        self.latest: float | None = None
        """When something was recommended last, whether or not it still counts."""
        self._highest: collections.deque[Entry] = collections.deque()
        self._lowest: collections.deque[Entry] = collections.deque()

    def note(self, at: float, replicas: int) -> None:
        """``replicas`` were recommended at ``at``; not earlier than what was noted before."""
        self.latest = at
        self.assume(at, replicas)

    def assume(self, at: float, replicas: int) -> None:
        """Count ``replicas`` as recommended at ``at``, where nothing is known of what was."""
        found = Entry(at, replicas)
        for queue, sign in ((self._highest, 1), (self._lowest, -1)):
            while queue and sign * queue[-1].replicas <= sign * replicas:
                queue.pop()
            if len(queue) >= _MOST:
                queue.append(Entry(at, queue.pop().replicas))
            else:
                queue.append(found)

    def highest(self, window: float, now: float) -> Entry | None:
        """The highest of the last ``window`` seconds, with the last time it was recommended."""
        return _head(self._highest, window, now)

    def lowest(self, window: float, now: float) -> Entry | None:
        """The lowest of the last ``window`` seconds, with the last time it was recommended."""
        return _head(self._lowest, window, now)

    def __len__(self) -> int:
        return len(self._highest) + len(self._lowest)

    def shift(self, seconds: float) -> None:
        """The clock was set by ``seconds``: everything keeps its age."""
        if self.latest is not None:
            self.latest += seconds
        for queue in (self._highest, self._lowest):
            moved = [Entry(each.at + seconds, each.replicas) for each in queue]
            queue.clear()
            queue.extend(moved)

    def copied(self) -> Self:
        """A copy that shares nothing."""
        return copy.deepcopy(self)


def _head(queue: collections.deque[Entry], window: float, now: float) -> Entry | None:
    while queue and queue[0].at <= now - window:
        queue.popleft()
    return queue[0] if queue else None
