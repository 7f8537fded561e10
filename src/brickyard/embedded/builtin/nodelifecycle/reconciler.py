"""The node controller's hands: read node and lease, write the conditions of one whose agent is silent."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from brickyard.api.kinds import resources
from brickyard.embedded.builtin.nodelifecycle import plan as planning
from brickyard.kube.client import contract
from brickyard.kube.informers import informer as informers
from brickyard.kube.objects import meta
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import recorder
from brickyard.lib import clock, logs

LEASES = "kube-node-lease"
"""The namespace of nodes' leases."""

log = logs.get(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Caches:
    """What is read. ``leases`` are those of ``LEASES``."""

    nodes: informers.Informer
    leases: informers.Informer


class Reconciler:
    """Watches over nodes."""

    def __init__(
        self, client: contract.Client, caches: Caches, events: recorder.EventRecorder, clock_: clock.Clock
    ) -> None:
        self._client = client
        self._caches = caches
        self._events = events
        self._clock = clock_

    async def reconcile(self, request: reconcile.Request) -> reconcile.Result:
        node = self._caches.nodes.get(*request)
        if node is None:
            return reconcile.Result()
        lease = self._caches.leases.get(LEASES, request.name)
        plan = planning.plan(node, lease, self._clock.wall())
        if plan.conditions is not None:
            # Of this very state of the node: an agent that has come back meanwhile has the last word.
            version = {"resourceVersion": meta.resource_version(node)}
            patch = {"metadata": version, "status": {"conditions": plan.conditions}}
            await self._client.patch(resources.NODE, ("", request.name), patch, subresource="status")
            log.warning("node agent is silent", node=request.name)
            text = f"Node {request.name} status is now: NodeNotReady"
            self._events.record(node, recorder.NORMAL, "NodeNotReady", text)
        return reconcile.Result(requeue_after=plan.requeue_after)


def node_of(lease: resources.Object) -> Iterator[reconcile.Request]:
    """The node that a lease is of."""
    if meta.namespace(lease) == LEASES:
        yield reconcile.Request("", meta.name(lease))
