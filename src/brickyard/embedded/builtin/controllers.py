"""Wires the built-in controllers: one cache per kind, shared by all, and a controller for each reconciler.

pods ────────────┬─► replicaset ─► pods
replicasets ─────┼─► deployment ─► replicasets
deployments ─────┘
statefulsets, pods, controllerrevisions, persistentvolumeclaims ─► statefulset ─► those
daemonsets, nodes, pods, controllerrevisions ─► daemonset ─► pods and revisions
cronjobs, jobs ─► cronjob ─► jobs
jobs, pods ─► job ─► pods
services, pods, endpointslices ─► service ─► endpointslices
nodes, leases ─► nodelifecycle ─► conditions of nodes whose agent is silent
horizontalpodautoscalers, pods, metrics ─► hpa ─► the scale of something
services, pods, endpoints ─► legacyendpoints ─► endpoints
services, endpointslices ─► balancer ─► a Service's address, and listeners on it
persistentvolumeclaims, persistentvolumes, storageclasses, pods ─► claims ─► claims and volumes
persistentvolumes, persistentvolumeclaims ─► volumes ─► volumes, and their folders
pods, persistentvolumeclaims ─► ephemeral ─► claims of pods' own
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

from brickyard.api.kinds import resources
from brickyard.embedded.builtin import ownership
from brickyard.embedded.builtin.balancer import proxy
from brickyard.embedded.builtin.balancer import reconciler as balancing
from brickyard.embedded.builtin.cronjob import reconciler as cronjob
from brickyard.embedded.builtin.daemonset import reconciler as daemonset
from brickyard.embedded.builtin.deployment import reconciler as deployment
from brickyard.embedded.builtin.hpa import reconciler as hpa
from brickyard.embedded.builtin.job import reconciler as job
from brickyard.embedded.builtin.legacyendpoints import reconciler as legacyendpoints
from brickyard.embedded.builtin.nodelifecycle import reconciler as nodelifecycle
from brickyard.embedded.builtin.replicaset import reconciler as replicaset
from brickyard.embedded.builtin.service import reconciler as service
from brickyard.embedded.builtin.statefulset import reconciler as statefulset
from brickyard.embedded.builtin.storage import facts as storage_facts
from brickyard.embedded.builtin.storage import reconciler as storage
from brickyard.kube.client import contract
from brickyard.kube.informers import informer as informers
from brickyard.kube.reconcile import contract as reconcile
from brickyard.kube.reconcile import controller as controllers
from brickyard.kube.reconcile import recorder
from brickyard.lib import backoff, clock, tasks

RETRY = backoff.Backoff(0.05, 2.0, 60.0)
"""On one machine a person waits: nothing is left alone for longer than a minute."""


ATTENDED: tuple[resources.ResourceType, ...] = (
    resources.CRON_JOB,
    resources.DAEMON_SET,
    resources.DEPLOYMENT,
    resources.HORIZONTAL_POD_AUTOSCALER,
    resources.JOB,
    resources.PERSISTENT_VOLUME,
    resources.PERSISTENT_VOLUME_CLAIM,
    resources.REPLICA_SET,
    resources.SERVICE,
    resources.STATEFUL_SET,
)
"""The kinds that are acted on while ``run`` runs."""
_POD_INDEXERS = {**ownership.INDEXERS, storage.BY_CLAIM: storage_facts.claims_of}


@dataclasses.dataclass(frozen=True, slots=True)
class _Caches:
    deployments: informers.Informer
    replica_sets: informers.Informer
    pods: informers.Informer
    services: informers.Informer
    slices: informers.Informer
    stateful_sets: informers.Informer
    revisions: informers.Informer
    claims: informers.Informer
    volumes: informers.Informer
    classes: informers.Informer
    jobs: informers.Informer
    autoscalers: informers.Informer
    endpoints: informers.Informer
    cron_jobs: informers.Informer
    daemon_sets: informers.Informer
    nodes: informers.Informer
    leases: informers.Informer

    def all(self) -> Iterator[informers.Informer]:
        return (getattr(self, field.name) for field in dataclasses.fields(self))


def _caches(client: contract.Client) -> _Caches:
    return _Caches(
        deployments=informers.Informer(client, resources.DEPLOYMENT),
        replica_sets=informers.Informer(client, resources.REPLICA_SET, indexers=ownership.INDEXERS),
        pods=informers.Informer(client, resources.POD, indexers=_POD_INDEXERS),
        services=informers.Informer(client, resources.SERVICE),
        slices=informers.Informer(client, resources.ENDPOINT_SLICE, indexers={service.BY_SERVICE: service.service_of}),
        stateful_sets=informers.Informer(client, resources.STATEFUL_SET),
        revisions=informers.Informer(client, resources.CONTROLLER_REVISION, indexers=ownership.INDEXERS),
        claims=informers.Informer(client, resources.PERSISTENT_VOLUME_CLAIM),
        volumes=informers.Informer(client, resources.PERSISTENT_VOLUME),
        classes=informers.Informer(client, resources.STORAGE_CLASS),
        jobs=informers.Informer(client, resources.JOB, indexers=ownership.INDEXERS),
        autoscalers=informers.Informer(client, resources.HORIZONTAL_POD_AUTOSCALER),
        endpoints=informers.Informer(client, resources.ENDPOINTS),
        cron_jobs=informers.Informer(client, resources.CRON_JOB),
        daemon_sets=informers.Informer(client, resources.DAEMON_SET),
        nodes=informers.Informer(client, resources.NODE),
        leases=informers.Informer(client, resources.LEASE, contract.Query(nodelifecycle.LEASES)),
    )


class BuiltinControllers:
    """The built-in controllers over one client. Make it on the loop that runs it.

    Without a ``balancer`` Services get no addresses; without ``volumes``, the folder in which claims get theirs, claims get none.
    """

    def __init__(
        self,
        client: contract.Client,
        clock_: clock.Clock,
        balancer: proxy.Balancer | None = None,
        volumes: pathlib.Path | None = None,
    ) -> None:
        self._client = client
        self._clock = clock_
        self._caches = _caches(client)
        self._volumes = volumes
        self._recorders: list[recorder.EventRecorder] = []
        self._parts: tuple[controllers.Controller, ...] = (
            self._replica_sets(),
            self._deployments(),
            self._services(),
            self._stateful_sets(),
            self._daemon_sets(),
            self._jobs(),
            self._autoscalers(),
            self._legacy_endpoints(),
            self._cron_jobs(),
            self._nodes(),
            *(() if balancer is None else (self._balancing(balancer),)),
            *(() if volumes is None else self._storage(volumes)),
        )

    @property
    def parts(self) -> tuple[controllers.Controller, ...]:
        """The controllers, for a metrics page to read their counters."""
        return self._parts

    async def run(self) -> None:
        """Work until cancelled. An API that is away is waited for."""
        async with tasks.Scope("builtin") as scope:
            for cache in self._caches.all():
                scope.start(cache.run(), name=f"informer/{cache.kind.plural}")
            for each in self._recorders:
                scope.start(each.run(), name="events")
            if self._volumes is not None:
                scope.start(storage.ensure_class(self._client), name="storage-class")
            running = [scope.start(each.run(), name=each.name) for each in self._parts]
            for task in running:
                await task

    def _recorder(self, component: str) -> recorder.EventRecorder:
        made = recorder.EventRecorder(self._client, component, self._clock)
        self._recorders.append(made)
        return made

    def _replica_sets(self) -> controllers.Controller:
        caches = self._caches
        events = self._recorder("replicaset-controller")
        read = replicaset.Caches(caches.replica_sets, caches.pods)
        worker = replicaset.Reconciler(self._client, read, events, self._clock)
        made = controllers.Controller("replicaset", worker, backoff=RETRY)
        made.watch(caches.replica_sets)
        made.watch(caches.pods, ownership.concerned(caches.replica_sets, resources.REPLICA_SET))
        return made

    def _deployments(self) -> controllers.Controller:
        caches = self._caches
        read = deployment.Caches(caches.deployments, caches.replica_sets, caches.pods)
        worker = deployment.Reconciler(self._client, read, self._recorder("deployment-controller"), self._clock)
        made = controllers.Controller("deployment", worker, backoff=RETRY)
        made.watch(caches.deployments)
        made.watch(caches.replica_sets, ownership.concerned(caches.deployments, resources.DEPLOYMENT))
        # The end of an old pod, which Recreate waits for, shows in its ReplicaSet's terminatingReplicas.
        return made

    def _services(self) -> controllers.Controller:
        caches = self._caches
        read = service.Caches(caches.services, caches.pods, caches.slices)
        worker = service.Reconciler(self._client, read, self._recorder("endpoint-slice-controller"))
        made = controllers.Controller("service", worker, backoff=RETRY)
        made.watch(caches.services)
        made.watch(caches.pods, service.selecting(caches.services))
        made.watch(caches.slices, service.service_request)
        return made

    def _stateful_sets(self) -> controllers.Controller:
        caches = self._caches
        read = statefulset.Caches(caches.stateful_sets, caches.pods, caches.revisions, caches.claims)
        worker = statefulset.Reconciler(self._client, read, self._recorder("statefulset-controller"), self._clock)
        made = controllers.Controller("statefulset", worker, backoff=RETRY)
        made.watch(caches.stateful_sets)
        made.watch(caches.pods, ownership.concerned(caches.stateful_sets, resources.STATEFUL_SET))
        made.watch(caches.revisions, controllers.owned_by(resources.STATEFUL_SET))
        made.watch(caches.claims, _nobody)
        return made

    def _daemon_sets(self) -> controllers.Controller:
        caches = self._caches
        read = daemonset.Caches(caches.daemon_sets, caches.nodes, caches.pods, caches.revisions)
        worker = daemonset.Reconciler(self._client, read, self._recorder("daemonset-controller"), self._clock)
        made = controllers.Controller("daemonset", worker, backoff=RETRY)
        made.watch(caches.daemon_sets)
        made.watch(caches.pods, ownership.concerned(caches.daemon_sets, resources.DAEMON_SET))
        made.watch(caches.revisions, controllers.owned_by(resources.DAEMON_SET))
        made.watch(caches.nodes, daemonset.concerned_by_nodes(caches.daemon_sets))
        return made

    def _jobs(self) -> controllers.Controller:
        caches = self._caches
        read = job.Caches(caches.jobs, caches.pods)
        worker = job.Reconciler(self._client, read, self._recorder("job-controller"), self._clock)
        made = controllers.Controller("job", worker, backoff=RETRY)
        made.watch(caches.jobs)
        made.watch(caches.pods, ownership.concerned(caches.jobs, resources.JOB))
        return made

    def _autoscalers(self) -> controllers.Controller:
        caches = self._caches
        read = hpa.Caches(caches.autoscalers, caches.pods)
        worker = hpa.Reconciler(self._client, read, self._recorder("horizontal-pod-autoscaler"), self._clock)
        made = controllers.Controller("hpa", worker, backoff=RETRY)
        made.watch(caches.autoscalers)
        made.watch(caches.pods, _nobody)
        return made

    def _legacy_endpoints(self) -> controllers.Controller:
        caches = self._caches
        read = legacyendpoints.Caches(caches.services, caches.pods, caches.endpoints)
        made = controllers.Controller("endpoints", legacyendpoints.Reconciler(self._client, read), backoff=RETRY)
        made.watch(caches.services)
        made.watch(caches.pods, service.selecting(caches.services))
        made.watch(caches.endpoints)
        return made

    def _cron_jobs(self) -> controllers.Controller:
        caches = self._caches
        read = cronjob.Caches(caches.cron_jobs, caches.jobs)
        worker = cronjob.Reconciler(self._client, read, self._recorder("cronjob-controller"), self._clock)
        made = controllers.Controller("cronjob", worker, backoff=RETRY)
        made.watch(caches.cron_jobs)
        made.watch(caches.jobs, controllers.owned_by(resources.CRON_JOB))
        return made

    def _nodes(self) -> controllers.Controller:
        caches = self._caches
        read = nodelifecycle.Caches(caches.nodes, caches.leases)
        worker = nodelifecycle.Reconciler(self._client, read, self._recorder("node-controller"), self._clock)
        made = controllers.Controller("nodelifecycle", worker, backoff=RETRY)
        made.watch(caches.nodes)
        made.watch(caches.leases, nodelifecycle.node_of)
        return made

    def _balancing(self, balancer: proxy.Balancer) -> controllers.Controller:
        caches = self._caches
        read = balancing.Caches(caches.services, caches.slices)
        worker = balancing.Reconciler(self._client, read, self._recorder("service-balancer"), balancer)
        made = controllers.Controller("balancer", worker, backoff=RETRY)
        made.watch(caches.services)
        made.watch(caches.slices, service.service_request)
        return made

    def _storage(self, folder: pathlib.Path) -> tuple[controllers.Controller, ...]:
        caches = self._caches
        read = storage.Caches(caches.claims, caches.volumes, caches.classes, caches.pods)
        events = self._recorder("persistentvolume-controller")
        binds = storage.ClaimReconciler(self._client, read, events, folder)
        # One at a time: two claims must not settle on the same volume.
        claims = controllers.Controller("claims", binds, workers=1, backoff=RETRY)
        claims.watch(caches.claims)
        claims.watch(caches.pods, storage.claims_of_pod)
        claims.watch(caches.volumes, storage.claims_of_volume(caches.claims))
        claims.watch(caches.classes, lambda _: storage.waiting(caches.claims))
        keeps = storage.VolumeReconciler(self._client, read, events, folder)
        volumes = controllers.Controller("volumes", keeps, backoff=RETRY)
        volumes.watch(caches.volumes)
        volumes.watch(caches.claims, storage.volume_of_claim)
        makes = storage.EphemeralReconciler(self._client, read, self._recorder("ephemeral-volume-controller"))
        ephemeral = controllers.Controller("ephemeral", makes, backoff=RETRY)
        ephemeral.watch(caches.pods, storage.with_ephemeral_volumes)
        ephemeral.watch(caches.claims, controllers.owned_by(resources.POD))
        return claims, volumes, ephemeral


def _nobody(_: resources.Object) -> Iterator[reconcile.Request]:
    """Mapper for a cache that has to be there and whose changes concern nobody."""
    return iter(())


async def run(
    client: contract.Client,
    clock_: clock.Clock,
    balancer: proxy.Balancer | None = None,
    volumes: pathlib.Path | None = None,
) -> None:
    """Run the built-in controllers until cancelled.

    ``balancer``, which is closed at the end, gives Services their addresses; ``volumes`` is the folder of claims' folders.
    """
    try:
        await BuiltinControllers(client, clock_, balancer, volumes).run()
    finally:
        if balancer is not None:
            await balancer.close()
