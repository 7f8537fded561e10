"""The DaemonSet controller's hands: read the caches, plan, write revisions and pods, then the status."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import history, ownership, podcontrol, podstate
from brickyard.embedded.builtin.daemonset import plan as planning
from brickyard.embedded.builtin.daemonset import status
from brickyard.kube.client import contract, errors
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import controller as controllers
from brickyard.kube.reconcile import recorder
from brickyard.kube.reconcile import status as statuses
from brickyard.lib import clock

_KINDS = (resources.DAEMON_SET, resources.POD)


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read. ``pods`` and ``revisions`` must be indexed by ``ownership.INDEXERS``."""

    daemon_sets: informers.Informer
    nodes: informers.Informer
    pods: informers.Informer
    revisions: informers.Informer


def concerned_by_nodes(daemon_sets: informers.Informer) -> controllers.Mapper:
    """Mapper from a node to every DaemonSet."""

    def mapper(_: resources.Object) -> Iterator[reconcile.Request]:
        return (reconcile.request_for(each) for each in daemon_sets.list())

    return mapper


class Reconciler:
    """Keeps DaemonSets."""

    def __init__(
        self, client: contract.Client, caches: Caches, events: recorder.EventRecorder, clock_: clock.Clock
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._clock = clock_
        self._pods = podcontrol.Pods(client, caches.pods, events, clock_)
        caches.daemon_sets.subscribe(self._forget)

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        found = self._caches.daemon_sets.get(*request)
        if found is None:
            return reconcile.Result()
        snapshot = planning.Snapshot(
            daemon_set=found,
            nodes=self._caches.nodes.list(),
            pods=ownership.candidates(self._caches.pods, found),
            history=ownership.children(self._caches.revisions, found),
            taken=podcontrol.Names(self._caches.pods, request.namespace),
            caught_up=self._pods.wait(found) is None,
        )
        plan = planning.plan(snapshot, self._clock.wall())
        await ownership.apply(self._client, _KINDS, found, plan.claims)
        if not meta.is_deleting(found):
            await history.keep(self._client, plan.revisions, plan.stale)
        try:
            await self._carry_out(found, plan)
        finally:
            told = status.compute(found, plan, self._clock.wall())
            await statuses.write(self._client, resources.DAEMON_SET, found, told)
        again = [after for after in (plan.requeue_after, self._pods.wait(found)) if after is not None]
        return reconcile.Result(requeue_after=min(again, default=None))

    async def _carry_out(self, found: resources.Object, plan: planning.Plan) -> None:
        try:
            for pod in plan.create:
                await self._pods.create(found, pod)
        except errors.AlreadyExists:
            raise  # the cache was behind; the next pass knows more
        except errors.KubeError as error:
            self._events.record(found, recorder.WARNING, "FailedCreate", f"Error creating: {error}")
            raise
        for pod in plan.delete:
            if podstate.phase(pod) == "Failed":
                text = f"Found failed daemon pod {meta.key(pod)} on node {pod['spec'].get('nodeName', '')}, will try to kill it"
                self._events.record(found, recorder.WARNING, "FailedDaemonPod", text)
            await self._pods.delete(found, pod)

    def _forget(self, old: resources.Object | None, new: resources.Object | None) -> None:
        if new is None and old is not None:
            self._pods.forget(old)
