"""Creating, changing and deleting a Deployment's ReplicaSets, with a record of what was written and not seen yet."""

from __future__ import annotations

from collections.abc import Awaitable

from brickyard.api.kinds import resources
from brickyard.embedded.builtin.deployment import plan as planning
from brickyard.embedded.builtin.deployment import revisions, unseen
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta, owners
from brickyard.lib import clock


class ReplicaSets:
    """ReplicaSets as a Deployment handles them. ``cache`` tells of those that appear, change and go."""

    def __init__(self, client: contract.Client, cache: informers.Informer, clock_: clock.Clock) -> None:
        self._client = client
        self._clock = clock_
        self._unseen = unseen.Unseen()
        cache.subscribe(self._unseen.changed)

    def wait(self, deployment: resources.Object) -> float | None:
        """Seconds to wait at most before what was written for ``deployment`` is seen; None when all is."""
        return self._unseen.wait(meta.uid(deployment), self._clock.monotonic())

    def forget(self, deployment: resources.Object) -> None:
        """``deployment`` is gone."""
        self._unseen.forget(meta.uid(deployment))

    async def create(self, deployment: resources.Object, replica_set: resources.Object) -> None:
        """Create ``replica_set``."""
        await self._expecting(deployment, replica_set, self._client.create(resources.REPLICA_SET, replica_set))

    async def update(self, deployment: resources.Object, update: planning.Update) -> None:
        """Carry out ``update``, unless the ReplicaSet changed since it was planned."""
        write = self._client.patch(resources.REPLICA_SET, meta.key(update.replica_set), update.patch())
        await self._expecting(deployment, update.replica_set, write)

    async def delete(self, replica_set: resources.Object) -> None:
        """Delete this very ``replica_set``; one that is gone already is fine."""
        try:
            options = contract.DeleteOptions(uid=meta.uid(replica_set))
            await self._client.delete(resources.REPLICA_SET, meta.key(replica_set), options)
        except errors.NotFound:
            return

    async def is_ours(self, deployment: resources.Object, name: str) -> bool:
        """Whether the ReplicaSet ``name`` is the Deployment's own, of its present template."""
        live = await self._client.get(resources.REPLICA_SET, name, meta.namespace(deployment))
        return owners.is_controlled_by(live, deployment) and revisions.newest(deployment, [live]) is not None

    async def _expecting(
        self, deployment: resources.Object, replica_set: resources.Object, write: Awaitable[resources.Object]
    ) -> None:
        self._unseen.expect(meta.uid(deployment), replica_set, self._clock.monotonic())
        try:
            await write
        except BaseException:
            self._unseen.give_up(meta.uid(deployment), replica_set)
            raise
