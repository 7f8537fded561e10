"""The CronJob controller's hands: read the caches, plan, make and delete Jobs, write the status."""

from __future__ import annotations

import dataclasses

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import ownership
from brickyard.embedded.builtin.cronjob import plan as planning
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import recorder
from brickyard.kube.reconcile import status as statuses
from brickyard.lib import clock


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read. ``jobs`` must be indexed by ``ownership.INDEXERS``."""

    cron_jobs: informers.Informer
    jobs: informers.Informer


class Reconciler:
    """Keeps CronJobs."""

    def __init__(
        self, client: contract.Client, caches: Caches, events: recorder.EventRecorder, clock_: clock.Clock
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._clock = clock_

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        found = self._caches.cron_jobs.get(*request)
        if found is None:
            return reconcile.Result()
        plan = planning.plan(found, ownership.children(self._caches.jobs, found), self._clock.wall())
        for job in (*plan.expired, *plan.replace):
            await self._delete(job)
        made = plan.create is not None and await self._create(found, plan.create)
        await statuses.write(self._client, resources.CRON_JOB, found, plan.status)
        for event in plan.events:
            if event.reason == planning.CREATED and not made:
                continue
            self._events.record(found, event.type, event.reason, event.message)
        return reconcile.Result(requeue_after=plan.requeue_after)

    async def _create(self, found: resources.Object, job: resources.Object) -> bool:
        """Whether it was made now: an earlier pass may have made it and not got to say so in the status."""
        try:
            await self._client.create(resources.JOB, job)
        except errors.AlreadyExists:
            return False
        except errors.KubeError as error:
            self._events.record(found, recorder.WARNING, "FailedCreate", f"Error creating job: {error}")
            raise
        return True

    async def _delete(self, job: resources.Object) -> None:
        try:
            await self._client.delete(resources.JOB, meta.key(job), contract.DeleteOptions(uid=meta.uid(job)))
        except errors.NotFound:
            return
