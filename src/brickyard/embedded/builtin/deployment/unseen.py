"""Writes that the cache has not shown yet.

A plan made without the last step's ReplicaSets could ask for more pods than the Deployment may have. So a Deployment whose writes are not
all seen is not planned for. A write is seen when the cache shows any other version of the ReplicaSet than the one it was planned on:
since the API server takes it on that version only, the next version is its own. Times are monotonic seconds.
"""

from __future__ import annotations

import dataclasses

from brickyard.api.kinds import resources
from brickyard.kube.objects import meta, owners

TTL = 30.0
"""Seconds after which a write counts as seen: its ReplicaSet may have come and gone between two looks."""


@dataclasses.dataclass(slots=True)
class _Write:
    planned_on: str
    since: float


class Unseen:
    """Outstanding writes, by the uid of the Deployment and the ReplicaSet's key."""

    def __init__(self) -> None:
        self._writes: dict[str, dict[meta.Key, _Write]] = {}

    def expect(self, owner_uid: str, replica_set: resources.Object, now: float) -> None:
        """``replica_set`` is about to be written, planned on the version it carries; none when it is to be created."""
        written = _Write(meta.resource_version(replica_set), now)
        self._writes.setdefault(owner_uid, {})[meta.key(replica_set)] = written

    def give_up(self, owner_uid: str, replica_set: resources.Object) -> None:
        """The write failed, or the ReplicaSet was seen to be gone."""
        writes = self._writes.get(owner_uid, {})
        writes.pop(meta.key(replica_set), None)
        if not writes:
            self._writes.pop(owner_uid, None)

    def changed(self, old: resources.Object | None, new: resources.Object | None) -> None:
        """The cache's handler: ``new`` is None when the ReplicaSet is gone."""
        shown = new if new is not None else old
        controller = owners.controller_of(shown) if shown is not None else None
        if shown is None or controller is None:
            return
        write = self._writes.get(controller["uid"], {}).get(meta.key(shown))
        if write is not None and (new is None or meta.resource_version(new) != write.planned_on):
            self.give_up(controller["uid"], shown)

    def wait(self, owner_uid: str, now: float) -> float | None:
        """Seconds until the last outstanding write counts as seen; None when nothing is outstanding."""
        until = max((write.since + TTL for write in self._writes.get(owner_uid, {}).values()), default=now)
        if until <= now:
            self._writes.pop(owner_uid, None)
            return None
        return until - now

    def forget(self, owner_uid: str) -> None:
        """The Deployment is gone."""
        self._writes.pop(owner_uid, None)
