"""The StatefulSet controller's hands: read the caches, plan, write revisions, claims and pods, then the status.

Pods and claims have names that follow from the set, so a pass that acts on an old cache asks for what exists and is refused; deletions
name the pod's uid.
"""

from __future__ import annotations

import contextlib
import dataclasses

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import history, ownership
from brickyard.embedded.builtin.statefulset import plan as planning
from brickyard.embedded.builtin.statefulset import status
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta, owners
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import recorder
from brickyard.kube.reconcile import status as statuses
from brickyard.lib import clock

_KINDS = (resources.STATEFUL_SET, resources.POD)


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read. ``pods`` and ``revisions`` must be indexed by ``ownership.INDEXERS``."""

    stateful_sets: informers.Informer
    pods: informers.Informer
    revisions: informers.Informer
    claims: informers.Informer


class Reconciler:
    """Keeps StatefulSets."""

    def __init__(
        self, client: contract.Client, caches: Caches, events: recorder.EventRecorder, clock_: clock.Clock
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._clock = clock_

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        found = self._caches.stateful_sets.get(*request)
        if found is None:
            return reconcile.Result()
        snapshot = planning.Snapshot(
            stateful_set=found,
            pods=ownership.candidates(self._caches.pods, found),
            history=ownership.children(self._caches.revisions, found),
            claim_names={meta.name(each) for each in self._caches.claims.list(request.namespace)},
        )
        plan = planning.plan(snapshot, self._clock.wall())
        await ownership.apply(self._client, _KINDS, found, plan.claims)
        if not meta.is_deleting(found):
            await history.keep(self._client, plan.revisions, plan.stale)
        try:
            await self._carry_out(found, plan)
        finally:
            await statuses.write(
                self._client, resources.STATEFUL_SET, found, status.compute(found, plan, self._clock.wall())
            )
        return reconcile.Result(requeue_after=plan.requeue_after)

    async def _carry_out(self, found: resources.Object, plan: planning.Plan) -> None:
        try:
            for claim in plan.claim_volumes:
                await self._claim(found, claim)
            for pod in plan.create:
                await self._client.create(resources.POD, pod)
                self._tell(found, "SuccessfulCreate", "create", meta.name(pod))
        except errors.AlreadyExists:
            raise  # the cache was behind; the next pass knows more
        except errors.KubeError as error:
            self._events.record(found, recorder.WARNING, "FailedCreate", f"creation failed: {error}")
            raise
        for doomed in plan.delete:
            await self._leave_claims(doomed)
            await self._gone(doomed.pod)
            self._tell(found, "SuccessfulDelete", "delete", meta.name(doomed.pod))

    async def _claim(self, found: resources.Object, claim: resources.Object) -> None:
        await self._client.create(resources.PERSISTENT_VOLUME_CLAIM, claim)
        message = f"create Claim {meta.name(claim)} in StatefulSet {meta.name(found)} success"
        self._events.record(found, recorder.NORMAL, "SuccessfulCreate", message)

    async def _leave_claims(self, doomed: planning.Doomed) -> None:
        """Let claims follow the pod: the garbage collector takes them once it is gone."""
        for name in doomed.claims:
            claim = self._caches.claims.get(meta.namespace(doomed.pod), name)
            if claim is None or owners.is_owned_by(claim, doomed.pod):
                continue
            others = [each for each in owners.references(claim) if each.get("kind") != resources.STATEFUL_SET.kind]
            references = [*others, owners.owner_reference(doomed.pod, controller=False)]
            patch = {"metadata": {"uid": meta.uid(claim), "ownerReferences": references}}
            await self._client.patch(resources.PERSISTENT_VOLUME_CLAIM, meta.key(claim), patch)

    async def _gone(self, pod: resources.Object) -> None:
        with contextlib.suppress(errors.NotFound):
            await self._client.delete(resources.POD, meta.key(pod), contract.DeleteOptions(uid=meta.uid(pod)))

    def _tell(self, found: resources.Object, reason: str, verb: str, pod: str) -> None:
        message = f"{verb} Pod {pod} in StatefulSet {meta.name(found)} successful"
        self._events.record(found, recorder.NORMAL, reason, message)
