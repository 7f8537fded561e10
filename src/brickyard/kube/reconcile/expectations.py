"""What a reconciler has asked for and its cache has not shown yet.

A pass that created three pods must not look at a cache without them and create three more. So it writes down what it expects
before it asks, events tick it off, and the next pass only acts when nothing is outstanding. Expectations expire: an event that
never comes must not stop a controller for good. The idea is that of Kubernetes' ReplicaSet controller. Time is an argument.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable

TTL = 300.0
"""Seconds after which what is outstanding is believed lost."""


@dataclasses.dataclass(slots=True)
class _Outstanding:
    since: float
    creations: int
    deletions: set[str]


class Expectations:
    """Outstanding creations (a number) and deletions (uids) per owner, named by any hashable key."""

    def __init__(self, ttl: float = TTL) -> None:
        self._ttl = ttl
        self._by_key: dict[Hashable, _Outstanding] = {}

    def expect_creations(self, key: Hashable, count: int, now: float) -> None:
        """``count`` objects are about to be created for ``key``."""
        entry = self._entry(key, now)
        entry.creations += count

    def expect_deletions(self, key: Hashable, uids: Iterable[str], now: float) -> None:
        """The objects with these uids are about to be deleted for ``key``."""
        entry = self._entry(key, now)
        entry.deletions |= set(uids)

    def creation_observed(self, key: Hashable) -> None:
        """One creation was seen, or failed and will not be."""
        if entry := self._by_key.get(key):
            entry.creations = max(0, entry.creations - 1)  # an adopted object is one more than expected
            self._tidy(key, entry)

    def deletion_observed(self, key: Hashable, uid: str) -> None:
        """The end of ``uid`` was seen, or its deletion failed. Unknown uids are fine."""
        if entry := self._by_key.get(key):
            entry.deletions.discard(uid)
            self._tidy(key, entry)

    def satisfied(self, key: Hashable, now: float) -> bool:
        """Whether nothing is outstanding for ``key``, or what is has expired."""
        return self.wait(key, now) is None

    def wait(self, key: Hashable, now: float) -> float | None:
        """Seconds until what is outstanding for ``key`` expires; None when nothing is or it has.

        A pass that waits has to ask to be called again then: nothing else may ever call it.
        """
        entry = self._by_key.get(key)
        if entry is None or (not entry.creations and not entry.deletions):
            return None
        left = entry.since + self._ttl - now
        return left if left > 0 else None

    def forget(self, key: Hashable) -> None:
        """``key`` is gone."""
        self._by_key.pop(key, None)

    def _entry(self, key: Hashable, now: float) -> _Outstanding:
        entry = self._by_key.get(key)
        if entry is None or now - entry.since >= self._ttl:
            entry = self._by_key[key] = _Outstanding(now, 0, set())
        entry.since = now
        return entry

    def _tidy(self, key: Hashable, entry: _Outstanding) -> None:
        if not entry.creations and not entry.deletions:
            del self._by_key[key]
