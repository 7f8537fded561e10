"""Creating and deleting the pods of a ReplicaSet or Job, with a record of what was asked for and not seen yet."""

from __future__ import annotations

import dataclasses

from brickyard.api.kinds import resources
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta, owners
from brickyard.kube.reconcile import expectations, recorder
from brickyard.lib import clock


@dataclasses.dataclass(frozen=True, slots=True)
class Names:
    """Which pod names of a namespace are in use."""

    pods: informers.Informer
    namespace: str

    def __contains__(self, name: object) -> bool:
        return self.pods.get(self.namespace, str(name)) is not None


class Pods:
    """Pods as their owners handle them. ``cache`` tells of pods that appear and go."""

    def __init__(
        self,
        client: contract.Client,
        cache: informers.Informer,
        events: recorder.EventRecorder,
        clock_: clock.Clock,
    ) -> None:
        self._client = client
        self._events = events
        self._clock = clock_
        self._expected = expectations.Expectations()
        cache.subscribe(self._changed)

    def wait(self, owner: resources.Object) -> float | None:
        """Seconds until what was asked for on behalf of ``owner`` is given up on; None when all was seen in the cache."""
        return self._expected.wait(meta.uid(owner), self._clock.monotonic())

    def forget(self, owner: resources.Object) -> None:
        """``owner`` is gone."""
        self._expected.forget(meta.uid(owner))

    async def create(self, owner: resources.Object, pod: resources.Object) -> None:
        """Create ``pod`` and tell of it."""
        key = meta.uid(owner)
        self._expected.expect_creations(key, 1, self._clock.monotonic())
        try:
            await self._client.create(resources.POD, pod)
        except BaseException:
            # Nothing will be seen of it. Should it have been made after all, the next pass finds its name taken.
            self._expected.creation_observed(key)
            raise
        self._events.record(owner, recorder.NORMAL, "SuccessfulCreate", f"Created pod: {meta.name(pod)}")

    async def delete(self, owner: resources.Object, pod: resources.Object) -> None:
        """Delete this very ``pod`` and tell of it; one that is gone already is fine."""
        key, uid = meta.uid(owner), meta.uid(pod)
        self._expected.expect_deletions(key, [uid], self._clock.monotonic())
        try:
            await self._client.delete(resources.POD, meta.key(pod), contract.DeleteOptions(uid=uid))
        except (errors.NotFound, errors.Conflict):
            self._expected.deletion_observed(key, uid)
        except BaseException:
            self._expected.deletion_observed(key, uid)
            raise
        else:
            self._events.record(owner, recorder.NORMAL, "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")

    def _changed(self, old: resources.Object | None, new: resources.Object | None) -> None:
        pod = new if new is not None else old
        controller = owners.controller_of(pod) if pod is not None else None
        if pod is None or controller is None:
            return
        if new is None or meta.is_deleting(new):
            self._expected.deletion_observed(controller["uid"], meta.uid(pod))
        elif old is None:
            self._expected.creation_observed(controller["uid"])
