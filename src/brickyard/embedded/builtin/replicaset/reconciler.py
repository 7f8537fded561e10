"""The ReplicaSet controller's hands: read the caches, plan, create and delete pods, write the status."""

from __future__ import annotations

import dataclasses

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import ownership, podcontrol
from brickyard.embedded.builtin.replicaset import plan as planning
from brickyard.embedded.builtin.replicaset import status
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import recorder, slowstart
from brickyard.kube.reconcile import status as statuses
from brickyard.lib import clock

_KINDS = (resources.REPLICA_SET, resources.POD)


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read. ``pods`` must be indexed by ``ownership.INDEXERS``."""

    replica_sets: informers.Informer
    pods: informers.Informer


class Reconciler:
    """Keeps ReplicaSets."""

    def __init__(
        self, client: contract.Client, caches: Caches, events: recorder.EventRecorder, clock_: clock.Clock
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._clock = clock_
        self._pods = podcontrol.Pods(client, caches.pods, events, clock_)
        caches.replica_sets.subscribe(self._forget)

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        replica_set = self._caches.replica_sets.get(*request)
        if replica_set is None:
            return reconcile.Result()
        snapshot = planning.Snapshot(
            replica_set=replica_set,
            pods=ownership.candidates(self._caches.pods, replica_set),
            taken=podcontrol.Names(self._caches.pods, request.namespace),
            caught_up=self._pods.wait(replica_set) is None,
        )
        plan = planning.plan(snapshot, self._clock.wall())
        await ownership.apply(self._client, _KINDS, replica_set, plan.claims)
        reason, error = await self._carry_out(replica_set, plan)
        failure = None if error is None else (reason, str(error))
        told = status.compute(replica_set, plan, self._clock.wall(), failure)
        await statuses.write(self._client, resources.REPLICA_SET, replica_set, told)
        if error is not None:
            raise error
        again = [after for after in (plan.requeue_after, self._pods.wait(replica_set)) if after is not None]
        return reconcile.Result(requeue_after=min(again, default=None))

    async def _carry_out(
        self, replica_set: resources.Object, plan: planning.Plan
    ) -> tuple[str, errors.KubeError | None]:
        """The first refusal and the reason it gives the ReplicaFailure condition; ("", None) when all went well.

        Raises:
            AlreadyExists: the caches are too old: an earlier pass, of which nobody remembers, made these pods.
        """
        created = await slowstart.run(plan.create, lambda pod: self._pods.create(replica_set, pod))
        if isinstance(created.error, errors.AlreadyExists):
            raise created.error
        if created.error is not None:
            self._events.record(replica_set, recorder.WARNING, status.FAILED_CREATE, f"Error creating: {created.error}")
            return status.FAILED_CREATE, created.error
        deleted = await slowstart.run(plan.delete, lambda pod: self._pods.delete(replica_set, pod))
        if deleted.error is not None:
            self._events.record(replica_set, recorder.WARNING, status.FAILED_DELETE, f"Error deleting: {deleted.error}")
            return status.FAILED_DELETE, deleted.error
        return "", None

    def _forget(self, old: resources.Object | None, new: resources.Object | None) -> None:
        if new is None and old is not None:
            self._pods.forget(old)
