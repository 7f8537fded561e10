"""The Deployment controller's hands: read the caches, plan, write ReplicaSets, then the Deployment itself."""

from __future__ import annotations

import dataclasses

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import ownership
from brickyard.embedded.builtin.deployment import plan as planning
from brickyard.embedded.builtin.deployment import replicasets as handling
from brickyard.embedded.builtin.deployment import revisions, sizes, status
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import recorder
from brickyard.lib import clock

_KINDS = (resources.DEPLOYMENT, resources.REPLICA_SET)


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read. ``replica_sets`` and ``pods`` must be indexed by ``ownership.INDEXERS``."""

    deployments: informers.Informer
    replica_sets: informers.Informer
    pods: informers.Informer


class Reconciler:
    """Rolls Deployments."""

    def __init__(
        self, client: contract.Client, caches: Caches, events: recorder.EventRecorder, clock_: clock.Clock
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._clock = clock_
        self._replica_sets = handling.ReplicaSets(client, caches.replica_sets, clock_)
        caches.deployments.subscribe(self._forget)

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        deployment = self._caches.deployments.get(*request)
        if deployment is None:
            return reconcile.Result()
        wait = self._replica_sets.wait(deployment)
        if wait is not None:
            return reconcile.Result(requeue_after=wait)
        plan = planning.plan(self._snapshot(deployment), self._clock.wall())
        await self._carry_out(deployment, plan)
        return reconcile.Result(requeue_after=plan.requeue_after)

    async def _carry_out(self, deployment: resources.Object, plan: planning.Plan) -> None:
        await ownership.apply(self._client, _KINDS, deployment, plan.claims)
        if plan.create is not None:
            await self._create(deployment, plan.create, plan)
        for update in plan.update:
            await self._replica_sets.update(deployment, update)
        for event in plan.events:
            self._events.record(deployment, event.type, event.reason, event.message)
        for replica_set in plan.delete:
            await self._replica_sets.delete(replica_set)
        if plan.revision:
            deployment = await self._client.patch(
                resources.DEPLOYMENT, meta.key(deployment), _revision_patch(deployment, plan.revision)
            )
        await self._write_status(deployment, plan.status)

    def _snapshot(self, deployment: resources.Object) -> planning.Snapshot:
        replica_sets = ownership.candidates(self._caches.replica_sets, deployment)
        if sizes.strategy(deployment) != sizes.RECREATE:
            return planning.Snapshot(deployment, replica_sets)
        pods = [pod for each in replica_sets for pod in ownership.children(self._caches.pods, each)]
        return planning.Snapshot(deployment, replica_sets, pods)

    async def _create(self, deployment: resources.Object, replica_set: resources.Object, plan: planning.Plan) -> None:
        """Create the ReplicaSet; where that fails, tell in the status before the error is raised."""
        try:
            await self._replica_sets.create(deployment, replica_set)
        except errors.AlreadyExists:
            # Either an earlier pass made it, unseen as yet, or another template has the same hash.
            if not await self._replica_sets.is_ours(deployment, meta.name(replica_set)):
                await self._write_status(deployment, status.collided(dict(deployment.get("status") or {})))
            raise
        except errors.KubeError as error:
            name = meta.name(replica_set)
            # The conditions as they were: the plan's already speak of the ReplicaSet as made.
            before = (deployment.get("status") or {}).get("conditions") or []
            told = {**plan.status, "conditions": before}
            failed = status.creation_failed(told, name, str(error), self._clock.wall())
            self._events.record(deployment, recorder.WARNING, status.CREATE_ERROR, f"Error creating {name}: {error}")
            await self._write_status(deployment, failed)
            raise

    async def _write_status(self, deployment: resources.Object, told: status.Status) -> None:
        """Write what differs. A conflict is raised: conditions were computed from the version that was read."""
        if told != (deployment.get("status") or {}):
            await self._client.update(resources.DEPLOYMENT, {**deployment, "status": told}, "status")

    def _forget(self, old: resources.Object | None, new: resources.Object | None) -> None:
        if new is None and old is not None:
            self._replica_sets.forget(old)


def _revision_patch(deployment: resources.Object, revision: str) -> resources.Object:
    planned_on = {"uid": meta.uid(deployment), "resourceVersion": meta.resource_version(deployment)}
    return {"metadata": {**planned_on, "annotations": {revisions.REVISION: revision}}}
