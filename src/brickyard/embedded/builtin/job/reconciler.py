"""The Job controller's hands: read the caches, plan, create and delete pods, write the status, let go of counted pods.

The order matters: a pod loses its finalizer only after its end stands in the status.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import ownership, podcontrol
from brickyard.embedded.builtin.job import plan as planning
from brickyard.embedded.builtin.job import spec, status, tally
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta, owners
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import recorder, slowstart
from brickyard.lib import clock

_KINDS = (resources.JOB, resources.POD)
_LOOK_AGAIN = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read. ``pods`` must be indexed by ``ownership.INDEXERS``."""

    jobs: informers.Informer
    pods: informers.Informer


class Reconciler:
    """Runs Jobs."""

    def __init__(
        self, client: contract.Client, caches: Caches, events: recorder.EventRecorder, clock_: clock.Clock
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._clock = clock_
        self._pods = podcontrol.Pods(client, caches.pods, events, clock_)
        self._overwritten: dict[str, str] = {}
        caches.jobs.subscribe(self._forget)

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        job = self._caches.jobs.get(*request)
        if job is None:
            await self._free_orphans(*request)
            return reconcile.Result()
        if self._overwritten.get(meta.uid(job)) == meta.resource_version(job):
            # Our own last status is not in the cache yet, and counts made on an older one would be wrong.
            return reconcile.Result(requeue_after=_LOOK_AGAIN)
        waits = self._pods.wait(job)
        snapshot = planning.Snapshot(
            job=job,
            pods=ownership.candidates(self._caches.pods, job),
            taken=podcontrol.Names(self._caches.pods, request.namespace),
            caught_up=waits is None,
        )
        plan = planning.plan(snapshot, self._clock.wall())
        await ownership.apply(self._client, _KINDS, job, plan.claims)
        for pod in plan.forgive:
            await self._let_go(pod)
        if plan.delete_job:
            await self._delete_job(job)
        if plan.settled:
            return reconcile.Result(requeue_after=plan.requeue_after)
        error = await self._carry_out(job, plan)
        await self._account(job, plan)
        if error is not None:
            raise error
        again = [after for after in (plan.requeue_after, self._pods.wait(job)) if after is not None]
        return reconcile.Result(requeue_after=min(again, default=None))

    async def _carry_out(self, job: resources.Object, plan: planning.Plan) -> errors.KubeError | None:
        created = await slowstart.run(plan.create, lambda pod: self._pods.create(job, pod))
        if isinstance(created.error, errors.AlreadyExists):
            raise created.error  # the caches were behind: an earlier pass made these pods
        if created.error is not None:
            self._events.record(job, recorder.WARNING, "FailedCreate", f"Error creating: {created.error}")
            return created.error
        deleted = await slowstart.run(plan.delete, lambda pod: self._pods.delete(job, pod))
        return deleted.error

    async def _account(self, job: resources.Object, plan: planning.Plan) -> None:
        """Write the status on the very version that was read (counts would double otherwise), then let counted pods go."""
        told = status.compute(job, plan, self._clock.wall())
        before = job.get("status") or {}
        if told != before:
            await self._client.update(resources.JOB, {**job, "status": told}, "status")
            self._overwritten[meta.uid(job)] = meta.resource_version(job)
            for event in status.events(before, told):
                self._events.record(job, event.type, event.reason, event.message)
        for pod in plan.tally.release:
            await self._let_go(pod)

    async def _let_go(self, pod: resources.Object) -> None:
        """Take the finalizer away; whoever changed the pod meanwhile causes a ``Conflict`` and another pass."""
        metadata = meta.metadata(pod)
        kept = [each for each in metadata.get("finalizers") or () if each != spec.FINALIZER]
        planned_on = {"uid": meta.uid(pod), "resourceVersion": meta.resource_version(pod)}
        try:
            await self._client.patch(resources.POD, meta.key(pod), {"metadata": {**planned_on, "finalizers": kept}})
        except errors.NotFound:
            return

    async def _delete_job(self, job: resources.Object) -> None:
        options = contract.DeleteOptions(uid=meta.uid(job), propagation_policy="Foreground")
        try:
            await self._client.delete(resources.JOB, meta.key(job), options)
        except errors.NotFound:
            return

    async def _free_orphans(self, namespace: str, name: str) -> None:
        """The Job is gone: nobody will count its pods any more."""
        for pod in _of_job(self._caches.pods.list(namespace), name):
            if tally.is_tracked(pod):
                await self._let_go(pod)

    def _forget(self, old: resources.Object | None, new: resources.Object | None) -> None:
        if new is None and old is not None:
            self._pods.forget(old)
            self._overwritten.pop(meta.uid(old), None)


def _of_job(pods: Iterable[resources.Object], name: str) -> Iterable[resources.Object]:
    for pod in pods:
        reference = owners.controller_of(pod)
        if reference is not None and (reference.get("kind"), reference.get("name")) == (resources.JOB.kind, name):
            yield pod
